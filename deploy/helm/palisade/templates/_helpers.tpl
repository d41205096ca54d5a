{{- /* Names and labels. */ -}}
{{- define "palisade.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "palisade.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "palisade.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* Both take (list root component). */ -}}
{{- define "palisade.selector" -}}
app.kubernetes.io/name: {{ include "palisade.name" (index . 0) }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "palisade.labels" -}}
{{ include "palisade.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version }}
{{- if (index . 0).Values.commonLabels }}
{{ toYaml (index . 0).Values.commonLabels }}
{{- end }}
{{- end -}}

{{- define "palisade.image" -}}
{{- $name := .Values.image.repository -}}
{{- if .Values.image.registry -}}
{{- $name = printf "%s/%s" .Values.image.registry .Values.image.repository -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* What pods of all components have: takes (list root component values). */ -}}
{{- define "palisade.podMetadata" -}}
labels:
  {{- include "palisade.labels" . | nindent 2 }}
  {{- if (index . 0).Values.podLabels }}
  {{- toYaml (index . 0).Values.podLabels | nindent 2 }}
  {{- end }}
{{- if (index . 0).Values.podAnnotations }}
annotations:
  {{- toYaml (index . 0).Values.podAnnotations | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "palisade.podSpec" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
{{- if $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml $root.Values.imagePullSecrets | nindent 2 }}
{{- end }}
{{- if $root.Values.priorityClassName }}
priorityClassName: {{ $root.Values.priorityClassName }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "palisade.selector" . | nindent 6 }}
{{- if $values.nodeSelector }}
nodeSelector:
  {{- toYaml $values.nodeSelector | nindent 2 }}
{{- end }}
{{- if $values.tolerations }}
tolerations:
  {{- toYaml $values.tolerations | nindent 2 }}
{{- end }}
{{- if $values.affinity }}
affinity:
  {{- toYaml $values.affinity | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What containers of all components have but their arguments, ports and volumes. */ -}}
{{- define "palisade.container" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
image: {{ include "palisade.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources:
  {{- toYaml $values.resources | nindent 2 }}
startupProbe:
  httpGet: {path: /startupz, port: probes}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: probes}
  periodSeconds: 10
readinessProbe:
  httpGet: {path: /readyz, port: probes}
  periodSeconds: 5
env:
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- if $values.extraEnv }}
{{ toYaml $values.extraEnv }}
{{- end }}
{{- end -}}
