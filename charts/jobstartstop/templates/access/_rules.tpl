{{/* The operator's rights where it watches, Secrets apart. The same as examples/operator-rbac.yaml. */}}
{{- define "jobstartstop.rules" -}}
- apiGroups: [scheduler.bcovlive.io]
  resources: [jobstartstops, liveaccounts]
  verbs:
    - list # plans over all windows of a job, read anew right before each call, and over the accounts they use
    - watch # sees a new or edited window at once
    - patch # finalizers: a window deleted on air is switched off before it goes, with its account. No spec is written
- apiGroups: [scheduler.bcovlive.io]
  resources: [jobstartstops]
  verbs:
    - get # a window is read anew after a write that met another's; an account never is
    - delete # a window that is over goes when its ttlSecondsAfterFinished has passed; no other window is deleted
    {{- if .Values.httpInterface.enabled }}
    - create # a POST to the HTTP interface makes one; what it changes and cancels it may already patch
    {{- end }}
- apiGroups: [scheduler.bcovlive.io]
  resources: [jobstartstops/status, liveaccounts/status]
  verbs:
    - update # shows what was called, what came of it and how things stand
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs:
    - create # `kubectl describe jss` tells what happened and when
{{- if not .Values.rbac.secrets }}
- apiGroups: [""]
  resources: [secrets]
  verbs:
    {{- include "jobstartstop.secretVerbs" . | nindent 4 }}
{{- end }}
{{- end }}

{{- define "jobstartstop.secretVerbs" -}}
- get # reads the key again when the Live API refused it
- list # the key that a LiveAccount names, by the Secret's name
- watch # a changed key is used from the next call on
{{- end }}

{{- define "jobstartstop.subjects" -}}
- kind: ServiceAccount
  name: {{ include "jobstartstop.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end }}
