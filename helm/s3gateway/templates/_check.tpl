{{/* Refuses values that would not work together: what is wrong, and what to do. */}}
{{- define "s3gateway.check" -}}
{{- $v := .Values -}}
{{- if and $v.config $v.existingConfigMap -}}
{{- fail "config and existingConfigMap are both set: keep one" -}}
{{- end -}}
{{- if not (or $v.config $v.existingConfigMap) -}}
{{- fail "config is empty: say at least which targets there are (config.targets), or name an existingConfigMap" -}}
{{- end -}}
{{- $router := get $v.config "router" | default dict -}}
{{- range $name, $instead := dict "listen_address" "listenAddresses" "workers" "workers" "admin_address" "metrics.enabled and metrics.port" "tls" "tls.secretName" "watch" "reload" -}}
{{- if hasKey $router $name -}}
{{- fail (printf "config.router.%s is set by the chart: leave it out, and set the value %s" $name $instead) -}}
{{- end -}}
{{- end -}}
{{- if and $v.secrets.existingSecret $v.secrets.data -}}
{{- fail "secrets.existingSecret and secrets.data are both set: keep one" -}}
{{- end -}}
{{- if not (or $v.secrets.existingSecret $v.secrets.data) -}}
{{- fail (printf "no Secret: set secrets.existingSecret to one with the key %s (openssl rand -hex 32), or secrets.data" $v.secrets.sealingKey) -}}
{{- end -}}
{{- if not $v.secrets.existingSecret -}}
{{- if lt (len (get $v.secrets.data $v.secrets.sealingKey)) 16 -}}
{{- fail (printf "secrets.data.%s is missing or has less than 16 characters: openssl rand -hex 32 makes one" $v.secrets.sealingKey) -}}
{{- end -}}
{{- $named := concat (values $v.secrets.files) (values $v.secrets.env) (compact (list $v.metrics.tokenKey)) -}}
{{- range $key := $named -}}
{{- if not (hasKey $v.secrets.data $key) -}}
{{- fail (printf "secrets.data.%s is missing: secrets.files, secrets.env or metrics.tokenKey names it" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if le (int $v.terminationGracePeriodSeconds) (add (int $v.drainSeconds) (int $v.preStopSeconds) | int) -}}
{{- fail (printf "terminationGracePeriodSeconds (%d) must be more than drainSeconds + preStopSeconds (%d): what drains would be killed" (int $v.terminationGracePeriodSeconds) (add (int $v.drainSeconds) (int $v.preStopSeconds) | int)) -}}
{{- end -}}
{{- if and (not $v.service.port) (not $v.tls.secretName) -}}
{{- fail "service.port is 0 and tls.secretName is empty: the Service would have no port" -}}
{{- end -}}
{{- if and $v.customRouter.files $v.customRouter.existingConfigMap -}}
{{- fail "customRouter.files and customRouter.existingConfigMap are both set: keep one" -}}
{{- end -}}
{{- range $name, $part := dict "serviceMonitor" $v.metrics.serviceMonitor "prometheusRule" $v.metrics.prometheusRule -}}
{{- if and $part.enabled (not $v.metrics.enabled) -}}
{{- fail (printf "metrics.%s.enabled needs metrics.enabled: there is nothing to scrape" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- fail "ingress.enabled needs ingress.hosts: the names that clients use" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs: the Gateways that it belongs to" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (not (dig "requests" "cpu" "" $v.resources)) -}}
{{- fail "autoscaling.enabled needs resources.requests.cpu: targetCPUUtilizationPercentage is a share of it" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if $v.loadTest.enabled -}}
{{- range $name, $what := dict "image" "the image of loadtest/load/Dockerfile" "existingSecret" "the key pair that it signs with" "bucket" "one that exists, for its objects" -}}
{{- if not (get $v.loadTest $name) -}}
{{- fail (printf "loadTest.enabled needs loadTest.%s: %s" $name $what) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := $v.loadTest.env -}}
{{- if regexMatch "KEY|SECRET|TOKEN" $name -}}
{{- fail (printf "loadTest.env.%s would show a secret to whoever may read the Job: keys are read from loadTest.existingSecret" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $v.test.bucket (not $v.test.existingSecret) -}}
{{- fail "test.bucket needs test.existingSecret: the key pair that the test signs with" -}}
{{- end -}}
{{- end -}}
