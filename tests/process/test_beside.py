"""A gateway replaces another at the same address: both serve for a while, then one drains."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from tests.process.harness import Gateway, ask, run_to_end, wait_until
from tests.process.load import Load


def address(gateway: Gateway) -> str:
    host, port = gateway.address
    return f"{host}:{port}"


def beside(old: Gateway, config: Mapping[str, object], **flags: object) -> Gateway:
    """A second gateway at the address of the first."""
    return Gateway.start(config, listen=[address(old)], beside=True, **flags)


@pytest.mark.parametrize("keep_alive", [True, False])
def test_no_request_is_lost_when_a_gateway_replaces_another(
    config: dict[str, object], keep_alive: bool
) -> None:
    with (
        Gateway.start(config) as old,
        Load(old, "/bucket/key", clients=6, keep_alive=keep_alive) as load,
    ):
        load.wait_for(100)
        with beside(old, config) as new:
            new.wait_for_log("another gateway serves there too, until it is drained")
            load.wait_for(200)  # both serve
            assert old.stop() == 0
            load.wait_for(200)
            load.stop()
            # A client sends again what it sent on a kept connection that was closed meanwhile.
            lost = [outcome for outcome in load.failed() if not outcome.reused]
            assert lost == []
            assert new.stop() == 0
    assert old.log_contains("stopped: clean")
    assert new.log_contains("stopped: clean")


def test_while_one_drains_the_other_has_all_new_connections(config: dict[str, object]) -> None:
    with Gateway.start(config) as old, beside(old, config):
        # They would close their sockets; as long as they do not, the hash gives them connections.
        stopped = [old.kill_worker(index, signal.SIGSTOP) for index in (0, 1)]
        old.signal(signal.SIGTERM)
        old.wait_for_log("draining")
        for _ in range(40):
            with contextlib.closing(old.connect(0.9)) as connection:  # a second, if it was dropped
                assert ask(connection, "GET", "/bucket/key").status == 200
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        assert old.wait() == 0


def test_the_new_one_may_be_the_one_that_leaves(config: dict[str, object]) -> None:
    with Gateway.start(config) as old:
        with beside(old, config) as new:
            assert new.stop() == 0
        assert {old.request("GET", "/bucket/key").status for _ in range(10)} == {200}


def test_without_being_told_to_share_it_does_not_start(config: dict[str, object]) -> None:
    with Gateway.start(config) as old:
        status, said = run_to_end(config, listen=[address(old)])
        assert status == 3
        assert "Address already in use (if by a gateway that this one replaces: --beside)" in said


# Its import waits for the test, so that the start goes on; not when control tries it.
ROUTER = """
import sys

if "serve" in sys.argv:
    open({!r}).read()

class Router:
    def __init__(self, config):
        pass

    def route_request(self, bucket_name, operation, metadata):
        return "main"
"""


def test_one_that_does_not_start_takes_no_connection(
    config: dict[str, object], tmp_path: Path
) -> None:
    os.mkfifo(gate := tmp_path / "gate")
    (tmp_path / "slow_router.py").write_text(ROUTER.format(str(gate)))
    custom = {"custom": "slow_router:Router", "custom_path": str(tmp_path)}
    routing = {**cast("dict[str, object]", config["routing"]), **custom}
    pidfile = tmp_path / "pid"
    flags = {"pidfile": str(pidfile)}
    with Gateway.start(config, **flags) as old:
        slow = {**config, "routing": routing}
        new = Gateway(slow, listen=[address(old)], beside=True, **flags)
        with new, gate.open("w"):  # it is being imported: all else has begun
            wait_until(lambda: len(new.worker_pids()) == 2, "its workers")
            kept = [old.connect() for _ in range(40)]
            for connection in kept:
                connection.connect()
            new.kill_worker(0)
            assert new.wait() == 3
        for connection in kept:
            assert ask(connection, "GET", "/bucket/key").status == 200
            connection.close()
        assert int(pidfile.read_text()) == old.supervisor_pid


def test_it_shares_with_no_other_program(config: dict[str, object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        status, said = run_to_end(
            config, listen=[f"127.0.0.1:{other.getsockname()[1]}"], beside=True
        )
    assert status == 3
    assert "by what is no gateway, or one of another user" in said


def test_the_admin_plane_changes_over_when_the_old_one_has_ended(
    config: dict[str, object],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        admin = f"127.0.0.1:{chosen.getsockname()[1]}"
    with Gateway.start(config, admin=admin) as old:
        old.wait_for_log(f"admin plane on http://{admin}")
        with beside(old, config, admin=admin) as new:
            new.wait_for_log("the admin plane waits for the gateway beside: cannot listen on")
            assert not new.log_contains("admin plane on")
            assert old.stop() == 0
            new.wait_for_log(f"admin plane on http://{admin}")


def test_a_control_that_is_replaced_waits_on(config: dict[str, object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        admin = f"127.0.0.1:{chosen.getsockname()[1]}"
    with Gateway.start(config, admin=admin) as old, beside(old, config, admin=admin) as new:
        new.wait_for_log("the admin plane waits")
        mark = len(new.log)
        os.kill(new.control_pid(), signal.SIGKILL)
        new.wait_for_log("the admin plane waits", after=mark)
        assert old.stop() == 0
        new.wait_for_log(f"admin plane on http://{admin}")


def test_the_pid_file_is_that_of_the_new_one(config: dict[str, object]) -> None:
    with Gateway.start(config) as old, Gateway.start(config) as outer:
        file = outer.directory / "pid"
        with beside(old, config, pidfile=str(file)) as new:
            assert int(file.read_text()) == new.supervisor_pid
        assert not file.exists()


def test_both_write_to_one_access_log(config: dict[str, object]) -> None:
    with Gateway.start(config) as holder:
        path = holder.directory / "access.log"
        holder.expected_files.add("access.log")
        log = {"access_log": str(path), "log_format": "json"}
        with (
            Gateway.start(config, **log) as old,
            Load(old, "/bucket/key", keep_alive=False) as load,
            beside(old, config, **log) as new,
        ):
            load.wait_for(100)
            assert old.stop() == 0
            load.wait_for(50)
            load.stop()
            assert new.stop() == 0
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        ids = [line["request_id"] for line in lines]
        answered = {one.request_id for one in load.outcomes if one.status}
        assert len(ids) == len(set(ids))
        assert set(ids) == answered


def test_an_init_system_hears_when_it_serves(config: dict[str, object]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as init:
        init.bind("")  # the kernel chooses an abstract address
        init.settimeout(10)
        name = "@" + init.getsockname()[1:].decode()
        with Gateway.start(config, environ={"NOTIFY_SOCKET": name}) as gateway:
            assert init.recv(100) == b"READY=1"
            assert gateway.request("GET", "/bucket/key").status == 200


def test_an_init_system_that_is_gone_stops_nothing(config: dict[str, object]) -> None:
    with Gateway.start(config, environ={"NOTIFY_SOCKET": "@nobody/listens/here"}) as gateway:
        gateway.wait_for_log("the init system was not told of the start")
        assert gateway.request("GET", "/bucket/key").status == 200
