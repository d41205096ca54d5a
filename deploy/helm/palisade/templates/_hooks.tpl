{{- define "palisade.hookMetadata" -}}
labels:
  {{- include "palisade.labels" (list . "webhook") | nindent 2 }}
{{- if eq .Values.webhook.certificates.mode "cert-manager" }}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "palisade.fullname" . }}-webhook
{{- end }}
{{- end -}}

{{- /* Takes (list root path failurePolicy). */ -}}
{{- define "palisade.hook" -}}
{{- $root := index . 0 -}}
clientConfig:
  service: {name: {{ include "palisade.fullname" $root }}-webhook, namespace: {{ $root.Release.Namespace }}, path: {{ index . 1 }}, port: 443}
  {{- if eq $root.Values.webhook.certificates.mode "provided" }}
  caBundle: {{ required "webhook.certificates.caBundle is needed in mode provided" $root.Values.webhook.certificates.caBundle }}
  {{- end }}
failurePolicy: {{ index . 2 }}
matchPolicy: Equivalent
sideEffects: None
admissionReviewVersions: [v1]
timeoutSeconds: {{ $root.Values.webhook.timeoutSeconds }}
{{- end -}}
