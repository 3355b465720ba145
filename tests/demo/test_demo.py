"""The demo from start to end: what it shows, and that nothing of it is left, however it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.demo import migration
from tests.process.harness import Lines, wait_until

ROOT = Path(__file__).parents[2]
SERVERS = re.compile(r"target (\w+) is (http://127\.0\.0\.1:(\d+))")
STARTING = "starting two SeaweedFS"
SERVING = "Ctrl-C ends the demo"


class Demo:
    """`s3gateway demo` in a process of its own, with a directory of its own for temporary files."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.directory = directory
        self.sockets: list[Path] = []
        self._mark = f"DEMO_TEST_MARK={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        environ = {
            **os.environ,
            name: value,
            "TMPDIR": str(directory),
            "PYTHONPATH": str(ROOT),
            # What a user may have set up for other stores must not reach into the demo.
            "AWS_PROFILE": "nowhere",
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
            "S3GATEWAY_CONFIG": "/nowhere.yaml",
            "ENVIRONMENT": "nowhere",
            "http_proxy": "http://127.0.0.1:1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli.main", "demo", *flags],
            cwd=directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.shown, self.progress = Lines(self.process.stdout), Lines(self.process.stderr)

    def end(self, number: signal.Signals | None = None) -> int:
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(30)
        # Not before the last process that holds these has gone.
        assert self.shown.join(10)
        assert self.progress.join(10)
        return status

    def processes(self) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    environ = (entry / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if self._mark.encode() in environ:
                    found.append(int(entry.name))
        return found

    def wait_for_servers(self) -> None:
        """Wait until both answer, and note the sockets that they make outside the directory."""
        self.progress.wait_for("target s3 is", 40)
        commands = ""
        for pid in self.processes():
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                commands += (Path("/proc") / str(pid) / "cmdline").read_text()
        ports = re.findall(r"-(master|volume|filer|s3)\.port=(\d+)", commands)
        self.sockets = [
            Path(f"/tmp/seaweedfs-{role}-grpc-{int(port) + 10000}.sock") for role, port in ports
        ]
        assert len(self.sockets) == 8
        assert all(path.exists() for path in self.sockets)

    def assert_nothing_is_left(self) -> None:
        assert self.processes() == []
        assert list(self.directory.iterdir()) == []
        assert [path for path in self.sockets if path.exists()] == []


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    # Longer than the 107 bytes at which the name of a Unix socket ends: the servers make some.
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    return directory


@pytest.fixture
def start(directory: Path) -> Iterator[Callable[..., Demo]]:
    """Start a demo; one that a failed test left running is ended afterwards."""
    started = []

    def start(*flags: str) -> Demo:
        started.append(Demo(directory, *flags))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.end(signal.SIGTERM)


def run_once(start: Callable[..., Demo], *flags: str) -> tuple[Demo, int]:
    demo = start("--once", *flags)
    demo.wait_for_servers()
    return demo, demo.end()


def test_once_shows_what_landed_where_and_leaves_nothing(start: Callable[..., Demo]) -> None:
    """The given port is the one that is served."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    demo, status = run_once(start, "--port", str(port))
    assert status == 0, demo.progress.text()
    assert f"the gateway serves on http://127.0.0.1:{port} with 2 workers" in demo.progress.text()
    servers = {name: endpoint for name, endpoint, _ in SERVERS.findall(demo.progress.text())}
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in demo.shown if "│" in line]
    lakefs = [
        servers["lakefs"],
        "lakefs-data-repo",
        "main/data/file.txt",
        "18",
        "Hello from lakeFS!",
    ]
    s3 = [servers["s3"], "traditional-s3-bucket", "data/file.txt", "14", "Hello from S3!"]
    moved = ["200", f"{sum(len(sample.body) for sample in migration.samples()):,}"]
    assert rows == [
        ["lakefs", *lakefs],
        ["s3", *s3],
        ["s3", servers["s3"], "old-s3-bucket", *moved],
        ["lakefs", servers["lakefs"], "lakefs-new-repo", *moved],
    ]
    assert [line.partition("> ")[2] for line in demo.progress if "> " in line] == [
        "Starting migration: old-s3-bucket → lakefs-new-repo",
        "Migrated 100 objects...",
        "Migrated 200 objects...",
        "Migration completed: 200 objects migrated",
    ]
    assert "all 200 objects arrived whole" in demo.progress.text()
    demo.assert_nothing_is_left()


@pytest.mark.slow
def test_it_serves_on_and_the_lines_to_copy_work(
    start: Callable[..., Demo], directory: Path
) -> None:
    demo = start()
    demo.wait_for_servers()
    demo.progress.wait_for(SERVING, 40)
    demo.shown.wait_for("^access log:", 5)
    text = demo.shown.text()
    python = text.partition("boto3:\n")[2].partition("\naws-cli:")[0]
    shell = text.partition("aws-cli:\n")[2].partition("\ndashboard:")[0]
    page = re.search(r"^dashboard: +(\S+)$", text, re.MULTILINE)
    assert page is not None
    with urllib.request.urlopen(page[1]) as answer:
        assert b"<title>" in answer.read()
    clean = {"PATH": f"{sysconfig.get_path('scripts')}:/usr/bin:/bin", "HOME": str(directory)}
    said = subprocess.run(
        [sys.executable, "-c", python], env=clean, capture_output=True, check=True
    )
    assert said.stdout == b"b'Hello from lakeFS!'\n"
    said = subprocess.run(["sh", "-euc", shell], env=clean, capture_output=True, check=True)
    assert said.stdout.startswith(b"Hello from lakeFS!")
    assert b"18 copied.txt\n" in said.stdout
    assert said.stdout.endswith(b"14 data/file.txt\n")
    assert demo.end(signal.SIGINT) == 0
    demo.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("when", "number", "status"),
    [
        (STARTING, signal.SIGINT, 130),
        pytest.param("> Starting migration", signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param("target s3 is", signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(SERVING, signal.SIGTERM, 0, marks=pytest.mark.slow),
        pytest.param(SERVING, signal.SIGHUP, 0, marks=pytest.mark.slow),
    ],
)
def test_a_signal_leaves_nothing(
    start: Callable[..., Demo], when: str, number: signal.Signals, status: int
) -> None:
    demo = start()
    if when != STARTING:
        demo.wait_for_servers()
    demo.progress.wait_for(re.escape(when), 40)
    assert demo.end(number) == status, demo.progress.text()
    demo.assert_nothing_is_left()


def test_a_killed_demo_leaves_no_process(start: Callable[..., Demo]) -> None:
    demo = start()
    demo.progress.wait_for("the gateway serves on", 40)
    demo.wait_for_servers()
    demo.end(signal.SIGKILL)
    wait_until(lambda: not demo.processes(), "its processes are gone")
    for left in demo.sockets:  # nobody was there to remove them
        left.unlink(missing_ok=True)


def test_a_port_that_is_taken_is_said_and_leaves_nothing(start: Callable[..., Demo]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        demo, status = run_once(start, "--port", str(taken.getsockname()[1]))
    assert status == 1
    assert "the demo failed: the gateway does not serve" in demo.progress.text()
    demo.assert_nothing_is_left()
