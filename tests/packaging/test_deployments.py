"""The compose file and the systemd unit are right, as far as can be tried without their servers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from gateway.config.load import load
from tests.repo.tree import ROOT

DEPLOY = ROOT / "docs" / "deploy"
UNIT = DEPLOY / "s3gateway.service"


def test_the_gateway_of_the_compose_file_has_a_good_configuration(tmp_path: Path) -> None:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    file = tmp_path / "gateway.yaml"
    file.write_text(document["configs"]["gateway"]["content"])
    found = load({"config": str(file)}, {})
    assert [problem.message for problem in found.problems] == []
    services = document["services"]
    assert found.model is not None
    hosts = {target.endpoint.host for target in found.model.targets.values()}
    assert hosts <= set(services)
    assert services["gateway"]["read_only"] is True
    context = (DEPLOY / services["gateway"]["build"]["context"]).resolve()
    assert (context / services["gateway"]["build"]["dockerfile"]).is_file()


def settings(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def test_the_unit_waits_longer_than_a_drain() -> None:
    found = settings(UNIT.read_text())
    assert int(found["TimeoutStopSec"]) > 30  # --drain-timeout
    assert found["KillMode"] == "mixed"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("needs systemd-analyze, of the Debian package systemd")
    # The program that it names need not be installed here.
    text = UNIT.read_text().replace("/opt/s3gateway/bin/s3gateway", "/bin/true")
    copy = tmp_path / UNIT.name
    copy.write_text(text)
    done = subprocess.run(
        [verify, "verify", copy],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    about = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, about) == (0, [])
