"""Every command with standard streams that are closed, full, or left by their reader."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fastpath.ipc.repair_lines import written
from tests.process.harness import ROOT, open_config
from tests.unit.fastpath.ipc.test_repair_lines import LINE, UPLOAD

COMMANDS = {
    "serve": ["serve", "--config", "bad.yaml"],
    "no command": ["--config", "bad.yaml"],
    "check": ["check", "--config", "good.yaml"],
    "check json": ["check", "--config", "bad.yaml", "--format", "json"],
    "config": ["config", "--config", "good.yaml"],
    "explain": ["explain", "--config", "good.yaml", "s3://bucket/key"],
    "probe": ["probe", "--config", "bad.yaml", "--bucket", "b", "main"],
    "probe dead": ["probe", "--config", "good.yaml", "--bucket", "b", "main"],
    "repair": ["repair", "-"],
    "repair show": ["repair", "--show", "left.log"],
    "repair dead": ["repair", "--now", "left.log", "--config", "good.yaml"],
    "doctor": ["doctor", "--config", "good.yaml", "--timeout", "1"],
    "doctor bad": ["doctor", "--config", "bad.yaml", "--json"],
    "reload": ["reload", "--pid", "1"],
    "health": ["health", "--pid", "1"],
    "status watch": ["status", "--watch", "--pid", "1"],
    "completion": ["completion", "bash"],
    "demo": ["demo", "--port", "x"],
    "version": ["version"],
    "help": ["--help"],
    "wrong": ["nonsense"],
}
STREAMS = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", ">/dev/full 2>&1", "2>/dev/full"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("streams")
    (where / "good.yaml").write_text(json.dumps(open_config("http://127.0.0.1:1")))
    (where / "bad.yaml").write_text("nonsense: true\n")
    (where / "left.log").write_bytes(written(LINE._replace(upload=UPLOAD._replace(target="main"))))
    return where


def _run(directory: Path, command: str, streams: str) -> tuple[int, str]:
    """Exit status, and what both streams said together."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "gateway.cli"]
        + COMMANDS[command],
        cwd=directory,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=50,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.slow
@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_ends_in_a_traceback(directory: Path, command: str, streams: str) -> None:
    """D9: whatever is closed or full."""
    usual, _ = _run(directory, command, "")
    status, told = _run(directory, command, streams)
    assert "Traceback" not in told
    assert "Exception ignored" not in told
    assert "Error:" not in told or "Usage:" in told
    assert status in ((usual, 1) if "full" in streams else (usual,))


@pytest.mark.parametrize("command", ["serve", "config", "version"])
def test_commands_without_standard_streams(directory: Path, command: str) -> None:
    """D9: the short form of the table above."""
    assert _run(directory, command, "<&- >&- 2>&-")[0] == _run(directory, command, "")[0]
    status, told = _run(directory, command, ">/dev/full")
    assert "Traceback" not in told
    assert status == (3 if command == "serve" else 1)


@pytest.mark.parametrize("command", ["config", "help"])
def test_a_reader_that_leaves_is_no_fault(directory: Path, command: str) -> None:
    """D9: `| head -1`."""
    status, told = _run(directory, command, "| true")
    assert status == 0
    assert told == ""


def test_an_interrupt_is_one_line(directory: Path) -> None:
    """D9: Ctrl-C while a command waits for what it reads."""
    fifo = directory / "fifo.yaml"
    subprocess.run(["mkfifo", str(fifo)], check=True)
    child = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "check", "--config", str(fifo)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with fifo.open("w"):  # once it has opened it, it reads
        child.send_signal(signal.SIGINT)
        told, _ = child.communicate(timeout=20)
    assert child.returncode == 1
    assert b"Traceback" not in told
