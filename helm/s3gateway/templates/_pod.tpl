{{- define "s3gateway.pod" -}}
serviceAccountName: {{ include "s3gateway.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.extraInitContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  {{- include "s3gateway.container" . | nindent 2 }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  {{- include "s3gateway.volumes" . | nindent 2 }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{- toYaml . | nindent 4 }}
    {{- if not (hasKey . "labelSelector") }}
    labelSelector:
      matchLabels:
        {{- include "s3gateway.selectorLabels" $ | nindent 8 }}
    {{- end }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "s3gateway.container" -}}
- name: s3gateway
  image: {{ include "s3gateway.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
    - serve
    - --config=/etc/s3gateway/gateway.yaml
    {{- range .Values.listenAddresses }}
    - --listen={{ . }}:8080
    {{- end }}
    - --admin={{ ternary (first .Values.listenAddresses) "127.0.0.1" .Values.metrics.enabled }}:{{ .Values.metrics.port }}
    - --workers={{ .Values.workers }}
    - --drain-timeout={{ .Values.drainSeconds }}
    - --access-log={{ .Values.log.access }}
    - --log-format={{ .Values.log.format }}
    - --log-level={{ .Values.log.level }}
    {{- with .Values.extraArgs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or .Values.secrets.env .Values.extraEnv }}
  env:
    {{- range $name, $key := .Values.secrets.env }}
    - name: {{ $name }}
      valueFrom:
        secretKeyRef: {name: {{ include "s3gateway.secretName" $ | quote }}, key: {{ $key | quote }}}
    {{- end }}
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- with .Values.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - {name: http, containerPort: 8080, protocol: TCP}
    {{- if .Values.tls.secretName }}
    - {name: https, containerPort: 8443, protocol: TCP}
    {{- end }}
    {{- if .Values.metrics.enabled }}
    - {name: admin, containerPort: {{ .Values.metrics.port }}, protocol: TCP}
    {{- end }}
  startupProbe:
    httpGet: {path: /-/readyz, port: http}
    {{- toYaml .Values.probes.startup | nindent 4 }}
  readinessProbe:
    httpGet: {path: /-/readyz, port: http}
    {{- toYaml .Values.probes.readiness | nindent 4 }}
  livenessProbe:
    httpGet: {path: /-/healthz, port: http}
    {{- toYaml .Values.probes.liveness | nindent 4 }}
  lifecycle:
    preStop:
      sleep: {seconds: {{ .Values.preStopSeconds }}}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  volumeMounts:
    - {name: config, mountPath: /etc/s3gateway, readOnly: true}
    - {name: secrets, mountPath: /run/secrets/s3gateway, readOnly: true}
    - {name: tmp, mountPath: /tmp}
    {{- if .Values.tls.secretName }}
    - {name: tls, mountPath: /run/secrets/s3gateway-tls, readOnly: true}
    {{- end }}
    {{- if include "s3gateway.hasRouters" . }}
    - {name: routers, mountPath: /etc/s3gateway-routers, readOnly: true}
    {{- end }}
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "s3gateway.volumes" -}}
- name: config
  configMap:
    name: {{ include "s3gateway.configMapName" . | quote }}
- name: secrets
  secret:
    secretName: {{ include "s3gateway.secretName" . | quote }}
    defaultMode: 0440
    {{- with .Values.secrets.files }}
    items:
      {{- $own := list $.Values.secrets.sealingKey }}
      {{- with $.Values.metrics.tokenKey }}
      {{- $own = append $own . }}
      {{- end }}
      {{- range $file, $key := . }}
      - {key: {{ $key | quote }}, path: {{ $file | quote }}}
      {{- $own = without $own $file }}
      {{- end }}
      {{- range $own }}
      - {key: {{ . | quote }}, path: {{ . | quote }}}
      {{- end }}
    {{- end }}
# Libraries of a custom router may want it. The gateway itself writes no file.
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
{{- if .Values.tls.secretName }}
- name: tls
  secret:
    secretName: {{ .Values.tls.secretName | quote }}
    defaultMode: 0440
{{- end }}
{{- if include "s3gateway.hasRouters" . }}
- name: routers
  configMap:
    name: {{ include "s3gateway.routersName" . | quote }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
