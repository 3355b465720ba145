"""The commands for a running gateway, as an operator, a container's probe and a shell run them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.process.harness import ROOT, Gateway, wait_until
from tests.process.test_operator import operate, other, run, status, two

__all__ = ["other", "two"]


# Reload


def moved(two: dict[str, Any]) -> dict[str, Any]:
    return {**two, "routing": {**two["routing"], "default_target": "second"}}


def test_a_reload_is_tried_and_done(two: dict[str, Any]) -> None:
    with Gateway.start(two) as gateway:
        gateway.write_config(moved(two))
        tried = operate(gateway, "reload", "--dry-run")
        assert tried.returncode == 0, tried.stderr
        assert re.search(r"\n\*  +main -> second  +main -> second\n", tried.stdout)
        assert "warning: *: reads do not look at main any more" in tried.stdout
        assert status(gateway)["generation"] == 1  # nothing has changed by that
        done = operate(gateway, "reload")
        assert done.returncode == 0, done.stderr
        digest = status(gateway)["digest"]
        assert done.stdout.startswith(
            f"generation 2 is served by workers 0, 1 (digest {digest[:16]}, "
        )
        tried = operate(gateway, "reload", "--dry-run")
        assert tried.stdout == "no bucket's requests move\n"


def test_a_refused_reload_is_located(two: dict[str, Any]) -> None:
    with Gateway.start(two, workers=1) as gateway:
        gateway.write_config("routing: {default_target: nowhere}\n")
        for words in (["reload"], ["reload", "--dry-run"]):
            done = operate(gateway, *words)
            assert (done.returncode, done.stdout) == (1, "")
            assert f"{gateway.config_path}:1:27: routing.default_target: 'nowhere'" in done.stderr
        found = json.loads(operate(gateway, "reload", "--json").stdout)
        assert (found["ok"], len(found["problems"])) == (False, 1)
        assert status(gateway)["generation"] == 1


def test_reloads_at_once_while_a_worker_is_killed(two: dict[str, Any]) -> None:
    with Gateway.start(two) as gateway, ThreadPoolExecutor(2) as pool:
        gateway.write_config(moved(two))
        waiting = [pool.submit(operate, gateway, "reload", "--json") for _ in range(2)]
        gateway.kill_worker(1)
        found = [json.loads(one.result().stdout) for one in waiting]
        assert [(one["ok"], one["generation"]) for one in found] == [(True, 2), (True, 2)]
        wait_until(lambda: status(gateway)["rolled_out"], "the new worker serves it too")


def test_a_drain_ends_the_gateway(two: dict[str, Any]) -> None:
    with Gateway.start(two, workers=1) as gateway:
        assert operate(gateway, "drain").returncode == 0
        assert gateway.wait() == 0


def test_signals_that_mean_nothing_here_change_nothing(two: dict[str, Any]) -> None:
    """The default of two of them stops a process (not one without a terminal, as here), that of
    another ends it.
    """
    numbers = (signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2, signal.SIGWINCH)
    with Gateway.start(two, workers=1) as gateway:
        before = gateway.worker_pids()
        states = Path(f"/proc/{gateway.supervisor_pid}/status").read_text()
        ignored = re.search(r"^SigIgn:\s+([0-9a-f]+)$", states, re.MULTILINE)
        assert ignored is not None
        assert [number for number in numbers if int(ignored[1], 16) >> (number - 1) & 1] == [
            *numbers
        ]
        for number in numbers:
            gateway.signal(number)
        assert gateway.reload(moved(two)) == 2  # the supervisor runs
        assert gateway.worker_pids() == before


# Health


@pytest.fixture
def secure(two: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The configuration with a listener of TLS, whose certificate nobody here knows."""
    certificate = trustme.CA().issue_cert("gateway.example.com")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    return {**two, "router": {"tls": {**files, "listen_address": "127.0.0.1:0"}}}


def test_health_asks_every_address_of_workers(secure: dict[str, Any]) -> None:
    """And not the admin plane's, which is control's; control need not answer."""
    with Gateway.start(secure, admin="127.0.0.1:0") as gateway:
        ports = {url.rpartition(":")[2] for url in (gateway.url, gateway.tls_url)}
        os.kill(gateway.control_pid(), signal.SIGSTOP)
        try:
            done = operate(gateway, "health")
            found = json.loads(operate(gateway, "health", "--json").stdout)
        finally:
            os.kill(gateway.control_pid(), signal.SIGCONT)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.fullmatch(r"ready: 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+\n", done.stdout)
        assert {one["address"].rpartition(":")[2] for one in found["addresses"]} == ports
        assert found["ready"] is True


def test_health_of_one_that_hangs_or_is_not_there(two: dict[str, Any]) -> None:
    with Gateway.start(two, workers=1) as gateway:
        (worker,) = gateway.worker_pids()
        os.kill(worker, signal.SIGSTOP)
        hangs = operate(gateway, "health", "--timeout", "0.3")
        os.kill(worker, signal.SIGCONT)
        assert hangs.returncode == 1
        assert re.fullmatch(r"not ready: 127\.0\.0\.1:\d+: no answer in time\n", hangs.stdout)
        pid = gateway.supervisor_pid
        gateway.stop()
    gone = run("health", "--pid", str(pid))
    assert (gone.returncode, gone.stdout[:11]) == (1, "not ready: ")


# Watch


def _read(terminal: int) -> bytes:
    with contextlib.suppress(OSError):  # the other end is closed
        return os.read(terminal, 65536)
    return b""


def test_a_watch_on_a_terminal_is_live_and_leaves_it_as_it_was(two: dict[str, Any]) -> None:
    with Gateway.start(two, workers=1) as gateway:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
        words = ["status", "--watch", "--interval", "0.1", "--pid", str(gateway.supervisor_pid)]
        child = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", *words],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(theirs)
        shown, deadline = b"", time.monotonic() + 20
        while not re.search(rb"all .* [1-9]\d*\.\d", shown) and time.monotonic() < deadline:
            gateway.request("GET", "/bucket/key")
            if select.select([ours], [], [], 0)[0]:
                shown += _read(ours)
        child.send_signal(signal.SIGINT)
        while piece := _read(ours):
            shown += piece
        assert child.wait(10) == 0
        os.close(ours)
        assert b"requests/s" in shown
        assert b"target" in shown
        assert shown.startswith(b"\x1b[?1049h")
        assert shown.rstrip().endswith(b"\x1b[?1049l")
        assert b"Traceback" not in shown


@pytest.mark.parametrize("as_json", [False, True])
def test_a_watch_without_a_terminal_is_lines(two: dict[str, Any], as_json: bool) -> None:
    """It survives the moment without control, and ends when its reader leaves."""
    with Gateway.start(two, workers=1) as gateway:
        words = ["status", "--watch", "--interval", "0.1", "--pid", str(gateway.supervisor_pid)]
        child = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", *words, *(["--json"] if as_json else [])],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stderr is not None
        first = child.stdout.readline()
        os.kill(gateway.control_pid(), signal.SIGKILL)
        marks = 3
        while marks:
            line = child.stdout.readline()
            assert line
            marks -= line.startswith('{"version"' if as_json else "gateway ")
        child.stdout.close()
        assert child.wait(10) == 1
        assert "Traceback" not in child.stderr.read()
        child.stderr.close()
        assert "\x1b" not in first
        assert (json.loads(first)["generation"] == 1) if as_json else first.startswith("gateway ")


# Completion


def test_names_of_targets_are_completed_from_the_running_gateway(two: dict[str, Any]) -> None:
    """Where there is none, nothing is completed, and nothing is said."""

    def completed(pid: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gateway.cli"],
            cwd=ROOT,
            env={
                **os.environ,
                "_S3GATEWAY_COMPLETE": "bash_complete",
                "COMP_WORDS": f"s3gateway\ndisable\n--pid\n{pid}\ns",
                "COMP_CWORD": "4",
            },
            capture_output=True,
            text=True,
            timeout=30,
        )

    with Gateway.start(two, workers=1) as gateway:
        done = completed(gateway.supervisor_pid)
        assert (done.stdout, done.stderr) == ("plain,second\n", "")
        pid = gateway.supervisor_pid
    done = completed(pid)
    assert (done.stdout.strip(), done.stderr) == ("", "")


BASH = shutil.which("bash")
COMPLETE = """
source <(s3gateway completion bash) || exit 9
complete -p s3gateway
complete_words() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _s3gateway_completion s3gateway
    echo "${COMPREPLY[*]}"
}
complete_words s3gateway re
complete_words s3gateway --log-f
complete_words s3gateway serve --log-format ""
complete_words s3gateway status --w
"""


@pytest.mark.skipif(BASH is None, reason="no bash here")
def test_bash_completes(tmp_path: Path) -> None:
    command = tmp_path / "s3gateway"
    command.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c '
        '\'from gateway.cli.main import main; main(prog_name="s3gateway")\' "$@"\n'
    )
    command.chmod(0o755)
    done = subprocess.run(
        [BASH or "bash", "--norc", "-c", COMPLETE],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "complete -o nosort -F _s3gateway_completion s3gateway",
        "reload repair",
        "--log-format",
        "text json",
        "--watch",
    ]
