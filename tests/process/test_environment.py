"""Who has which variables of the environment."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from gateway.supervisor.environment import is_kept
from tests.doubles.target import Target
from tests.process.harness import Gateway
from tests.process.test_start import FromTheCommandLine

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIDHUSH",
    "AWS_SECRET_ACCESS_KEY": "hush-secret",
    "AWS_SESSION_TOKEN": "hush-token",
    "LAKEFS_SECRET_ACCESS_KEY": "hush-lakefs",
    "S3GATEWAY_MY_SECRET": "hush-mine",
    "TEAM_A": "hush-team",  # whatever its name is: `${TEAM_A}`
}


def _environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.parametrize("how", [Gateway, FromTheCommandLine])
def test_only_control_has_the_secrets(
    config: dict[str, object], target: Target, how: type[Gateway]
) -> None:
    """D11: the others had them in memory that everybody of the same user can read."""
    main = {
        "profile": "generic",
        "endpoint": target.url,
        "access_key_id": "TESTACCESSKEY",
        "secret_access_key": "${TEAM_A}",
    }
    lakefs = {"endpoint": target.url, "access_key_id": "TESTACCESSKEY"}
    changed = {**config, "targets": {"main": main}, "lakefs": lakefs}
    secrets = {**SECRETS, "LC_KEPT": "kept"}
    with how.start(changed, environ=secrets, fresh=True) as gateway:
        assert gateway.request("GET", "/bucket/key").status == 200
        everyone = [gateway.supervisor_pid, gateway.control_pid(), *gateway.worker_pids()]
        assert len(everyone) == 4
        assert set(everyone) == set(gateway.processes())  # the harness knows them all by a variable
        for pid in everyone:
            assert b"LC_KEPT=kept" in _environment(pid)
            for name, value in SECRETS.items():
                assert name.encode() not in _environment(pid)
                assert value.encode() not in _environment(pid)
        holders = {pid for pid in everyone if _holds_environment(pid)}
        assert holders == {gateway.supervisor_pid, gateway.control_pid()}
        # They are there for a reload, for a control that is replaced, for a worker that is not.
        assert gateway.reload() == 1
        os.kill(gateway.control_pid(), signal.SIGKILL)
        gateway.wait_for_log("control .* replaced by pid")
        gateway.wait_for_log("generation 1 is served by", 20, after=3)
        assert not gateway.log_contains("problem")


def _holds_environment(pid: int) -> bool:
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            links.append(os.readlink(entry))
    return any("memfd:environment" in link for link in links)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("PATH", True),
        ("PYTHONPATH", True),
        ("LD_PRELOAD", True),
        ("MALLOC_TRIM_THRESHOLD_", True),
        ("SSL_CERT_FILE", True),
        ("S3GATEWAY_BOOT_SECONDS", True),
        ("AWS_REGION", False),
        ("PATH_OF_TEAM", False),
        ("S3GATEWAY_TOKEN", False),
        ("PYTHON_API_KEY", False),
        ("LC_DB_PASSWORD", False),
        ("https_proxy", False),
    ],
)
def test_variables_are_kept_by_name(name: str, kept: bool) -> None:
    """D11: unknown ones are secrets."""
    assert is_kept(name) is kept
