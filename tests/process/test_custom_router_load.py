"""A router process that is killed, stopped or leaks under load: who does not need it sees no error.

The load is of reads, which `custom_reads` sends somewhere without a question; each write asks.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.doubles.target import Target
from tests.process.harness import Gateway, open_config, wait_until
from tests.process.load import Load

pytestmark = pytest.mark.slow

ROUTER = """
class Router:
    def __init__(self, config):
        self.kept = []

    def route_request(self, bucket_name, operation, metadata):
        while metadata["key"] == "leak":
            self.kept.append(bytes(1 << 20))
        while metadata["key"] == "loop":
            pass
        return "main"
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    (tmp_path / "busy_router.py").write_text(ROUTER)
    with Target("store") as store:
        store.objects["/bucket/key"] = b"x" * 1000
        config = open_config(store.url)
        config["routing"] = {
            "default_target": "main",
            "custom": "busy_router:Router",
            "custom_path": str(tmp_path),
            "custom_reads": ["main"],
            "custom_timeout_ms": 1000,  # the machine is busy
            "custom_memory_mb": 128,
        }
        environ = {"S3GATEWAY_HEARTBEAT_SECONDS": "2"}
        with Gateway.start(config, 2, environ=environ) as running:
            yield running


def killed(gateway: Gateway) -> None:
    os.kill(gateway.router_pid(), signal.SIGKILL)


def stopped(gateway: Gateway) -> None:
    os.kill(gateway.router_pid(), signal.SIGSTOP)


def leaking(gateway: Gateway) -> None:
    assert gateway.request("PUT", "/bucket/leak", b"body").status == 503


def looping(gateway: Gateway) -> None:
    assert gateway.request("PUT", "/bucket/loop", b"body").status == 503


@pytest.mark.parametrize("harm", [killed, stopped, leaking, looping])
def test_who_does_not_need_the_router_sees_no_error(
    gateway: Gateway, harm: Callable[[Gateway], None]
) -> None:
    assert gateway.request("PUT", "/bucket/new", b"body").status == 200
    first = gateway.router_pid()
    with Load(gateway, "/bucket/key") as load:
        load.wait_for(100)
        harm(gateway)
        load.wait_for(100)
        wait_until(lambda: gateway.router_pid() not in (0, first), "the router is replaced", 30)
        wait_until(
            lambda: gateway.request("PUT", "/bucket/new", b"body").status == 200,
            "writes are routed again",
            30,
        )
        load.wait_for(100)
    assert {(one.status, one.error) for one in load.outcomes} == {(200, "")}
