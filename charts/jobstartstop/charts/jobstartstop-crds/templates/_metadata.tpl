{{/* What each definition bears beside its name. */}}
{{- define "jobstartstop-crds.metadata" -}}
labels:
  app.kubernetes.io/name: jobstartstop-crds
  app.kubernetes.io/instance: {{ .Release.Name | quote }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- if .Values.keep }}
annotations:
  helm.sh/resource-policy: keep
{{- end }}
{{- end }}
