{{/* What selects the operator's Pods. It cannot change in an upgrade. */}}
{{- define "jobstartstop.selector" -}}
app.kubernetes.io/name: {{ include "jobstartstop.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "jobstartstop.labels" -}}
{{ include "jobstartstop.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") | quote }}
{{- end }}

{{/* The same and further ones, given as a list of both. One that the chart has itself stays the chart's. */}}
{{- define "jobstartstop.labelsAnd" -}}
{{- merge (include "jobstartstop.labels" (first .) | fromYaml) (last . | default dict) | toYaml }}
{{- end }}
