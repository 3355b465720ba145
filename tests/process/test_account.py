"""The account under faults in any order: nothing is counted twice, nothing is forgotten."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.doubles.scrape import Scrape
from tests.doubles.target import Target
from tests.process.harness import Gateway, wait_until
from tests.process.test_full_outputs import ACCOUNT

BROKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"


@contextmanager
def lying_target() -> Iterator[str]:
    """A store whose answers break off."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(BROKEN)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


class Story:
    """What one run of a gateway went through."""

    def __init__(self, gateway: Gateway, target: Target, dice: random.Random) -> None:
        self.gateway = gateway
        self.target = target
        self.dice = dice
        self.answered: set[str] = set()  # ids of requests whose answer came whole
        self.sent = 0
        self.workers_killed = self.controls_killed = 0

    def ask(self, path: str, body: bytes | None = None) -> None:
        self.sent += 1
        try:
            answer = self.gateway.request("PUT" if body else "GET", path, body)
        except (OSError, http.client.HTTPException):
            return
        self.answered.add(answer.headers["x-amz-request-id"])

    def requests(self) -> None:
        for _ in range(self.dice.randint(1, 8)):
            path = self.dice.choice(["/bucket/key", "/bucket/none", "/x", "/dead-b/k", "/liar-b/k"])
            self.ask(path)
        self.ask("/bucket/new", b"x" * self.dice.randint(1, 200_000))

    def garbage(self) -> None:
        for _ in range(5):
            self.raw(b"no request at all\r\n\r\n")

    def client_leaves(self) -> None:
        self.raw(
            b"PUT /bucket/cut HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\nhalf", wait=False
        )

    def pipelined(self) -> None:
        self.raw(b"GET /bucket/key HTTP/1.1\r\nHost: h\r\n\r\n" * 20, wait=False)

    def health(self) -> None:
        """Is no request."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.gateway.request("GET", "/-/healthz")

    def raw(self, data: bytes, *, wait: bool = True) -> None:
        self.sent += 20
        with contextlib.suppress(OSError), socket.create_connection(self.gateway.address, 5) as one:
            one.sendall(data)
            if wait:
                one.settimeout(5)
                one.recv(65536)

    def kill_worker(self) -> None:
        pids = self.gateway.worker_pids()
        if len(pids) == 2:
            self.workers_killed += 1
            number = self.dice.choice([signal.SIGKILL, signal.SIGSEGV])
            pid = self.gateway.kill_worker(self.dice.randint(0, 1), number)
            self.gateway.wait_for_log(rf"\(pid {pid}\) killed by")

    def kill_worker_in_flight(self) -> None:
        with self.in_flight():
            self.kill_worker()

    def drain_worker(self) -> None:
        if len(self.gateway.worker_pids()) == 2:
            pid = self.gateway.kill_worker(self.dice.randint(0, 1), signal.SIGTERM)
            self.gateway.wait_for_log(rf"\(pid {pid}\) (exited|killed)")  # before it was ready

    def kill_control(self) -> None:
        if pid := self.gateway.control_pid():
            self.controls_killed += 1
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.gateway.wait_for_log(rf"control \(pid {pid}\) killed by")

    def reload(self) -> None:
        self.gateway.signal(signal.SIGHUP)

    def rotate(self) -> None:
        self.gateway.signal(signal.SIGUSR1)

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Requests that wait for the target."""
        threads = [threading.Thread(target=self.ask, args=("/bucket/key",)) for _ in range(4)]
        with self.target.holding():
            for thread in threads:
                thread.start()
            self.target.wait_for_held(4)
            yield
        for thread in threads:
            thread.join(30)

    def steps(self) -> list[Callable[[], None]]:
        plain = [self.requests, self.garbage, self.client_leaves, self.pipelined, self.health]
        faults = [
            self.kill_worker,
            self.kill_worker_in_flight,
            self.drain_worker,
            self.kill_control,
        ]
        return [*plain, *plain, *faults, self.kill_control, self.reload, self.rotate]


def _config(config: dict[str, Any], liar: str) -> dict[str, Any]:
    keys = {"access_key_id": "TESTACCESSKEY", "secret_access_key": "test-secret"}
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        dead = f"http://127.0.0.1:{chosen.getsockname()[1]}"
    more = {
        name: {"profile": "generic", "endpoint": url, **keys}
        for name, url in (("dead", dead), ("liar", liar))
    }
    rules = [{"pattern": f"{name}-*", "target": name} for name in more]
    return {
        **config,
        "targets": {**config["targets"], **more},
        "routing": {**config["routing"], "rules": rules},
    }


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", range(8))
def test_every_request_is_accounted_for(
    config: dict[str, object], target: Target, seed: int
) -> None:
    """A7: requests started = finished + cut + lost; lines = finished + cut - those lost."""
    dice = random.Random(seed)
    ending = dice.choice([signal.SIGTERM, signal.SIGQUIT])
    with (
        lying_target() as liar,
        Gateway.start(
            _config(config, liar),
            access_log="access.log",
            log_format="json",
            drain_seconds=1,
            admin="127.0.0.1:0",
        ) as gateway,
    ):
        gateway.expected_files.add("access.log")
        story = Story(gateway, target, dice)
        for _ in range(15):
            dice.choice(story.steps())()
        wait_until(lambda: len(gateway.worker_pids()) == 2, "both workers are there", 40)
        admin = gateway.wait_for_log(r"admin plane on (http://[0-9.:]+)")[1]
        before = _check_metrics(admin)
        if dice.random() < 0.7:
            with story.in_flight():
                gateway.signal(ending)
                gateway.wait(20)
        else:
            gateway.stop(ending)
        _check(story, before)


def _check_metrics(admin: str) -> Scrape:
    """The series account for every request that was started, once none runs."""

    def at_rest() -> Scrape | None:
        try:
            found = Scrape(admin)
        except OSError:  # control is being replaced
            return None
        told = found.sum("requests_total") == found.sum("identity_requests_total")
        return found if told and not found.sum("requests_in_flight") else None

    found = wait_until(at_rest, "no request runs", 40)
    assert found.accounted == found.sum("requests_started_total")
    return found


def _check(story: Story, before: Scrape) -> None:
    gateway = story.gateway
    account = gateway.wait_for_log(ACCOUNT, 1)
    started, finished, cut, lost, written, unwritten = map(int, account.groups())
    ids = [str(line["request_id"]) for line in gateway.access_lines("access.log")]
    codes = [line["code"] for line in gateway.access_lines("access.log")]
    assert started == finished + cut + lost
    assert started >= before.sum("requests_started_total")
    assert lost >= before.sum("requests_lost_total")
    assert finished + cut >= before.sum("requests_total")
    if started == before.sum("requests_started_total"):  # none was sent after the scrape
        assert finished + cut == before.sum("requests_total")
    assert started <= story.sent
    assert lost == 0 or story.workers_killed
    assert len(set(ids)) == len(ids)
    assert finished + cut == written + unwritten
    assert unwritten == 0 or story.workers_killed or story.controls_killed
    if story.controls_killed:
        assert len(ids) >= written
    else:
        assert len(ids) == written
    assert len(story.answered - set(ids)) <= unwritten + lost
    if not unwritten:
        assert codes.count("Cut") == cut
