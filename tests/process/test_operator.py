"""An operator asks a running gateway, disables a target, and looks at health and breakers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.control import operator_socket
from gateway.control.operator_socket import MAX_CONNECTIONS
from gateway.status.address import address
from gateway.status.ask import answered
from tests.doubles.target import Fault, Target
from tests.process.harness import ROOT, Gateway, wait_until

OBJECT = b"0123456789" * 100


@pytest.fixture
def other() -> Iterator[Target]:
    with Target() as one:
        one.objects["/other/key"] = OBJECT
        yield one


@pytest.fixture
def two(config: dict[str, Any], other: Target) -> dict[str, Any]:
    """A configuration with two targets: the bucket `other` is at the second."""
    return _with_other(config, other)


def _with_other(config: dict[str, Any], other: Target, **settings: object) -> dict[str, Any]:
    keys = {"access_key_id": "TESTACCESSKEY", "secret_access_key": "test-secret"}
    second = {"profile": "generic", "endpoint": other.url, **keys, **settings}
    rules = [{"pattern": "other", "target": "second"}]
    return {
        **config,
        "targets": {**config["targets"], "second": second},
        "routing": {**config["routing"], "rules": rules},
    }


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """One command of the command line."""
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )


def status(gateway: Gateway) -> dict[str, Any]:
    """What `s3gateway status` prints as JSON."""
    done = run("status", "--json", "--pid", str(gateway.supervisor_pid))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def target_of(gateway: Gateway, name: str) -> dict[str, Any]:
    """What it prints of one target."""
    found = [one for one in status(gateway)["targets"] if one["name"] == name]
    assert len(found) == 1
    return dict(found[0])


def operate(gateway: Gateway, *words: str) -> subprocess.CompletedProcess[str]:
    return run(*words, "--pid", str(gateway.supervisor_pid))


def test_status_says_what_is_served(two: dict[str, Any]) -> None:
    with Gateway.start(two) as gateway:
        found = status(gateway)
        assert [worker["pid"] for worker in found["workers"]] == gateway.worker_pids()
        assert [worker["generation"] for worker in found["workers"]] == [1, 1]
        assert (found["generation"], found["rolled_out"]) == (1, True)
        assert (found["supervisor"], found["control"]) == (
            gateway.supervisor_pid,
            gateway.control_pid(),
        )
        assert [one["name"] for one in found["targets"]] == ["main", "second"]
        assert "test-secret" not in json.dumps(found)
        text = operate(gateway, "status").stdout
        assert f"generation 1, digest {found['digest'][:16]}, served by all workers" in text
        assert "target second (http://127.0.0.1:" in text
        assert "enabled; not checked" in text


def test_replicas_agree_on_the_digest_until_one_is_reloaded(two: dict[str, Any]) -> None:
    """And `check` says of a file what gateways that serve it will say."""
    with Gateway.start(two, workers=1) as first, Gateway.start(two, workers=1) as second:
        digest = status(first)["digest"]
        assert status(second)["digest"] == digest
        changed = {**two, "routing": {**two["routing"], "default_target": "second"}}
        assert first.reload(changed) == 2
        assert status(first)["digest"] != digest
        assert second.reload(changed) == 2
        assert status(second)["digest"] == status(first)["digest"]
        said = run("check", "-c", str(first.config_path), "--format", "json")
        assert json.loads(said.stdout)["digest"] == status(first)["digest"]


def test_a_refused_reload_keeps_the_digest(two: dict[str, Any]) -> None:
    with Gateway.start(two) as gateway:
        before = status(gateway)
        assert gateway.reload({**two, "routing": {"default_target": "nowhere"}}) is None
        after = status(gateway)
        assert (after["digest"], after["generation"]) == (before["digest"], 1)


def test_several_gateways_are_named(two: dict[str, Any]) -> None:
    with Gateway.start(two, workers=1) as first, Gateway.start(two, workers=1) as second:
        done = run("status")
        assert (done.returncode, done.stdout) == (1, "")
        assert "several gateways run here: " in done.stderr
        for gateway in (first, second):
            assert f"pid {gateway.supervisor_pid}" in done.stderr
        assert "(choose one with --pid)" in done.stderr


def test_a_supervisor_that_is_none(two: dict[str, Any]) -> None:
    with Gateway.start(two, workers=1) as gateway:
        done = run("status", "--pid", str(gateway.control_pid()))
        assert done.returncode == 1
        assert f"no gateway with the supervisor {gateway.control_pid()} answers" in done.stderr
        assert f"pid {gateway.supervisor_pid}" in done.stderr


def test_an_unknown_target_gets_a_suggestion(two: dict[str, Any]) -> None:
    with Gateway.start(two, workers=1) as gateway:
        done = operate(gateway, "disable", "secnd")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            "s3gateway: 'secnd' is no target that is in use (did you mean second?)\n"
        )


def test_a_disabled_target_stays_so_over_reloads_and_a_new_control(two: dict[str, Any]) -> None:
    with Gateway.start(two) as gateway:
        done = operate(gateway, "disable", "second")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (
            "target second is disabled, until s3gateway enable second or a restart\n"
        )
        gateway.wait_for_log(
            rf"warning: target second: is disabled by the operator \(uid {os.geteuid()}\) until"
        )
        assert "is already disabled" in operate(gateway, "disable", "second").stdout
        assert gateway.reload({**two, "routing": {**two["routing"], "environment": "x"}}) == 2
        assert target_of(gateway, "second")["disabled"]
        mark = len(gateway.log)
        os.kill(gateway.control_pid(), signal.SIGKILL)
        gateway.wait_for_log("generation 2 is served by", 20, after=mark)
        text = operate(gateway, "status").stdout
        assert "warning: target second is disabled by an operator" in text
        without = {**two, "targets": {"main": two["targets"]["main"]}}
        without["routing"] = {"default_target": "main"}
        assert gateway.reload(without) == 3
        assert "second is disabled, and in no use" in operate(gateway, "status").stdout
        assert operate(gateway, "enable", "second").stdout == "target second is enabled\n"
        gateway.wait_for_log("info: target second: is enabled again by the operator")
        assert [one["name"] for one in status(gateway)["targets"]] == ["main"]


def test_requests_for_a_disabled_target_are_refused_and_no_others(
    two: dict[str, Any], other: Target
) -> None:
    """Workers see it within half a second; from then on the target is sent nothing."""
    with Gateway.start(two) as gateway:

        def statuses() -> set[int]:
            """On connections to both workers, most probably."""
            return {gateway.request("GET", "/other/key").status for _ in range(8)}

        assert statuses() == {200}
        assert operate(gateway, "disable", "second").returncode == 0
        wait_until(lambda: statuses() == {503}, "the target is asked no more")
        seen = len(other.requests)
        assert gateway.request("GET", "/other/key").headers["retry-after"]
        assert len(other.requests) == seen
        assert gateway.request("GET", "/bucket/key").status == 200
        assert operate(gateway, "enable", "second").returncode == 0
        wait_until(lambda: statuses() == {200}, "the target is asked again")


def test_the_status_shows_open_breakers(two: dict[str, Any], other: Target) -> None:
    with Gateway.start(two, workers=1) as gateway:
        other.fault = Fault.REFUSE
        for _ in range(6):
            assert gateway.request("GET", "/other/key").status == 503
        (breaker,) = target_of(gateway, "second")["breakers"]
        assert breaker["worker"] == 0
        assert breaker["state"] in ("open", "half-open")
        assert abs(breaker["since"] - time.time()) < 60
        assert "breaker of worker 0 " in operate(gateway, "status").stdout


def test_disabling_the_last_target_is_done_and_told(config: dict[str, Any]) -> None:
    with Gateway.start(config, workers=1) as gateway:
        done = operate(gateway, "disable", "main")
        assert done.returncode == 0
        assert done.stderr == "warning: no target is enabled: every request is refused with 503\n"
        gateway.wait_for_log("no target is enabled now")


# The socket


def send(gateway: Gateway, data: bytes) -> bytes:
    """What control answers on a connection of its own."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(address(gateway.supervisor_pid))
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


@pytest.mark.parametrize(
    "data", [b"", b'{"command": "status"}', b"x" * 10000 + b"\n"], ids=["nothing", "half", "long"]
)
def test_what_is_no_line_gets_no_answer(config: dict[str, Any], data: bytes) -> None:
    with Gateway.start(config, workers=1) as gateway:
        assert send(gateway, data) == b""
        assert json.loads(send(gateway, b'{"command": "status"}\n'))["ok"]
        assert not json.loads(send(gateway, b"[" * 2000 + b"\n"))["ok"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be another user")
def test_another_user_gets_no_answer(config: dict[str, Any]) -> None:
    with Gateway.start(config, workers=1) as gateway:
        question = b'{"command": "disable", "target": "main"}\n'
        os.seteuid(65534)
        try:
            assert send(gateway, question) == b""
        finally:
            os.seteuid(0)
        assert not target_of(gateway, "main")["disabled"]
        assert json.loads(send(gateway, question))["changed"]


def test_connections_that_say_nothing_leave_room_only_for_so_long(config: dict[str, Any]) -> None:
    """More than may be open get no answer; once those have left, the next one does."""
    with Gateway.start(config, workers=1) as gateway, contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            silent = stack.enter_context(socket.socket(socket.AF_UNIX))
            silent.connect(address(gateway.supervisor_pid))
        assert send(gateway, b'{"command": "status"}\n') == b""
        stack.close()
        wait_until(lambda: send(gateway, b'{"command": "status"}\n'), "control answers again")


def test_an_address_that_is_taken_is_told_once_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operator_socket, "BIND_AGAIN_SECONDS", 0.01)
    name = address(os.getpid())
    tries: list[int] = []

    def counted(supervisor: int) -> bytes:
        tries.append(supervisor)
        return name

    monkeypatch.setattr(operator_socket, "address", counted)
    lines: list[str] = []
    notices = SimpleNamespace(warning=lines.append)

    async def fine(asked: Mapping[str, object], who: str) -> Mapping[str, object]:
        return {"ok": True}

    async def play() -> bytes:
        with socket.socket(socket.AF_UNIX) as holder:
            holder.bind(name)
            serving = operator_socket.OperatorSocket(
                os.getpid(),
                fine,
                notices,  # type: ignore[arg-type]
            )
            task = asyncio.ensure_future(serving.serve())
            while len(tries) < 5:  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.001)
        answer = b""
        while not answer:
            with contextlib.suppress(ConnectionRefusedError):
                reader, writer = await asyncio.open_unix_connection(name.decode())
                writer.write(b"{}\n")
                answer = await reader.read()
                writer.close()
            await asyncio.sleep(0.01)
        task.cancel()
        return answer

    assert json.loads(asyncio.run(play())) == {"ok": True}
    assert len(lines) == 1
    assert f"@s3gateway-control-{os.getpid()} cannot be opened: Address already in use" in lines[0]


# Reload and drain


def asked(gateway: Gateway, **request: object) -> dict[str, Any]:
    """What control answers to a request at its socket."""
    return answered(request, gateway.supervisor_pid, 30.0)


def moved(two: dict[str, Any]) -> dict[str, Any]:
    return {**two, "routing": {**two["routing"], "default_target": "second"}}


def test_a_reload_is_answered_when_every_worker_serves_it(two: dict[str, Any]) -> None:
    with Gateway.start(two) as gateway:
        gateway.write_config(moved(two))
        tried = asked(gateway, command="reload", dry_run=True)
        assert (tried["ok"], bool(tried["moves"]), tried["needs_restart"]) == (True, True, [])
        assert status(gateway)["generation"] == 1  # nothing has changed by that
        found = asked(gateway, command="reload")
        assert (found["ok"], found["generation"], found["acknowledged"]) == (True, 2, [0, 1])
        now = status(gateway)
        assert (now["digest"], now["generation"], now["rolled_out"]) == (found["digest"], 2, True)
        again = asked(gateway, command="reload")  # of the same file: nothing is new
        assert (again["ok"], again["generation"], again["acknowledged"]) == (True, 2, [0, 1])
        assert gateway.log_contains(r"reload: asked for by the operator \(uid \d+\)")


def test_a_reload_that_is_refused_says_where_the_problems_are(two: dict[str, Any]) -> None:
    with Gateway.start(two, workers=1) as gateway:
        gateway.write_config("routing: {default_target: nowhere}\nrouter: {workers: 3}\n")
        for dry_run in (True, False):
            found = asked(gateway, command="reload", dry_run=dry_run)
            assert found["ok"] is False
            assert f"{gateway.config_path}:1:" in "".join(found["problems"])
        assert status(gateway)["generation"] == 1
        gateway.write_config({**two, "router": {**two.get("router", {}), "workers": 3}})
        assert asked(gateway, command="reload")["ok"] is True


def test_reloads_at_once_and_the_death_of_a_worker_leave_nobody_waiting(
    two: dict[str, Any],
) -> None:
    with Gateway.start(two) as gateway, ThreadPoolExecutor(8) as pool:
        gateway.write_config(moved(two))
        waiting = [pool.submit(asked, gateway, command="reload") for _ in range(8)]
        gateway.kill_worker(1)
        found = [one.result() for one in waiting]
        assert {(one["ok"], one["generation"]) for one in found} == {(True, 2)}


def test_an_operator_drains(two: dict[str, Any]) -> None:
    with Gateway.start(two, workers=1) as gateway:
        assert asked(gateway, command="drain") == {"ok": True, "draining": True}
        assert gateway.wait() == 0
        assert gateway.log_contains(r"drain: asked for by the operator \(uid \d+\)")


# Health


def test_health_follows_the_target_with_hysteresis(config: dict[str, Any], other: Target) -> None:
    health = {
        "interval_seconds": 0.1,
        "timeout_seconds": 2,
        "rise": 2,
        "fall": 3,
        "path": "/other/key",
    }
    with Gateway.start(_with_other(config, other, health=health), workers=1) as gateway:
        gateway.wait_for_log("info: target second: is healthy$")
        found = target_of(gateway, "second")["health"]
        assert (found["state"], found["fault"]) == ("healthy", "")
        assert target_of(gateway, "main")["health"] is None
        kept = other.objects.pop("/other/key")
        gateway.wait_for_log(
            "warning: target second: is unhealthy after 3 failed checks: "
            "GET /other/key is answered 404, not 2xx"
        )
        assert target_of(gateway, "second")["health"]["state"] == "unhealthy"
        other.objects["/other/key"] = kept
        gateway.wait_for_log("info: target second: is healthy again after 2 good checks")
