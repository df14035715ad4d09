{{- define "jobstartstop.name" -}}
{{- .Values.nameOverride | default "jobstartstop" }}
{{- end }}

{{/* Short enough for what is put behind it: a Service's name has 63 characters. */}}
{{- define "jobstartstop.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if contains (include "jobstartstop.name" .) .Release.Name }}
{{- .Release.Name | replace "." "-" | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" (.Release.Name | replace "." "-") (include "jobstartstop.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* For what has no namespace, or lies in another than the release's: two releases never share a name there, since
     there is no dot in a namespace's. */}}
{{- define "jobstartstop.widename" -}}
{{- printf "%s.%s" (include "jobstartstop.fullname" .) .Release.Namespace }}
{{- end }}

{{- define "jobstartstop.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "jobstartstop.fullname" .) }}
{{- end }}

{{- define "jobstartstop.leaseName" -}}
{{- .Values.leaderElection.leaseName | default (include "jobstartstop.fullname" .) }}
{{- end }}

{{/* By tag or digest; with both, the digest is what is run. */}}
{{- define "jobstartstop.image" -}}
{{- $tag := .Values.image.tag }}
{{- if not (or $tag .Values.image.digest) }}
{{- $tag = .Chart.AppVersion }}
{{- end }}
{{- .Values.image.repository }}
{{- with $tag }}:{{ . }}{{ end }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}
