"""With `router.watch` an operator saves the file, and the gateway takes it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.target import Target
from tests.process.harness import Gateway

SERVED = "generation {} is served by all 2 workers"


def watched(config: dict[str, Any], **router: object) -> dict[str, Any]:
    return {**config, "router": {"watch": True, **router}}


@pytest.mark.slow
def test_a_saved_file_takes_effect(config: dict[str, object]) -> None:
    """By a rename, in place; a broken one is told once, a fixed one is taken."""
    with Gateway.start(watched(config)) as gateway:
        file = gateway.config_path
        gateway.write_config(watched({**config, "auth": {"mode": "sigv4"}}))
        gateway.wait_for_log(rf"{file} changed: reload")
        gateway.wait_for_log(SERVED.format(2))
        assert gateway.request("GET", "/bucket/key").status == 403
        mark = len(gateway.log)
        file.write_text("router: {watch: true, wach: 1}\n" + json.dumps({"auth": {"mode": "open"}}))
        gateway.wait_for_log("configuration unchanged: 1 problem", after=mark)
        assert gateway.request("GET", "/bucket/key").status == 403
        file.write_text(json.dumps(watched(config)))
        gateway.wait_for_log(SERVED.format(3))
        assert gateway.request("GET", "/bucket/key").status == 200
        told = [line for line in list(gateway.log)[mark:] if "configuration unchanged" in line]
        assert len(told) == 1


def test_a_config_map_is_swapped(config: dict[str, object], tmp_path: Path) -> None:
    """With a secret that arrives after the configuration that names it."""
    new = watched({**config, "auth": {"mode": "sigv4"}}, secret_file="seal")
    for name, document in (("..1", watched(config)), ("..2", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "gateway.yaml").write_text(json.dumps(document))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "gateway.yaml").symlink_to("..data/gateway.yaml")
    with Gateway.start(tmp_path / "gateway.yaml") as gateway:
        assert gateway.request("GET", "/bucket/key").status == 200
        (tmp_path / "fresh").symlink_to("..2")
        (tmp_path / "fresh").replace(tmp_path / "..data")
        gateway.wait_for_log("router.secret_file: cannot be read: No such file")
        gateway.wait_for_log("configuration unchanged: 1 problem")
        assert gateway.request("GET", "/bucket/key").status == 200
        (tmp_path / "seal").write_text("a secret of some length\n")
        gateway.wait_for_log(SERVED.format(2), 20)
        assert gateway.request("GET", "/bucket/key").status == 403


def test_a_new_control_process_takes_what_was_saved_meanwhile(
    config: dict[str, object], target: Target
) -> None:
    with Gateway.start(watched(config)) as gateway:
        control = gateway.control_pid()
        os.kill(control, signal.SIGSTOP)
        gateway.write_config(watched({**config, "auth": {"mode": "sigv4"}}))
        os.kill(control, signal.SIGKILL)
        gateway.wait_for_log(SERVED.format(2), 20)
        assert gateway.request("GET", "/bucket/key").status == 403
        assert not gateway.log_contains("which is served on until")


@pytest.mark.slow
def test_an_edit_that_switches_the_watch_off_is_the_last(config: dict[str, object]) -> None:
    with Gateway.start(watched(config)) as gateway:
        gateway.write_config(config)
        gateway.wait_for_log(f"{gateway.config_path} changed: reload")
        gateway.wait_for_log("generation 1 is served by all 2 workers", 20)
        mark = len(gateway.log)
        gateway.write_config(watched({**config, "auth": {"mode": "sigv4"}}))
        assert gateway.reload() == 2  # by the signal
        assert not any("changed" in line for line in list(gateway.log)[mark:])
