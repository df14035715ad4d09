{{/* What the schema cannot say. Nothing where all is well, else the release is refused. */}}
{{- define "jobstartstop.checks" -}}
{{- $fullname := include "jobstartstop.fullname" . }}
{{- if regexMatch "^[0-9]" $fullname }}
{{- fail (printf "set fullnameOverride: before Kubernetes 1.36 no Service is named %s, with a digit first" $fullname) }}
{{- end }}
{{- $named := list }}
{{- range .Values.rbac.secrets }}
{{- if has .namespace $named }}
{{- fail (printf "rbac.secrets: the namespace %s stands there twice; put all its names into one entry" .namespace) }}
{{- end }}
{{- $named = append $named .namespace }}
{{- if and $.Values.watchNamespaces (not (has .namespace $.Values.watchNamespaces)) }}
{{- fail (printf "rbac.secrets: the namespace %s is not one of watchNamespaces" .namespace) }}
{{- end }}
{{- end }}
{{- end }}
