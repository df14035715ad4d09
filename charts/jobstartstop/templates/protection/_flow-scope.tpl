{{/* Where windows are. A list over all namespaces is a request without one. */}}
{{- define "jobstartstop.flowScope" -}}
namespaces:
  {{- range .Values.watchNamespaces | default (list "*") }}
  - {{ . | quote }}
  {{- end }}
  {{- if not .Values.watchNamespaces }}
clusterScope: true
  {{- end }}
{{- end }}
