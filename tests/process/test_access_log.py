"""An operator rotates the access log, has a share of it written, and sees who asks."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

from tests.doubles.target import Target
from tests.process.harness import Gateway, wait_until
from tests.process.load import Load
from tests.process.test_full_outputs import ACCOUNT

LEFT_OUT = re.compile(r"access lines: (\d+) written, (\d+) lost, (\d+) left out")


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_rotations_under_load_lose_no_line(config: dict[str, object]) -> None:
    """A3: each file that was moved away has what was written until the signal; all have it all."""
    with Gateway.start(config, access_log="access.log") as gateway:
        current = gateway.directory / "access.log"
        moved = [gateway.directory / f"access.log.{number}" for number in range(5)]
        gateway.expected_files |= {path.name for path in (current, *moved)}
        with Load(gateway, "/bucket/key") as load:
            for path in moved:
                wait_until(lambda: lines_of(current) > 20, "lines are written")
                current.rename(path)
                gateway.signal(signal.SIGUSR1)
            load.wait_for(20)
        assert gateway.stop() == 0
        started, *_, written, lost = map(int, gateway.wait_for_log(ACCOUNT, 1).groups())
        assert (written, lost) == (started, 0)
        assert sum(map(lines_of, (current, *moved))) == started
        assert load.failed() == []


def test_a_directory_that_is_gone_keeps_the_open_file(
    config: dict[str, object], tmp_path: Path
) -> None:
    """A3: told with what happens and what to do; once it is there again, a signal is enough."""
    directory, kept = tmp_path / "logs", tmp_path / "kept"
    directory.mkdir()
    log = directory / "access.log"
    with Gateway.start(config, access_log=str(log)) as gateway:
        gateway.request("GET", "/bucket/key")
        wait_until(lambda: lines_of(log) == 1, "a line is written")
        log.rename(kept)
        directory.rmdir()
        gateway.signal(signal.SIGUSR1)
        gateway.wait_for_log(
            f"error: access log {log}: No such file or directory; lines go on to the file that was "
            r"open \(make the path writable, then send SIGUSR1 again\)"
        )
        gateway.request("GET", "/bucket/key")
        wait_until(lambda: lines_of(kept) == 2, "the line is in the file that was open")
        directory.mkdir()
        gateway.signal(signal.SIGUSR1)
        wait_until(log.exists, "the file is opened again")
        gateway.request("GET", "/bucket/key")
        assert gateway.stop() == 0
        assert (lines_of(kept), lines_of(log)) == (2, 1)


def test_a_share_of_the_lines_and_the_account(config: dict[str, Any], target: Target) -> None:
    """Every error is written, some of the rest, across a reload and a drained worker."""
    sampled = {**config, "router": {"log": {"sample": 0.25, "slow_seconds": 60}}}
    flags = {"access_log": "access.log", "log_format": "json"}
    with Gateway.start(sampled, **flags) as gateway:
        gateway.expected_files.add("access.log")
        for number in range(200):
            gateway.request("GET", "/bucket/key" if number % 2 else "/bucket/none")
        pid = gateway.kill_worker(0, signal.SIGTERM)
        gateway.wait_for_log(rf"\(pid {pid}\) exited")
        wait_until(lambda: len(gateway.worker_pids()) == 2, "both workers are there", 20)
        for _ in range(100):
            gateway.request("GET", "/bucket/key")
        assert gateway.reload({**config, "router": {"log": {"sample": 1}}})
        for _ in range(20):
            gateway.request("GET", "/bucket/key")
        assert gateway.stop() == 0
        written, lost, left_out = map(int, gateway.wait_for_log(LEFT_OUT, 1).groups())
        statuses = [line["status"] for line in gateway.access_lines("access.log")]
        assert (lost, written + left_out, len(statuses)) == (0, 320, written)
        assert statuses.count(404) == 100
        assert 20 < statuses.count(200) - 20 < 100  # of 200, a quarter: five standard deviations


def test_the_client_behind_a_proxy(config: dict[str, Any], target: Target) -> None:
    """The log has it, the target has not."""
    trusting = {**config, "router": {"trusted_proxies": ["127.0.0.1"]}}
    sent = {"X-Forwarded-For": "1.1.1.1, 198.51.100.9", "Forwarded": "for=1.1.1.1"}
    with Gateway.start(trusting, access_log="-") as gateway:
        gateway.request("GET", "/bucket/key", headers={**sent, "X-Real-IP": "1.1.1.1"})
        gateway.stdout.wait_for(r"Z 198\.51\.100\.9:0 ", 10)
        assert gateway.reload(config) == 2
        gateway.request("GET", "/bucket/key", headers=sent)
        gateway.stdout.wait_for(r"Z 127\.0\.0\.1:\d+ .* \d#2$", 10)
    assert len(target.requests) == 2
    for request in target.requests:
        assert not {"x-forwarded-for", "forwarded", "x-real-ip"} & set(request.headers)
        assert not any("198.51.100.9" in value for value in request.headers.values())
