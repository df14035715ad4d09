{{/* The command line, as a list. Each flag is one quoted word, whatever is in the value. */}}
{{- define "jobstartstop.arguments" -}}
- run
{{- range .Values.watchNamespaces }}
- {{ printf "--namespace=%s" . | quote }}
{{- end }}
{{- range .Values.liveEndpoints }}
- {{ printf "--live-endpoint=%s" . | quote }}
{{- end }}
- {{ printf "--deletion-policy=%s" .Values.deletionPolicy | quote }}
{{- with .Values.clusterID }}
- {{ printf "--cluster-id=%s" . | quote }}
{{- end }}
- {{ printf "--leader-election=%t" .Values.leaderElection.enabled | quote }}
- {{ printf "--lease-name=%s" (include "jobstartstop.leaseName" .) | quote }}
- {{ printf "--lease-namespace=%s" .Release.Namespace | quote }}
- {{ printf "--observe-address=%s:8080" .Values.listenAddress | quote }}
{{- if .Values.httpInterface.enabled }}
- {{ printf "--http-address=%s:8443" .Values.listenAddress | quote }}
{{- if .Values.httpInterface.tls.secretName }}
- "--http-tls-certificate=/etc/jobstartstop/http-tls/tls.crt"
- "--http-tls-key=/etc/jobstartstop/http-tls/tls.key"
{{- end }}
{{- end }}
{{- range .Values.notifications.allowCIDRs }}
- {{ printf "--allow-notification-cidr=%s" . | quote }}
{{- end }}
{{- if include "jobstartstop.extraCA" . }}
- {{ printf "--ca-file=/etc/jobstartstop/ca/%s" .Values.extraCA.key | quote }}
{{- end }}
- "--log-filter-file=/etc/jobstartstop/log/filter"
- {{ printf "--log-format=%s" .Values.log.format | quote }}
{{- with .Values.traces.otlpEndpoint }}
- {{ printf "--otlp-endpoint=%s" . | quote }}
{{- end }}
{{- end }}

{{/* The volume's source for further root certificates; nothing where none are named. */}}
{{- define "jobstartstop.extraCA" -}}
{{- with .Values.extraCA.configMap -}}
configMap:
  name: {{ . | quote }}
{{- end }}
{{- with .Values.extraCA.secret -}}
secret:
  secretName: {{ . | quote }}
{{- end }}
{{- end }}
