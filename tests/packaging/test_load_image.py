"""The load test of a cluster: the image's commands are run, and those that the chart renders in it.

No image can be built where the tests run, and there is no cluster: the environment is made in a
directory, the pods are processes, and names of the cluster are addresses of loopback.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helm.values import CHART
from tests.doubles.target import Target
from tests.packaging.dockerfile import Stage, stages
from tests.packaging.helm import of_kind, rendered
from tests.process.harness import Gateway, open_config
from tests.repo.tree import ROOT

LOAD = ROOT / "loadtest" / "load"
KEYS = ("AKIDLOAD", "load-secret")
SETS = ("loadTest.seconds=3", "loadTest.users=4", "loadTest.workers=1", "loadTest.shape=constant")


def image() -> Stage:
    (stage,) = stages(LOAD / "Dockerfile")
    return stage


def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, LOAD / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_asks_for_the_versions_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {*extras["optional-dependencies"]["load"], *extras["optional-dependencies"]["demo"]}
    (script,) = image().all("RUN")
    named = script.split('"')[1::2]
    assert len(named) == 2
    assert set(named) <= asked


def test_it_runs_as_the_chart_s_user() -> None:
    assert image().one("USER") == "65532:65532"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the image has in /srv and /opt, in a directory."""
    made = tmp_path_factory.mktemp("load")
    for line in image().all("COPY"):
        source, goal = line.split()
        (made / "srv" / goal).mkdir(parents=True, exist_ok=True)
        for path in (ROOT / "loadtest").glob(source):
            shutil.copy(path, made / "srv" / goal)
    (script,) = image().all("RUN")
    script = script.replace("/opt/load", str(made / "opt/load"))
    base = sys._base_executable  # type: ignore[attr-defined]  # there is no public name
    script = script.replace("python -m venv", f"{base} -m venv", 1)
    subprocess.run(script, shell=True, check=True, timeout=280)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    client = {"name": "load", "access_key_id": KEYS[0], "secret_access_key": KEYS[1]}
    with Target() as store:
        routing = {"default_target": "main"}
        auth = {"identities": [client]}
        with Gateway.start({**open_config(store.url), "auth": auth, "routing": routing}) as started:
            started.wait_until_ready()
            yield started


class Pods:
    """The pods of both Jobs, as processes."""

    def __init__(self, root: Path, gateway: Gateway, *sets: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as found:
            self._port = found.getsockname()[1]
        self._root, self._gateway = root, gateway
        jobs = of_kind(rendered(CHART / "ci" / "load-test-values.yaml", *SETS, *sets), "Job")
        self.master, self.worker = (self._start(job) for job in jobs)

    def _start(self, job: dict[str, Any]) -> subprocess.Popen[str]:
        (container,) = job["spec"]["template"]["spec"]["containers"]
        program, *entry = (
            word.replace("/srv/", f"{self._root}/srv/") for word in image().words("ENTRYPOINT")
        )
        words = [self._here(word) for word in container["args"]]
        ports = (
            [f"--master-bind-port={self._port}", "--master-bind-host=127.0.0.1"]
            if "--master" in words
            else [f"--master-port={self._port}"]
        )
        secrets = dict(zip(("access_key_id", "secret_access_key"), KEYS, strict=True))
        environ = {
            one["name"]: one["value"]
            if "value" in one
            else secrets[one["valueFrom"]["secretKeyRef"]["key"]]
            for one in container["env"]
        }
        return subprocess.Popen(
            [str(self._root / "opt/load/bin" / program), *entry, *ports, *words],
            cwd=self._root,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(self._root / "srv"), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _here(self, word: str) -> str:
        if word.startswith("--host="):
            return f"--host={self._gateway.url}"
        return "--master-host=127.0.0.1" if word.startswith("--master-host=") else word

    def end(self) -> tuple[int, int, str]:
        """The exit codes of both, and what they said."""
        try:
            said = [one.communicate(timeout=60)[0] for one in (self.master, self.worker)]
        finally:
            for one in (self.master, self.worker):
                one.kill()
                one.wait()
        return self.master.returncode, self.worker.returncode, "\n".join(said)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_chart_s_jobs_make_load_and_end(root: Path, gateway: Gateway) -> None:
    sets = ("loadTest.env.LOAD_MAX_P99_MS=60000", "loadTest.classes={SmallObjects}")
    master, worker, said = Pods(root, gateway, *sets).end()
    assert (master, worker) == (0, 0), said
    assert "GET 1-64 KiB" in said


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_broken_threshold_fails_the_master_s_job(root: Path, gateway: Gateway) -> None:
    sets = ("loadTest.env.LOAD_MAX_P99_MS=0.001", "loadTest.classes={SmallObjects}")
    master, _, said = Pods(root, gateway, *sets).end()
    assert master == 1, said
    assert "BROKEN p99 is" in said
