{{/*
The text of gateway.yaml: `config`, and where the chart has mounted what. What the user says wins, but
what flags say is refused by `s3gateway.check`.
*/}}
{{- define "s3gateway.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $router := get $config "router" | default dict -}}
{{- $_ := set $router "watch" (eq .Values.reload "watch") -}}
{{- if not (hasKey $router "secret_file") -}}
{{- $_ := set $router "secret_file" (printf "/run/secrets/s3gateway/%s" .Values.secrets.sealingKey) -}}
{{- end -}}
{{- if .Values.tls.secretName -}}
{{- $addresses := list -}}
{{- range .Values.listenAddresses -}}
{{- $addresses = append $addresses (printf "%s:8443" .) -}}
{{- end -}}
{{- $_ := set $router "tls" (dict "listen_address" $addresses "cert_file" "/run/secrets/s3gateway-tls/tls.crt" "key_file" "/run/secrets/s3gateway-tls/tls.key") -}}
{{- end -}}
{{- $_ := set $config "router" $router -}}
{{- if .Values.metrics.enabled -}}
{{- $admin := get $config "admin" | default dict -}}
{{- if not (hasKey $admin "hosts") -}}
{{- $service := printf "%s-admin" (include "s3gateway.fullname" .) -}}
{{- $inside := printf "%s.%s.svc" $service .Release.Namespace -}}
{{- $_ := set $admin "hosts" (list $service $inside (printf "%s.cluster.local" $inside)) -}}
{{- end -}}
{{- if .Values.metrics.tokenKey -}}
{{- $_ := set $admin "token_file" (printf "/run/secrets/s3gateway/%s" .Values.metrics.tokenKey) -}}
{{- end -}}
{{- $_ := set $config "admin" $admin -}}
{{- end -}}
{{- if include "s3gateway.hasRouters" . -}}
{{- $routing := get $config "routing" | default dict -}}
{{- if not (hasKey $routing "custom_path") -}}
{{- $_ := set $routing "custom_path" "/etc/s3gateway-routers" -}}
{{- end -}}
{{- $_ := set $config "routing" $routing -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "s3gateway.hasRouters" -}}
{{- if or .Values.customRouter.existingConfigMap .Values.customRouter.files -}}yes{{- end -}}
{{- end -}}
