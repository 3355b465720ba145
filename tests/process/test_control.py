"""The control process dies, comes back, and writes the logs."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from tests.doubles.target import Target
from tests.process.harness import Gateway, wait_until
from tests.process.load import Load


def test_workers_serve_on_while_control_is_replaced(config: dict[str, object]) -> None:
    with Gateway.start(config) as gateway, Load(gateway, "/bucket/key", clients=3) as load:
        load.wait_for(30)
        workers = gateway.worker_pids()
        pid = gateway.control_pid()
        os.kill(pid, signal.SIGKILL)
        gateway.wait_for_log(rf"control \(pid {pid}\) killed by SIGKILL, replaced by pid \d+")
        # What it publishes is what is served already: no new generation.
        gateway.wait_for_log("generation 1 is served by all 2 workers", 20)
        load.wait_for(30)
        load.stop()
        assert load.failed() == []
        assert gateway.worker_pids() == workers


def test_a_replaced_control_reloads(config: dict[str, object]) -> None:
    with Gateway.start(config) as gateway:
        os.kill(gateway.control_pid(), signal.SIGKILL)
        gateway.wait_for_log("generation 1 is served by", 20)
        other = {**config, "routing": {"default_target": "main", "environment": "x"}}
        assert gateway.reload(other) == 2


def test_a_worker_restarts_while_control_is_stopped(config: dict[str, object]) -> None:
    """The supervisor keeps the last snapshot."""
    with Gateway.start(config, workers=1) as gateway:
        control = gateway.control_pid()
        os.kill(control, signal.SIGSTOP)
        gateway.kill_worker(0)
        assert gateway.request("GET", "/bucket/key").status == 200
        os.kill(control, signal.SIGCONT)


def test_a_replaced_control_seals_with_the_key_that_was_drawn(target: Target) -> None:
    """Nothing is static here; the supervisor keeps what makes the key. Nothing new is published."""
    config = {
        "auth": {"mode": "open"},
        "s3": {"endpoint": target.url},
        "routing": {"default_target": "s3"},
    }
    with Gateway.start(config) as gateway:
        assert gateway.log_contains(r"router\.secret_file: warning: is not set, and there is no")
        os.kill(gateway.control_pid(), signal.SIGKILL)
        gateway.wait_for_log("generation . is served by", 20)
        assert not gateway.log_contains("generation 2")


def test_a_replaced_control_keeps_the_keys_from_before(
    config: dict[str, object], target: Target, tmp_path: Path
) -> None:
    """The supervisor has the last snapshot, with every key of it."""
    secret, rotating = _rotating(config, target, tmp_path)
    with Gateway.start(rotating) as gateway:
        _replace(secret, "second-secret-of-the-test")
        gateway.wait_for_log("router.secret_file: warning: is not set, and the static", 15)
        gateway.wait_for_log("generation 2 is served by", 15)
        mark = len(gateway.log)
        os.kill(gateway.control_pid(), signal.SIGKILL)
        gateway.wait_for_log("generation . is served by", 20, after=mark)
        assert not gateway.log_contains("generation 3")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "nonsense: true\n", "differs from the configuration in force", marks=pytest.mark.slow
        ),
        ("{auth: {mode: sigv4}}\n", "differs from the configuration in force"),
        pytest.param(None, "cannot be read: No such file or directory", marks=pytest.mark.slow),
    ],
)
def test_a_replaced_control_serves_what_was_accepted(
    config: dict[str, object], target: Target, tmp_path: Path, text: str | None, told: str
) -> None:
    """A9: whatever was saved meanwhile, until the operator asks for it; secrets are new."""
    secret, rotating = _rotating(config, target, tmp_path)
    with Gateway.start(rotating, access_log="-") as gateway:
        accepted = gateway.config_path.read_text()
        if text is None:
            gateway.config_path.unlink()
        else:
            gateway.write_config(text)
        os.kill(gateway.control_pid(), signal.SIGKILL)
        gateway.wait_for_log(
            rf"warning: {gateway.config_path} {told}, which is served on until", 20
        )
        gateway.wait_for_log("generation 1 is served by")
        _replace(secret, "second-secret-of-the-test")
        gateway.wait_for_log("generation 2 is served by", 15)
        assert gateway.request("GET", "/bucket/key").status == 200
        assert gateway.log.text().count(told) == 1
        assert not gateway.log_contains("problem|error")
        gateway.write_config(accepted)
        assert gateway.reload() == 2


def test_a_rotated_secret_takes_no_edit_with_it(
    config: dict[str, object], target: Target, tmp_path: Path
) -> None:
    """A9: the edit is valid already, and not finished."""
    secret, rotating = _rotating(config, target, tmp_path)
    with Gateway.start(rotating) as gateway:
        gateway.write_config({**rotating, "auth": {"mode": "sigv4"}})
        _replace(secret, "second-secret-of-the-test")
        gateway.wait_for_log("generation 2 is served by", 15)
        assert gateway.request("GET", "/bucket/key").status == 200
        assert gateway.reload() == 3
        assert gateway.request("GET", "/bucket/key").status == 403


def test_a_refused_reload_leaves_the_accepted_text_in_force(
    config: dict[str, object], target: Target, tmp_path: Path
) -> None:
    """A9: its secrets are still watched, and control may be killed."""
    secret, rotating = _rotating(config, target, tmp_path)
    with Gateway.start(rotating) as gateway:
        assert gateway.reload("nonsense: true\n") is None
        _replace(secret, "second-secret-of-the-test")
        gateway.wait_for_log("generation 2 is served by", 15)
        os.kill(gateway.control_pid(), signal.SIGKILL)
        gateway.wait_for_log("differs from the configuration in force", 20)
        gateway.wait_for_log("generation 2 is served by", 15)
        assert gateway.request("GET", "/bucket/key").status == 200


def test_a_reload_that_dies_with_control_is_done_by_the_next(config: dict[str, object]) -> None:
    """A9: the operator did ask for it."""
    with Gateway.start(config) as gateway:
        control = gateway.control_pid()
        os.kill(control, signal.SIGSTOP)
        gateway.write_config({**config, "routing": {"default_target": "main", "environment": "x"}})
        gateway.signal(signal.SIGHUP)
        assert gateway.request("GET", "/bucket/key").status == 200
        os.kill(control, signal.SIGKILL)
        gateway.wait_for_log("generation 2 is served by all 2 workers", 20)


def _rotating(
    config: dict[str, object], target: Target, directory: Path
) -> tuple[Path, dict[str, object]]:
    """A file with the target's secret, and the configuration that names it."""
    secret = directory / "secret"
    secret.write_text("first-secret-of-the-test")
    main = {
        "profile": "generic",
        "endpoint": target.url,
        "access_key_id": "TESTACCESSKEY",
        "secret_access_key_file": str(secret),
    }
    return secret, {**config, "targets": {"main": main}}


def _replace(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(file)


def test_a_rotated_secret_takes_effect_by_itself(
    config: dict[str, object], target: Target, tmp_path: Path
) -> None:
    secret, rotating = _rotating(config, target, tmp_path)
    with Gateway.start(rotating) as gateway:
        _replace(secret, "second-secret-of-the-test")
        gateway.wait_for_log("a secret file changed", 15)
        gateway.wait_for_log("generation 2 is served by all 2 workers", 15)
        assert gateway.request("GET", "/bucket/key").status == 200
        assert "secret-of-the-test" not in gateway.log.text()


def test_a_saved_configuration_waits_for_the_signal(config: dict[str, object]) -> None:
    with Gateway.start(config) as gateway:
        mark = len(gateway.log)
        gateway.write_config("half: [")
        threading.Event().wait(5)  # longer than two looks at the files
        assert len(gateway.log) == mark


def test_access_lines_go_to_standard_output(config: dict[str, object]) -> None:
    with Gateway.start(config, access_log="-") as gateway:
        gateway.request("GET", "/bucket/key")
        gateway.request("GET", "/bucket/no%20such%0Akey")
        words = gateway.stdout.wait_for(" 200 ", 5).string.split(" ")
        assert len(words) == 14
        assert words[3:9] == ["GET", "bucket/key", "GetObject", "main", "200", "-"]
        words = gateway.stdout.wait_for(" 404 ", 5).string.split(" ")
        assert words[4] == "bucket/no%20such%0Akey"


def test_access_lines_can_be_json(config: dict[str, object]) -> None:
    with Gateway.start(config, access_log="-", log_format="json") as gateway:
        answer = gateway.request("PUT", "/bucket/new", b"12345")
        line = json.loads(gateway.stdout.wait_for("PutObject", 5).string)
        assert line["kind"] == "access"
        assert line["request_id"] == answer.headers["x-amz-request-id"]
        assert (line["bucket"], line["key"], line["bytes_in"]) == ("bucket", "new", 5)
        # Messages too.
        assert json.loads(next(iter(gateway.log)))["message"].startswith("ready: ")


def test_a_log_file_is_reopened_after_rotation(config: dict[str, object]) -> None:
    with Gateway.start(config, access_log="access.log") as gateway:
        gateway.expected_files |= {"access.log", "access.log.1"}
        current = gateway.directory / "access.log"
        rotated = gateway.directory / "access.log.1"
        gateway.request("GET", "/bucket/key")
        wait_until(lambda: current.read_text().count("\n") == 1, "a line is written")
        current.rename(rotated)
        gateway.signal(signal.SIGUSR1)
        wait_until(current.exists, "the file is opened again")
        gateway.request("GET", "/bucket/key")
        wait_until(lambda: current.read_text().count("\n") == 1, "the next line is written")
        assert rotated.read_text().count("\n") == 1


def test_the_log_level_silences_messages(config: dict[str, object]) -> None:
    with Gateway(config, log_level="error") as gateway:
        wait_until(lambda: len(gateway.worker_pids()) == 2, "workers are there", 20)
        assert gateway.stop() == 0
        assert len(gateway.log) == 0
