{{/* The Pods' security context; nothing where all of it is taken away. */}}
{{- define "jobstartstop.podSecurityContext" -}}
{{- with .Values.runAsUser }}
runAsUser: {{ . | toJson }}
runAsGroup: {{ . | toJson }}
{{- end }}
{{- with .Values.podSecurityContext }}
{{ toYaml . }}
{{- end }}
{{- end }}
