{{- define "palisade.autoscaler" -}}
{{- $root := index . 0 -}}
{{- $name := printf "%s-%s" (include "palisade.fullname" $root) (index . 1) -}}
{{- $scaling := (index . 2).autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "palisade.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $name }}}
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
  - type: Resource
    resource:
      name: cpu
      target: {type: Utilization, averageUtilization: {{ $scaling.cpu }}}
  behavior:
    # Connections are kept for long: what was scaled up is not taken away at once.
    scaleDown: {stabilizationWindowSeconds: 300}
{{- end -}}
