"""Standard error, standard output and the access log take nothing: everything else goes on."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doubles.target import Target
from tests.process.conftest import OBJECT
from tests.process.harness import Gateway, run_to_end, wait_until
from tests.process.load import Load

ACCOUNT = re.compile(
    r"requests: (\d+) started, (\d+) finished, (\d+) cut, (\d+) lost with a worker"
    r"; access lines: (\d+) written, (\d+) lost"
)


@contextmanager
def full_pipe(directory: Path) -> Iterator[tuple[Path, int]]:
    """A named pipe that takes nothing more, and the end that nobody reads."""
    path = directory / "full"
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(end, b"." * size)
        yield path, end
    finally:
        os.close(end)


def read_now(end: int) -> str:
    """What is in the pipe."""
    heard = b""
    with contextlib.suppress(BlockingIOError):
        while True:
            heard += os.read(end, 65536)
    return heard.decode()


@contextmanager
def started_into(
    config: dict[str, object], redirection: str, path: Path, **flags: object
) -> Iterator[Gateway]:
    """A gateway with an output redirected to `path`, serving."""
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    prefix = ("sh", "-c", f'exec "$@" {redirection}"{path}"', "sh")
    with Gateway(
        config,
        prefix=prefix,
        prefix_execs=True,
        listen=[f"127.0.0.1:{port}"],
        **flags,  # type: ignore[arg-type]  # flags are checked there
    ) as gateway:
        gateway.url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(gateway), "it serves", 30)
        wait_until(lambda: len(gateway.worker_pids()) == 2, "two workers")
        yield gateway


def _answers(gateway: Gateway) -> bool:
    try:
        return gateway.request("GET", "/bucket/key").body == OBJECT
    except OSError:
        return False


def test_a_full_standard_error_stops_nothing(config: dict[str, object], tmp_path: Path) -> None:
    """A8: a killed worker is replaced, reloads work, a signal drains; the loss is told later."""
    with (
        full_pipe(tmp_path) as (path, end),
        started_into(config, "2>", path, access_log="-") as gateway,
    ):
        wait_until(lambda: _served_by(gateway) == {"0#1", "1#1"}, "both workers serve")
        pid = gateway.kill_worker(0)
        wait_until(lambda: len({*gateway.worker_pids()} - {pid}) == 2, "the worker is replaced")
        control = gateway.control_pid()
        os.kill(control, signal.SIGKILL)
        wait_until(lambda: gateway.control_pid() not in (0, control), "control is replaced")
        gateway.write_config({**config, "routing": {"default_target": "main", "environment": "x"}})
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: _serves_generation(gateway, 2), "the reload took effect", 20)
        gateway.write_config("nonsense: true")  # what control says of it is lost as well
        gateway.signal(signal.SIGHUP)
        assert gateway.request("GET", "/bucket/key").body == OBJECT
        assert set(read_now(end)) == {"."}
        gateway.signal(signal.SIGTERM)
        assert gateway.wait(10) == 0
        told = read_now(end)
        assert "Traceback" not in told
        assert re.search(r"warning: \d+ messages lost: standard error was full", told)
        assert re.search(r"messages: \d+ lost$", told, re.MULTILINE)
        assert told.endswith("info: stopped: clean\n")


def _served_by(gateway: Gateway) -> set[str]:
    gateway.request("GET", "/bucket/key")
    return {line.rpartition(" ")[2] for line in gateway.stdout}


def _serves_generation(gateway: Gateway, generation: int) -> bool:
    return any(place.endswith(f"#{generation}") for place in _served_by(gateway))


def test_a_full_access_log_stops_nothing(
    config: dict[str, object], target: Target, tmp_path: Path
) -> None:
    """A8: lines wait and are lost; events and reloads go on; the end is not held up."""
    with (
        full_pipe(tmp_path) as (path, end),
        started_into(config, ">", path, access_log="-") as gateway,
    ):
        assert gateway.reload() == 1
        target.objects.clear()
        assert gateway.request("GET", "/bucket/key").status == 404
        gateway.signal(signal.SIGTERM)
        assert gateway.wait(15) == 0
        assert set(read_now(end)) == {"."}
        account = gateway.wait_for_log(ACCOUNT, 1)
        assert account[5] == "0"
        assert account[6] == account[2]


def test_an_access_log_that_is_a_pipe_waits_for_its_reader(
    config: dict[str, object], tmp_path: Path
) -> None:
    """A8: nobody reads it yet, nobody reads it any more: each loss is counted."""
    path = tmp_path / "access"
    os.mkfifo(path)
    with Gateway.start(config, access_log=str(path)) as gateway:
        gateway.request("GET", "/bucket/key")
        gateway.wait_for_log("access log: lines are lost: nobody reads it")
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        gateway.request("GET", "/bucket/key")
        gateway.wait_for_log("access log: written again, 1 line lost")
        assert read_now_blocking(reader).count("\n") == 1
        os.close(reader)
        gateway.request("GET", "/bucket/key")
        gateway.wait_for_log("access log: lines are lost: Broken pipe")
        assert gateway.stop() == 0
        assert gateway.wait_for_log(ACCOUNT, 1).groups() == ("3", "3", "0", "0", "1", "2")


def read_now_blocking(end: int) -> str:
    os.set_blocking(end, True)
    return os.read(end, 65536).decode()


def test_a_full_disk_loses_lines_and_counts_them(config: dict[str, object]) -> None:
    """A7: told once, counted each."""
    with Gateway.start(config, access_log="/dev/full") as gateway:
        for _ in range(5):
            assert gateway.request("GET", "/bucket/key").status == 200
        gateway.wait_for_log("access log: lines are lost: No space left on device")
        assert gateway.stop() == 0
        assert gateway.wait_for_log(ACCOUNT, 1).groups() == ("5", "5", "0", "0", "0", "5")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nonexistent/access.log", "No such file or directory"),
        ("/", "Is a directory"),
        ("/dev/null/access.log", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_an_access_log_that_cannot_be_written_is_refused(
    config: dict[str, object], path: str, reason: str
) -> None:
    """D5: at the start, as a pid file is."""
    status, log = run_to_end(config, access_log=path)
    assert status == 3
    assert f"error: access log {path}: {reason}" in log
    assert "ready" not in log


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe"])
def test_a_pid_file_that_cannot_be_written_is_refused(
    config: dict[str, object], tmp_path: Path, kind: str
) -> None:
    """D5: a pipe at its place does not hold up the start."""
    path = tmp_path / "gateway.pid"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = tmp_path / "missing" / "gateway.pid"
    status, log = run_to_end(config, pidfile=str(path))
    assert status == 3
    assert f"cannot write the pid file {path}: " in log


def test_an_access_log_that_becomes_unwritable_is_told_and_counted(
    config: dict[str, object], tmp_path: Path
) -> None:
    """D5: after the start nothing stops for it; the file that is open stays in use."""
    directory = tmp_path / "logs"
    directory.mkdir()
    log = directory / "access.log"
    with Gateway.start(config, access_log=str(log)) as gateway:
        gateway.request("GET", "/bucket/key")
        wait_until(lambda: log.read_text().count("\n") == 1, "a line is written")
        log.rename(tmp_path / "kept")
        directory.rmdir()
        gateway.signal(signal.SIGUSR1)
        gateway.wait_for_log(f"error: access log {log}: No such file or directory")
        gateway.request("GET", "/bucket/key")
        os.kill(gateway.control_pid(), signal.SIGKILL)
        gateway.wait_for_log("control .* replaced by pid")
        gateway.wait_for_log("generation 1 is served by", 20)
        gateway.request("GET", "/bucket/key")
        gateway.wait_for_log("access log: lines are lost: access log .*: No such file")
        assert gateway.stop() == 0
        started, finished, _, _, written, lost = map(int, gateway.wait_for_log(ACCOUNT, 1).groups())
        assert started == finished == written + lost == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_what_the_deadline_cuts_leaves_a_line(
    config: dict[str, object], target: Target, number: signal.Signals
) -> None:
    """A7: code Cut, one line each, and counted; by SIGQUIT as well."""
    with Gateway.start(config, access_log="-", drain_seconds=1) as gateway:
        with target.holding(), Load(gateway, "/bucket/key", clients=3) as load:
            target.wait_for_held(3)
            assert gateway.stop(number) == 4
            load.join()
        lines = [line.split(" ") for line in gateway.stdout]
        assert [words[8] for words in lines] == ["Cut"] * 3
        account = gateway.wait_for_log(ACCOUNT, 1)
        assert account.groups() == ("3", "0", "3", "0", "3", "0")


def test_what_a_killed_worker_had_in_flight_is_lost_and_counted(
    config: dict[str, object], target: Target
) -> None:
    """A7: nobody can write a line for it."""
    with Gateway.start(config, workers=1, access_log="-") as gateway:
        with Load(gateway, "/bucket/key", clients=3), target.holding():
            target.wait_for_held(3)
            gateway.kill_worker(0)
            gateway.wait_for_log("replaced by pid")
        assert gateway.stop() == 0
        started, finished, cut, lost, written, unwritten = map(
            int, gateway.wait_for_log(ACCOUNT, 1).groups()
        )
        assert lost == 3
        assert started == finished + 3
        assert cut == 0
        # A line that the worker had not sent yet is lost with it, and counted.
        assert finished == written + unwritten
        assert len(gateway.stdout) == written
