"""Starting: what an operator sees when it works, and when it does not."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.process.conftest import OBJECT
from tests.process.harness import ROOT, Gateway, open_config, run_to_end, wait_until


def test_it_boots_and_serves(config: dict[str, object]) -> None:
    with Gateway.start(config, workers=2) as gateway:
        assert gateway.log_contains(
            r"^\S+Z s3gateway: info: ready: 2 workers serve generation 1 on http://127\.0\.0\.1:\d+$"
        )
        assert gateway.request("GET", "/bucket/key").body == OBJECT
        assert gateway.request("PUT", "/bucket/new", b"abc").status == 200
        assert gateway.request("GET", "/bucket/new").body == b"abc"
        assert len(gateway.worker_pids()) == 2
        assert gateway.stop() == 0
        assert gateway.log_contains("stopped: clean")


class FromTheCommandLine(Gateway):
    """A gateway started as a user starts it."""

    def command(self, launch: Mapping[str, object]) -> list[str]:
        flags = [f"--{name.replace('_', '-')}={launch[name]}" for name in ("config", "workers")]
        addresses = launch["listen"]
        assert isinstance(addresses, list)
        return [sys.executable, "-m", "gateway.cli", *flags, f"--listen={addresses[0]}"]


def test_the_command_line_becomes_the_supervisor(config: dict[str, object]) -> None:
    with FromTheCommandLine.start(config, workers=1) as gateway:
        assert gateway.request("GET", "/bucket/key").body == OBJECT
        assert len(gateway.worker_pids()) == 1
        assert gateway.reload() == 1
        assert gateway.stop() == 0
        gateway.stdout.wait_for(" 200 ", 1)


def test_every_worker_takes_connections(config: dict[str, object]) -> None:
    with Gateway.start(config, workers=2, access_log="-") as gateway:
        for _ in range(40):
            assert gateway.request("GET", "/bucket/key").status == 200
        assert gateway.stop() == 0
        lines = list(gateway.stdout)
        assert len(lines) == 40
        assert {line.rpartition(" ")[2] for line in lines} == {"0#1", "1#1"}


def test_several_addresses_are_served(config: dict[str, object]) -> None:
    both = ["127.0.0.1:0", "127.0.0.2:0"]
    with Gateway.start(config, workers=2, listen=both) as gateway:
        urls = gateway.log.wait_for(r"ready: .* on (\S+) (\S+)$", 1)
        for url in urls.groups():
            gateway.url = url
            assert gateway.request("GET", "/bucket/key").status == 200


def test_ipv6_is_served(config: dict[str, object]) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with Gateway.start(config, listen=["[::1]:0"]) as gateway:
        assert gateway.url.startswith("http://[::1]:")
        assert gateway.request("GET", "/bucket/key").status == 200


def test_a_bad_configuration_is_named_and_exits_3() -> None:
    text = "routing:\n  default_target: nowhere\n  rulez: []\n"
    status, log = run_to_end(text)
    assert status == 3
    assert "gateway.yaml:3:3: routing.rulez: " in log
    assert "gateway.yaml:2:" in log
    assert "ready" not in log
    assert "Traceback" not in log


def test_a_missing_configuration_file_exits_3() -> None:
    status, log = run_to_end(Path("/nonexistent/gateway.yaml"))
    assert status == 3
    assert "/nonexistent/gateway.yaml" in log


def test_a_second_instance_on_the_port_refuses_to_start(config: dict[str, object]) -> None:
    with Gateway.start(config) as first:
        host, port = first.address
        status, log = run_to_end(config, listen=[f"{host}:{port}"])
        assert status == 3
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in log
        # The first one never noticed.
        assert first.request("GET", "/bucket/key").status == 200
        assert len(first.log) == 1


def test_a_second_instance_on_every_address_refuses_to_start(config: dict[str, object]) -> None:
    with Gateway.start(config) as first:
        status, log = run_to_end(config, listen=[f"0.0.0.0:{first.address[1]}"], insecure_open=True)
        assert status == 3
        assert "Address already in use" in log


def test_two_that_start_together_do_not_share_the_port(config: dict[str, object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        address = f"127.0.0.1:{chosen.getsockname()[1]}"
    with (
        Gateway(config, listen=[address]) as one,
        Gateway(config, listen=[address]) as other,
    ):
        both = (one, other)
        loser = wait_until(
            lambda: next((each for each in both if each.ended), None), "one of them gives up", 30
        )
        winner = next(each for each in both if each is not loser)
        assert loser is not None
        winner.wait_until_ready()
        assert loser.wait() == 3
        assert loser.log_contains("cannot listen on|is being taken")


def test_a_restart_on_the_port_works_right_after_connections(config: dict[str, object]) -> None:
    with Gateway.start(config) as first:
        host, port = first.address
        for _ in range(20):
            # The gateway closes first: its side of the connection stays in TIME_WAIT.
            assert first.request("GET", "/bucket/key", headers={"Connection": "close"})
        assert first.stop() == 0
    with Gateway.start(config, listen=[f"{host}:{port}"]) as second:
        assert second.request("GET", "/bucket/key").status == 200


def _broken_worker(directory: Path, code: str) -> dict[str, str]:
    """An environment in which a worker's import of its event loop runs `code` instead."""
    (directory / "uvloop.py").write_text(code)
    return {"PYTHONPATH": f"{directory}:{ROOT}"}


def test_workers_that_cannot_boot_end_the_start(config: dict[str, object], tmp_path: Path) -> None:
    environ = _broken_worker(tmp_path, "raise RuntimeError('no such loop')")
    status, log = run_to_end(config, environ=environ)
    assert status == 3
    assert re.search(r"worker \d crashed: RuntimeError: no such loop", log)
    assert "before it was ready: start abandoned" in log
    assert "replaced" not in log


def test_workers_that_are_never_ready_end_the_start(
    config: dict[str, object], tmp_path: Path
) -> None:
    environ = _broken_worker(tmp_path, "import time; time.sleep(3600)")
    status, log = run_to_end(config, environ={**environ, "S3GATEWAY_BOOT_SECONDS": "0.5"})
    assert status == 3
    assert re.search(r"worker \d \(pid \d+\) is not ready after", log)
    assert "start abandoned" in log


def test_a_bad_time_in_the_environment_exits_3(config: dict[str, object]) -> None:
    status, log = run_to_end(config, environ={"S3GATEWAY_HEARTBEAT_SECONDS": "soon"})
    assert status == 3
    assert "S3GATEWAY_HEARTBEAT_SECONDS" in log


def test_the_pid_file_names_the_supervisor(config: dict[str, object]) -> None:
    with Gateway(config, pidfile="gateway.pid") as gateway:
        gateway.wait_until_ready()
        file = gateway.directory / "gateway.pid"
        assert int(file.read_text()) == gateway.supervisor_pid
        host, port = gateway.address
        status, _ = run_to_end(config, listen=[f"{host}:{port}"], pidfile=str(file))
        assert status == 3
        assert int(file.read_text()) == gateway.supervisor_pid  # a loser does not take it over
        assert gateway.stop() == 0
        assert not file.exists()


def test_a_stop_during_the_start_leaves_nobody(config: dict[str, object]) -> None:
    with Gateway(config) as gateway:
        wait_until(gateway.control_pid, "control is there")
        assert gateway.stop(signal.SIGTERM) == 0


def test_it_runs_as_pid_1(config: dict[str, object]) -> None:
    prefix = ("unshare", "--pid", "--fork", "--kill-child")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no right to make a pid namespace")
    with Gateway.start(config, prefix=prefix) as gateway:
        status = Path(f"/proc/{gateway.supervisor_pid}/status").read_text()
        assert re.search(r"^NSpid:.*\s1$", status, re.MULTILINE)
        assert gateway.request("GET", "/bucket/key").status == 200
        gateway.kill_worker(0)
        gateway.wait_for_log(r"worker 0 \(pid \d+\) killed by SIGKILL, replaced by pid \d+")
        assert gateway.request("GET", "/bucket/key").status == 200
        assert gateway.stop() == 0


def test_children_that_were_left_to_it_are_reaped_silently(config: dict[str, object]) -> None:
    # A shell that starts a job, then becomes the gateway: the job's parent is now the supervisor.
    prefix = ("sh", "-c", 'sleep 0.1 & exec "$@"', "sh")
    with Gateway.start(config, prefix=prefix, prefix_execs=True) as gateway:
        wait_until(lambda: not gateway.zombies(), "the job is reaped")
        assert not gateway.log_contains("warning|error")


def test_standard_descriptors_may_be_closed(config: dict[str, object]) -> None:
    prefix = ("sh", "-c", 'exec "$@" 0<&- 1>&-', "sh")
    with Gateway.start(config, prefix=prefix, prefix_execs=True, access_log="-") as gateway:
        assert gateway.request("GET", "/bucket/key").body == OBJECT
        assert gateway.stop() == 0


def test_wrong_use_of_the_entry_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.supervisor", json.dumps([1])],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"usage" in done.stderr


def test_a_target_that_is_down_does_not_stop_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        dead = f"http://127.0.0.1:{chosen.getsockname()[1]}"
    with Gateway.start(open_config(dead)) as gateway:
        assert gateway.request("GET", "/bucket/key").status in (500, 502, 503)
