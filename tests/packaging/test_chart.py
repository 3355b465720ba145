"""What Helm makes of the chart, for every file of values in ci/: valid, safe, patient."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.config.load import DRAIN_SECONDS
from helm.values import CHART
from tests.packaging.helm import (
    CI,
    RELEASE,
    configuration,
    container,
    deployed,
    helm,
    of_kind,
    rendered,
    template,
)

MINIMAL, METRICS, TLS, SECRET, ROUTER, LOAD = (
    CHART / "ci" / f"{name}-values.yaml"
    for name in ("minimal", "metrics", "tls", "created-secret", "custom-router", "load-test")
)
LOCUST = "demo-s3gateway-load"  # Service and NetworkPolicy of the load test
SELECTED = {"app.kubernetes.io/component": "gateway"}
# Kinds of operators and of the Gateway API, whose schemas Kubernetes does not have.
FOREIGN = {"ServiceMonitor", "PrometheusRule", "HTTPRoute", "Certificate"}
OLDEST = "1.30"  # of Chart.yaml

every = pytest.mark.parametrize("values", CI, ids=lambda path: path.name)


@every
def test_helm_has_nothing_to_say(values: Path) -> None:
    done = helm("lint", "--strict", CHART, "--values", values)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@every
def test_kubernetes_knows_every_field(values: Path) -> None:
    for one in rendered(values):
        if one["kind"] not in FOREIGN:
            for version in (OLDEST, kubernetes_validate.latest_version()):
                kubernetes_validate.validate(one, version, strict=True)
    assert OLDEST in yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]


@every
def test_names_and_labels_are_of_this_release(values: Path) -> None:
    documents = rendered(values)
    named = [(one["kind"], one["metadata"]["name"]) for one in documents]
    assert len(set(named)) == len(named)
    for one in documents:
        if one["kind"] != "Certificate":
            labels = one["metadata"]["labels"]
            assert labels["app.kubernetes.io/instance"] == RELEASE
            assert labels["app.kubernetes.io/managed-by"] == "Helm"


@every
def test_what_selects_pods_selects_the_gateways(values: Path) -> None:
    documents = [one for one in rendered(values) if one["metadata"]["name"] != LOCUST]
    (deployment,) = of_kind(documents, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    selectors = [deployment["spec"]["selector"]["matchLabels"]]
    selectors += [one["spec"]["selector"] for one in of_kind(documents, "Service")]
    selectors += [
        one["spec"]["selector"]["matchLabels"] for one in of_kind(documents, "PodDisruptionBudget")
    ]
    selectors += [
        one["spec"]["podSelector"]["matchLabels"] for one in of_kind(documents, "NetworkPolicy")
    ]
    selectors += [
        one["labelSelector"]["matchLabels"]
        for one in deployed(documents)["topologySpreadConstraints"]
    ]
    for selector in selectors:
        assert selector.items() <= labels
        assert selector.items() >= SELECTED.items()
    (test,) = of_kind(documents, "Pod")
    assert not test["metadata"]["labels"].items() >= SELECTED.items()


# Secrets


def test_a_secret_is_in_the_secret_alone() -> None:
    documents = rendered(SECRET)
    secrets = yaml.safe_load(SECRET.read_text())["secrets"]["data"].values()
    (made,) = of_kind(documents, "Secret")
    assert len(made["data"]) == len(secrets)
    others = yaml.safe_dump([one for one in documents if one["kind"] != "Secret"])
    assert [secret for secret in secrets if secret in others] == []


@every
def test_no_map_holds_a_secret(values: Path) -> None:
    """What is called a secret there is the name of a file or of a variable."""
    text = configuration(rendered(values))
    found = re.findall(r"(?:secret_access_key|token|password): *(.*)", text)
    assert [secret for secret in found if not re.fullmatch(r"\$\{\w+\}", secret)] == []
    assert "BEGIN" not in text


@every
def test_only_the_secret_made_by_the_chart_is_in_the_release(values: Path) -> None:
    existing = yaml.safe_load(values.read_text())["secrets"].get("existingSecret")
    assert len(of_kind(rendered(values), "Secret")) == (0 if existing else 1)


@every
def test_every_file_that_the_configuration_names_is_mounted(values: Path) -> None:
    documents = rendered(values)
    pod = deployed(documents)
    mounts = {one["mountPath"]: one["name"] for one in container(documents)["volumeMounts"]}
    assert set(mounts.values()) == {one["name"] for one in pod["volumes"]}
    paths = re.findall(r"(?:_file|custom_path): (/\S+)", configuration(documents))
    assert "/run/secrets/s3gateway/sealing-secret" in paths
    volumes = {one["name"]: one for one in pod["volumes"]}
    for path in paths:
        place = next(mount for mount in mounts if f"{path}/".startswith(f"{mount}/"))
        items = volumes[mounts[place]].get("secret", {}).get("items")
        assert items is None or path.rpartition("/")[2] in {item["path"] for item in items}


def test_variables_come_from_the_secret() -> None:
    documents = rendered(SECRET)
    (variable,) = container(documents)["env"]
    reference = {"name": f"{RELEASE}-s3gateway", "key": "store-secret"}
    assert variable == {"name": "STORE_SECRET", "valueFrom": {"secretKeyRef": reference}}


# The end of a pod, and probes


@every
def test_a_pod_is_killed_after_it_has_drained(values: Path) -> None:
    documents = rendered(values)
    pod = deployed(documents)
    sleep = container(documents)["lifecycle"]["preStop"]["sleep"]["seconds"]
    (drain,) = (
        int(word.partition("=")[2])
        for word in container(documents)["args"]
        if word.startswith("--drain-timeout=")
    )
    assert pod["terminationGracePeriodSeconds"] > drain + sleep
    # Long enough for load balancers to learn of it.
    assert sleep >= 5


def test_the_default_drain_is_the_gateways() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values["drainSeconds"] == DRAIN_SECONDS


@every
def test_probes_ask_the_data_port_and_are_patient(values: Path) -> None:
    gateway = container(rendered(values))
    ports = {one["name"]: one["containerPort"] for one in gateway["ports"]}
    expected = {"startup": "/-/readyz", "readiness": "/-/readyz", "liveness": "/-/healthz"}
    for name, path in expected.items():
        probe = gateway[f"{name}Probe"]
        assert probe["httpGet"] == {"path": path, "port": "http"}
        if name != "readiness":
            assert probe["failureThreshold"] * probe["periodSeconds"] >= 60
    assert ports["http"] == 8080
    assert "--listen=0.0.0.0:8080" in gateway["args"]


@every
def test_a_rollout_leaves_none_out(values: Path) -> None:
    (deployment,) = of_kind(rendered(values), "Deployment")
    rolling = deployment["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxUnavailable": 0, "maxSurge": 1}
    assert ("replicas" in deployment["spec"]) != bool(
        of_kind(rendered(values), "HorizontalPodAutoscaler")
    )


def test_a_changed_configuration_replaces_pods_only_if_asked_to() -> None:
    def annotations(*sets: str) -> Any:
        (deployment,) = of_kind(rendered(SECRET, *sets), "Deployment")
        return deployment["spec"]["template"]["metadata"]["annotations"]

    other = "config.auth.sigv2=off"
    assert annotations()["checksum/config"] != annotations(other)["checksum/config"]
    assert annotations("reload=watch") == annotations("reload=watch", other)
    assert yaml.safe_load(configuration(rendered(SECRET)))["router"]["watch"] is False
    assert yaml.safe_load(configuration(rendered(MINIMAL)))["router"]["watch"] is True


def test_a_config_map_that_exists_is_mounted_as_it_is(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(
        "existingConfigMap: mine\nsecrets: {existingSecret: s3gateway}\nreload: rollout"
    )
    documents = rendered(values)
    assert of_kind(documents, "ConfigMap") == []
    volumes = {one["name"]: one for one in deployed(documents)["volumes"]}
    assert volumes["config"]["configMap"] == {"name": "mine"}


# What a pod may do


@every
def test_every_container_of_the_chart_is_locked_down(values: Path) -> None:
    documents = rendered(values)
    (test,) = of_kind(documents, "Pod")
    jobs = [one["spec"]["template"]["spec"] for one in of_kind(documents, "Job")]
    for pod in (deployed(documents), test["spec"], *jobs):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65532  # of the Dockerfile
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        own = pod["containers"][0]["securityContext"]
        assert own["readOnlyRootFilesystem"] is True
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert "privileged" not in own


@every
def test_the_admin_plane_is_on_loopback_unless_it_is_scraped(values: Path) -> None:
    documents = rendered(values)
    services = {one["metadata"]["name"]: one["spec"] for one in of_kind(documents, "Service")}
    services.pop(LOCUST, None)
    data, admin = (
        services.pop(name, None) for name in (_fullname(documents), "demo-s3gateway-admin")
    )
    assert not services
    assert data is not None
    assert {port["targetPort"] for port in data["ports"]} <= {"http", "https"}
    scraped = values == METRICS
    address = "0.0.0.0" if scraped else "127.0.0.1"
    assert f"--admin={address}:9090" in container(documents)["args"]
    assert ("admin" in {port["name"] for port in container(documents)["ports"]}) == scraped
    assert (admin is not None) == scraped
    if admin is not None:
        assert admin["type"] == "ClusterIP"
        assert [port["targetPort"] for port in admin["ports"]] == ["admin"]


def _fullname(documents: list[dict[str, Any]]) -> str:
    (deployment,) = of_kind(documents, "Deployment")
    name = deployment["metadata"]["name"]
    assert isinstance(name, str)
    return name


def test_the_network_policy_fences_the_admin_port() -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "prometheus"}}}]
    assert _admin_rules(METRICS) == [peers]
    assert _admin_rules(METRICS, "networkPolicy.adminFrom=null") == []
    assert _admin_rules(MINIMAL) == []


def _admin_rules(values: Path, *sets: str) -> list[Any]:
    (policy,) = of_kind(rendered(values, *sets), "NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    rules = policy["spec"]["ingress"]
    assert all(
        port["port"] in ("http", "https", "admin") for rule in rules for port in rule["ports"]
    )
    found = [rule for rule in rules if any(port["port"] == "admin" for port in rule["ports"])]
    return [rule["from"] for rule in found]


def test_the_service_monitor_finds_the_admin_service() -> None:
    documents = rendered(METRICS)
    (monitor,) = of_kind(documents, "ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    found = [
        one for one in of_kind(documents, "Service") if one["metadata"]["labels"].items() >= wanted
    ]
    assert [one["metadata"]["name"] for one in found] == ["demo-s3gateway-admin"]
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["path"] == "/metrics"
    assert endpoint["port"] in {port["name"] for port in found[0]["spec"]["ports"]}
    hosts = yaml.safe_load(configuration(documents))["admin"]["hosts"]
    assert "demo-s3gateway-admin.data.svc" in hosts


def test_alerts_and_dashboard_arrive_as_they_are() -> None:
    """What is in braces there is Prometheus' and Grafana's, not Helm's."""
    documents = rendered(METRICS)
    (rule,) = of_kind(documents, "PrometheusRule")
    assert rule["spec"] == yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    (dashboard,) = (
        one for one in of_kind(documents, "ConfigMap") if "s3gateway.json" in one["data"]
    )
    text = (CHART / "files" / "dashboard.json").read_text()
    assert json.loads(dashboard["data"]["s3gateway.json"]) == json.loads(text)
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_a_cluster_of_both_families_is_listened_to_in_both() -> None:
    both = rendered(METRICS, "listenAddresses={0.0.0.0,[::]}", "tls.secretName=s3gateway-tls")
    words = container(both)["args"]
    listen = [word for word in words if word.startswith("--listen=")]
    assert listen == ["--listen=0.0.0.0:8080", "--listen=[::]:8080"]
    assert "--admin=0.0.0.0:9090" in words
    tls = yaml.safe_load(configuration(both))["router"]["tls"]["listen_address"]
    assert tls == ["0.0.0.0:8443", "[::]:8443"]


def test_tls_alone_leaves_one_port() -> None:
    (service,) = of_kind(rendered(TLS), "Service")
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["https"]
    (pod,) = of_kind(rendered(TLS), "Pod")
    endpoint = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
    assert endpoint["ENDPOINT"] == "https://demo-s3gateway.data.svc:443"


# What stands before the gateway


def test_an_ingress_neither_limits_nor_gathers_bodies() -> None:
    (ingress,) = of_kind(rendered(METRICS), "Ingress")
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == "0"
    assert annotations["nginx.ingress.kubernetes.io/proxy-request-buffering"] == "off"
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert not [name for name in annotations if re.search("rewrite|vhost|proxy-set-header", name)]
    backends = [
        (rule["host"], path["path"], path["backend"]["service"])
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    service = {"name": "demo-s3gateway", "port": {"number": 80}}
    hosts = ("s3.example.com", "*.s3.example.com")
    assert backends == [(host, "/", service) for host in hosts]


def test_a_route_changes_nothing_and_waits() -> None:
    (route,) = of_kind(rendered(METRICS), "HTTPRoute")
    (rule,) = route["spec"]["rules"]
    assert "filters" not in rule
    assert rule["timeouts"] == {"request": "0s", "backendRequest": "0s"}
    assert rule["backendRefs"] == [{"name": "demo-s3gateway", "port": 80}]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (MINIMAL, "kubectl port-forward --namespace data deployment/demo-s3gateway 9090"),
        (METRICS, "http://demo-s3gateway-admin.data.svc:9090/metrics"),
        (METRICS, "must keep the Host and the path as they are"),
        (SECRET, "WARNING: the secrets are in the values of this release"),
        (TLS, "https://demo-s3gateway.data.svc:443"),
    ],
)
def test_the_notes_say_what_this_release_is(values: Path, said: str) -> None:
    words = ("--dry-run=client", "--namespace", "data", "--values", values)
    assert said in helm("install", RELEASE, CHART, *words).stdout.partition("NOTES:")[2]


def test_the_test_reaches_the_gateway_where_it_is_said_who_may() -> None:
    documents = rendered(LOAD, "loadTest.enabled=false")
    (test,) = of_kind(documents, "Pod")
    (policy,) = of_kind(documents, "NetworkPolicy")
    said, own = policy["spec"]["ingress"][0]["from"]
    assert "namespaceSelector" in said
    labels = own["podSelector"]["matchLabels"]
    assert labels["app.kubernetes.io/instance"] == RELEASE
    assert labels.items() <= test["metadata"]["labels"].items()


def test_names_and_numbers_stay_what_they_are(tmp_path: Path) -> None:
    """A name of digits is a text, and Helm's numbers are floats, `1e+06`."""
    names = ("priorityClassName", "tls: {secretName", "test: {bucket: b, existingSecret")
    lines = [f'{name}: "123"{"}" * name.count("{")}' for name in names]
    lines += [
        'secrets: {existingSecret: "123", env: {A: b}}',
        "terminationGracePeriodSeconds: 1000000",
    ]
    config = yaml.safe_load(MINIMAL.read_text())["config"]
    (values := tmp_path / "values.yaml").write_text(
        "\n".join([*lines, f"config: {json.dumps(config)}"])
    )
    for one in rendered(values):
        kubernetes_validate.validate(one, OLDEST, strict=True)
    assert deployed(rendered(values))["terminationGracePeriodSeconds"] == 1000000


# The load test


def test_a_load_test_is_of_one_revision_and_fenced() -> None:
    documents = rendered(LOAD)
    master, worker = of_kind(documents, "Job")
    names = [one["metadata"]["name"] for one in (master, worker)]
    assert names == [f"{LOCUST}-master-1", f"{LOCUST}-worker-1"]
    assert [one["spec"]["parallelism"] for one in (master, worker)] == [1, 3]
    of_master, of_worker = (
        one["spec"]["template"]["metadata"]["labels"] for one in (master, worker)
    )
    (service,) = (one for one in of_kind(documents, "Service") if _is_locust(one))
    assert service["spec"]["selector"] == of_master
    (port,) = service["spec"]["ports"]
    (listening,) = master["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert port["targetPort"] == listening["name"]
    own, gateways = sorted(of_kind(documents, "NetworkPolicy"), key=_is_locust, reverse=True)
    assert own["spec"]["podSelector"]["matchLabels"] == of_master
    peer = {"podSelector": {"matchLabels": of_worker}}
    assert [rule["from"] for rule in own["spec"]["ingress"]] == [[peer]]
    # Who may reach the gateway's ports is said: so are those who make the load.
    assert peer in gateways["spec"]["ingress"][0]["from"][1:]


def _is_locust(document: dict[str, Any]) -> bool:
    return bool(document["metadata"]["name"] == LOCUST)


def test_keys_of_the_store_behind_a_chain_come_from_the_secret() -> None:
    (master, _) = of_kind(rendered(LOAD, "loadTest.classes={ChainReads}"), "Job")
    environ = master["spec"]["template"]["spec"]["containers"][0]["env"]
    found = {one["name"]: one.get("valueFrom") for one in environ if "FALLBACK" in one["name"]}
    assert found == {
        f"LOAD_FALLBACK_{key.upper()}": {
            "secretKeyRef": {"name": "s3gateway-load-client", "key": f"fallback_{key}"}
        }
        for key in ("access_key_id", "secret_access_key")
    }


def test_no_load_test_is_made_unless_asked_for() -> None:
    assert of_kind(rendered(LOAD, "loadTest.enabled=false"), "Job") == []


# What is refused


@pytest.mark.parametrize(
    ("values", "sets", "said"),
    [
        (None, [], "config is empty"),
        (MINIMAL, ["existingConfigMap=mine"], "config and existingConfigMap are both set"),
        (MINIMAL, ["secrets.existingSecret="], "no Secret: set secrets.existingSecret"),
        (MINIMAL, ["secrets.data.a=b"], "secrets.existingSecret and secrets.data are both set"),
        (SECRET, ["secrets.data.sealing-secret=short"], "has less than 16 characters"),
        (SECRET, ["secrets.sealingKey=seal"], "secrets.data.seal is missing"),
        (SECRET, ["secrets.env.OTHER=other"], "secrets.data.other is missing"),
        (SECRET, ["metrics.tokenKey=token"], "secrets.data.token is missing"),
        (MINIMAL, ["drainSeconds=55"], "(60) must be more than drainSeconds + preStopSeconds (60)"),
        (MINIMAL, ["service.port=0"], "the Service would have no port"),
        (MINIMAL, ["config.router.workers=4"], "config.router.workers is set by the chart"),
        (MINIMAL, ["config.router.watch=false"], "set the value reload"),
        (MINIMAL, ["metrics.serviceMonitor.enabled=true"], "needs metrics.enabled"),
        (MINIMAL, ["ingress.enabled=true"], "ingress.enabled needs ingress.hosts"),
        (MINIMAL, ["httpRoute.enabled=true"], "httpRoute.enabled needs httpRoute.parentRefs"),
        (
            MINIMAL,
            ["autoscaling.enabled=true", "resources.requests.cpu=null"],
            "needs resources.requests.cpu",
        ),
        (
            MINIMAL,
            ["autoscaling.enabled=true", "autoscaling.minReplicas=11"],
            "autoscaling.minReplicas is more than",
        ),
        (MINIMAL, ["test.bucket=b"], "test.bucket needs test.existingSecret"),
        (MINIMAL, ["loadTest.enabled=true"], "loadTest.enabled needs loadTest."),
        (LOAD, ["loadTest.image="], "needs loadTest.image: the image of loadtest/load/Dockerfile"),
        (ROUTER, ["customRouter.existingConfigMap=mine"], "customRouter.files and"),
        # By the schema
        (MINIMAL, ["replicas=3"], "additional properties 'replicas' not allowed"),
        (MINIMAL, ["reload=never"], "/reload"),
        (MINIMAL, ["config.routing.default_traget=s3"], "'default_traget' not allowed"),
        (MINIMAL, ["config.auth.mode=closed"], "/config/auth/mode"),
        (MINIMAL, ["config.router.limits.connections=0"], "/config/router/limits/connections"),
        (MINIMAL, ["config.targets.store.secret_access_key=plain"], "secret_access_key"),
        (MINIMAL, ["config.admin.token=plain"], "/config/admin/token"),
        (LOAD, ["loadTest.env.LOAD_FALLBACK_SECRET_ACCESS_KEY=plain"], "would show a secret"),
        (LOAD, ["loadTest.env.AWS_SESSION_TOKEN=plain"], "would show a secret"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_would_not_work_is_refused(values: Path | None, sets: list[str], said: str) -> None:
    words: list[str | Path] = ["--values", values] if values else []
    done = template(*words, *(word for one in sets for word in ("--set", one)))
    assert done.returncode == 1
    assert said in done.stderr
