"""What the chart renders is served: its configuration, its arguments, its probes, its own test."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import trustme
import yaml

from helm.values import CHART
from tests.doubles.target import Target
from tests.packaging.helm import (
    CI,
    Document,
    configuration,
    container,
    of_kind,
    rendered,
)
from tests.process.harness import Gateway

SECRET = CHART / "ci" / "created-secret-values.yaml"
METRICS = CHART / "ci" / "metrics-values.yaml"
KEYS = {"analytics-key-id": "ANALYTICS", "store-key-id": "STORE", "lakefs-key-id": "LAKEFS"}


class Mounted:
    """What a pod finds mounted, below a directory: each mount path is a path below it."""

    def __init__(self, documents: list[Document], root: Path, store: str = "") -> None:
        self._root, self._store = root, store
        self.configuration = root / "etc/s3gateway"
        self._fill(documents)
        self.swap(documents)

    def _fill(self, documents: list[Document]) -> None:
        """Writes the secrets, and a router's modules; a Secret of the chart's has its own."""
        made = {
            key: base64.b64decode(text).decode()
            for one in of_kind(documents, "Secret")
            for key, text in one["data"].items()
        }
        (volume,) = (
            one["secret"] for one in _pod(documents)["volumes"] if one["name"] == "secrets"
        )
        named = re.findall(r"/run/secrets/s3gateway/(\S+)", configuration(documents))
        keys = {one["path"]: one["key"] for one in volume.get("items", [])}
        for name in named:
            self.write(f"run/secrets/s3gateway/{name}", _secret(made, keys.get(name, name)))
        for one in of_kind(documents, "ConfigMap"):
            for name, text in one["data"].items():
                if name.endswith(".py"):
                    self.write(f"etc/s3gateway-routers/{name}", text)
        certificate = trustme.CA().issue_cert("s3.example.com")
        self.write("etc/store-ca/ca.crt", trustme.CA().cert_pem.bytes().decode())
        self.write(
            "run/secrets/s3gateway-tls/tls.crt", certificate.cert_chain_pems[0].bytes().decode()
        )
        self.write(
            "run/secrets/s3gateway-tls/tls.key", certificate.private_key_pem.bytes().decode()
        )

    def write(self, name: str, text: str) -> None:
        file = self._root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def placed(self, text: str) -> str:
        """A text with the paths as they are here."""
        return re.sub(
            r"(?<![\w.])/(etc|run)/(?=s3gateway|secrets|store-ca)", rf"{self._root}/\1/", text
        )

    def swap(self, documents: list[Document]) -> None:
        """Puts the ConfigMap there as Kubernetes does: files by way of one symbolic link."""
        text = self.placed(configuration(documents))
        if self._store:
            text = text.replace("https://store.example.com", self._store)
        self.configuration.mkdir(parents=True, exist_ok=True)
        number = len(list(self.configuration.glob("..v*")))
        (self.configuration / f"..v{number}").mkdir()
        (self.configuration / f"..v{number}" / "gateway.yaml").write_text(text)
        fresh = self.configuration / "..data_tmp"
        fresh.symlink_to(f"..v{number}")
        fresh.replace(self.configuration / "..data")
        if not number:
            (self.configuration / "gateway.yaml").symlink_to("..data/gateway.yaml")


def _pod(documents: list[Document]) -> Document:
    (deployment,) = of_kind(documents, "Deployment")
    pod: Document = deployment["spec"]["template"]["spec"]
    return pod


def _secret(made: Mapping[str, str], key: str) -> str:
    return made.get(key) or KEYS.get(key, "0123456789abcdef0123456789abcdef")


def variables(one: Document, made: Mapping[str, str]) -> dict[str, str]:
    """The variables of a container; those from a Secret are looked up by their key."""
    return {
        entry["name"]: entry.get("value")
        or _secret(made, entry.get("valueFrom", {}).get("secretKeyRef", {}).get("key", ""))
        for entry in one.get("env", [])
    }


def secrets_of(values: Path) -> dict[str, str]:
    found = yaml.safe_load(values.read_text())["secrets"].get("data", {})
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("values", CI, ids=lambda path: path.name)
def test_every_configuration_is_checked_and_good(values: Path, tmp_path: Path) -> None:
    documents = rendered(values)
    mounted = Mounted(documents, tmp_path)
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "gateway.cli.main", "check", "--strict"),
            *("--config", mounted.configuration / "gateway.yaml"),
            *("--listen", "0.0.0.0:8080"),
        ],
        env={"PATH": os.environ["PATH"], **variables(container(documents), secrets_of(values))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("bucket", "target"), [("lakefs-data", "lakefs"), ("logs", "s3")])
def test_repositories_go_to_lakefs_and_the_rest_to_s3(
    bucket: str, target: str, tmp_path: Path
) -> None:
    mounted = Mounted(rendered(CHART / "ci" / "lakefs-fallback-values.yaml"), tmp_path)
    file = str(mounted.configuration / "gateway.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", "explain", "-c", file, bucket, "k", "--json"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout)["target"] == target, done.stderr


class Pod(Gateway):
    """A gateway started with the arguments of the chart's container, on free ports of loopback."""

    def __init__(
        self, documents: list[Document], mounted: Mounted, made: Mapping[str, str]
    ) -> None:
        words = [mounted.placed(word) for word in container(documents)["args"]]
        self._words = [re.sub(r"(0\.0\.0\.0|127\.0\.0\.1):\d+$", "127.0.0.1:0", w) for w in words]
        environ = variables(container(documents), made)
        super().__init__(mounted.configuration / "gateway.yaml", environ=environ, fresh=True)

    def command(self, launch: Mapping[str, object]) -> list[str]:
        return [sys.executable, "-m", "gateway.cli.main", *self._words]


def run_the_test(documents: list[Document], endpoint: str) -> tuple[int, str]:
    """Runs what `helm test` runs, by the pod's own command; its status and what it said."""
    (pod,) = of_kind(documents, "Pod")
    (one,) = pod["spec"]["containers"]
    made = {"access_key_id": "ANALYTICS", "secret_access_key": "choose-a-long-random-secret"}
    environ = {**variables(one, made), "ENDPOINT": endpoint, "PATH": os.environ["PATH"]}
    if not environ["BUCKET"].startswith("analytics"):
        environ["BUCKET"] = ""
    words: Sequence[str] = one["command"]
    assert words[0] == "python"
    done = subprocess.run(
        [sys.executable, *words[1:], *one["args"]], env=environ, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_a_release_is_served_probed_and_changed(tmp_path: Path) -> None:
    """The probes of the pod, `helm test`, and a ConfigMap that is swapped under the gateway."""
    sets = ("reload=watch", "workers=1")
    documents = rendered(SECRET, *sets)
    with Target("store") as store:
        mounted = Mounted(documents, tmp_path, store.url)
        with Pod(documents, mounted, secrets_of(SECRET)) as gateway:
            gateway.wait_until_ready()
            for name in ("startupProbe", "readinessProbe", "livenessProbe"):
                path = container(documents)[name]["httpGet"]["path"]
                assert gateway.request("GET", path).status == 200
            status, said = run_the_test(documents, gateway.url)
            assert (status, said.count("was written, read and deleted")) == (0, 1), said
            assert [one.method for one in store.requests] == ["PUT", "GET", "DELETE"]
            mounted.swap(
                rendered(SECRET, *sets, "config.auth.identities[0].allow[0].buckets[0]=other")
            )
            gateway.wait_for_log("generation 2 is served", 20)
            status, said = run_the_test(documents, gateway.url)
            assert (status, "AccessDenied" in said) == (1, True), said
            assert "Traceback" not in said
            assert gateway.stop() == 0
            lines = [json.loads(line) for line in gateway.stdout]
            assert {line["bucket"] for line in lines} == {"analytics-test"}


def test_a_scraped_release_answers_prometheus(tmp_path: Path) -> None:
    documents = rendered(METRICS, "workers=1")
    (monitor,) = of_kind(documents, "ServiceMonitor")
    (service,) = (
        one for one in of_kind(documents, "Service") if one["metadata"]["name"].endswith("-admin")
    )
    host = f"{service['metadata']['name']}.data.svc"
    with Target("store") as store:
        mounted = Mounted(documents, tmp_path, store.url)
        with Pod(documents, mounted, {}) as gateway:
            gateway.wait_until_ready()
            address = gateway.wait_for_log(r"admin plane on (http://[0-9.:]+)")[1]
            metrics = f"{address}{monitor['spec']['endpoints'][0]['path']}"
            for name in (host, "10.1.2.3:9090"):
                asked = urllib.request.Request(metrics, headers={"Host": name})
                with urllib.request.urlopen(asked, timeout=10) as answer:
                    assert b"s3gateway_" in answer.read()
            # As a client in the cluster, whom only the metrics are open to.
            status = urllib.request.Request(
                f"{address}/api/status", headers={"X-Forwarded-For": "10.1.2.3"}
            )
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(status, timeout=10)
            refused.value.close()
            assert refused.value.code == 401
            status_of_test, said = run_the_test(documents, gateway.url)
            assert (status_of_test, "ready (200)" in said) == (0, True), said
