{{- define "sealyard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "sealyard.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "sealyard.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "sealyard.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "sealyard.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sealyard.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sealyard.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "sealyard.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: sealyard
{{- end }}

{{- define "sealyard.serviceAccountName" -}}
{{- default (include "sealyard.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "sealyard.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}
{{- end }}

{{- define "sealyard.tlsSecretName" -}}
{{- default (printf "%s-progress-tls" (include "sealyard.fullname" .)) .Values.progress.tls.existingSecret }}
{{- end }}

{{- define "sealyard.serviceHost" -}}
{{ include "sealyard.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end }}

{{- /* What is written into a Role for each namespace, or into one ClusterRole for all. */ -}}
{{- define "sealyard.rules" -}}
- apiGroups: [sealyard.io]
  resources:
    - trainingruns
    - modelreleases
    - releasetargets
    - releasechannels
    - devices
    - annotationroutes
  verbs: [list, watch]
- apiGroups: [sealyard.io]
  resources:
    - trainingruns/status
    - modelreleases/status
    - releasetargets/status
    - releasechannels/status
    - devices/status
    - annotationroutes/status
  verbs: [patch]
# The finalizer of what is to be withdrawn, or shut out, before it is deleted.
- apiGroups: [sealyard.io]
  resources: [modelreleases, devices]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, delete, get, list, watch]
# The routers of AnnotationRoutes, which are applied. They go with their owners.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [create, get, list, patch, watch]
# Of https://jobset.sigs.k8s.io, where several nodes train together.
- apiGroups: [jobset.x-k8s.io]
  resources: [jobsets]
  verbs: [create, delete, get, list]
- apiGroups: [""]
  resources: [pods, persistentvolumeclaims]
  verbs: [list, watch]
# Input of Jobs that is too long for a task. It is written once, and never read back.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
# Whether the namespace is being deleted, and with it what could withdraw a release.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
