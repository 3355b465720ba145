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
UNITS = ("s3gateway.service", "s3gateway@.service")


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


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_waits_longer_than_a_drain(unit: str) -> None:
    found = settings((DEPLOY / unit).read_text())
    assert int(found["TimeoutStopSec"]) > 30  # --drain-timeout
    assert found["KillMode"] == "mixed"


def test_the_units_differ_in_what_lets_two_run_and_in_nothing_else() -> None:
    one, template = (settings((DEPLOY / unit).read_text()) for unit in UNITS)
    assert template.pop("User") == "s3gateway"  # of all instances, or they cannot share the port
    assert template.pop("Description") == one.pop("Description") + " (%i)"
    assert template.pop("ExecStart").endswith(" --beside")
    one.pop("ExecStart")
    assert {name: text.replace("/%i", "") for name, text in template.items()} == one


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_the_unit(tmp_path: Path, unit: str) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("needs systemd-analyze, of the Debian package systemd")
    # The program that it names need not be installed here.
    text = re.sub(r"/opt/s3gateway/(%i/)?bin/s3gateway", "/bin/true", (DEPLOY / unit).read_text())
    copy = tmp_path / unit.replace("@", "@0.1.0")
    copy.write_text(text)
    done = subprocess.run(
        [verify, "verify", copy],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    about = [line for line in done.stderr.splitlines() if copy.name in line]
    assert (done.returncode, about) == (0, [])
