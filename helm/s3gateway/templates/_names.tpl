{{- define "s3gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Room for the longest suffix, "-network-policy", within the 63 characters of a name. */}}
{{- define "s3gateway.fullname" -}}
{{- $name := include "s3gateway.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "s3gateway.selectorLabels" -}}
app.kubernetes.io/name: {{ include "s3gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end -}}

{{/* Labels of everything: those that select pods, which no other resource of the release has. */}}
{{- define "s3gateway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/name: {{ include "s3gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of the pod of `helm test`. */}}
{{- define "s3gateway.testSelectorLabels" -}}
app.kubernetes.io/name: {{ include "s3gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end -}}

{{/* Labels of locust's pods: a list of the root and of what the pod is, load-master or load-worker. */}}
{{- define "s3gateway.loadSelectorLabels" -}}
app.kubernetes.io/name: {{ include "s3gateway.name" (first .) }}
app.kubernetes.io/instance: {{ (first .).Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- define "s3gateway.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "s3gateway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "s3gateway.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "s3gateway.secretName" -}}
{{- default (include "s3gateway.fullname" .) .Values.secrets.existingSecret -}}
{{- end -}}

{{- define "s3gateway.configMapName" -}}
{{- default (printf "%s-config" (include "s3gateway.fullname" .)) .Values.existingConfigMap -}}
{{- end -}}

{{- define "s3gateway.routersName" -}}
{{- default (printf "%s-routers" (include "s3gateway.fullname" .)) .Values.customRouter.existingConfigMap -}}
{{- end -}}

{{/* Where the Service is asked from inside the cluster. */}}
{{- define "s3gateway.url" -}}
{{- $host := printf "%s.%s.svc" (include "s3gateway.fullname" .) .Release.Namespace -}}
{{- if .Values.service.port -}}
{{- printf "http://%s:%d" $host (int .Values.service.port) -}}
{{- else -}}
{{- printf "https://%s:%d" $host (int .Values.service.tlsPort) -}}
{{- end -}}
{{- end -}}

{{/* The Service's port that an Ingress or HTTPRoute sends to. */}}
{{- define "s3gateway.routedPort" -}}
{{- .Values.service.port | default .Values.service.tlsPort | int -}}
{{- end -}}
