"""The chapter `idle`: what connections cost that are open and say nothing.

Rules: each has said one request before; all are open at once, held by the measuring process, so
that they and the gateway's own end have their descriptors apart; as many as `CONNECTIONS`, or as
the machine's limit of descriptors allows, and the section says how many; memory is the difference
to the same worker without them; none is closed meanwhile, which is looked at.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtest.bench import cgroups, machine, probing, sending
from loadtest.bench.alone import Alone, Settings
from loadtest.bench.certificates import Certificates
from loadtest.bench.chapters import Chapter, Section
from loadtest.bench.probing import Delays
from loadtest.bench.store import Store
from loadtest.bench.workloads import WORKLOADS, furnish

CONNECTIONS = 5000
_SPARE = 500  # descriptors for everything else
_SECONDS = 5.0
_HEALTH = b"GET /-/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
_SMALL = next(one for one in WORKLOADS if one.name == "GET 1 KiB")


@dataclass(frozen=True, slots=True)
class State:
    """A worker at one moment; bytes, of which `charged` and `sockets` only with a cgroup."""

    private: int
    charged: int | None
    cpu: float  # CPU seconds per second, of all processes
    delays: Delays


def measure() -> Section:
    """Plain and TLS: about a minute."""
    count = min(CONNECTIONS, _descriptors() - _SPARE)
    return {
        "connections": count,
        "ways": [_one_way(count, secure=False), _one_way(count, secure=True)],
    }


def _descriptors() -> int:
    """How many this process and those it starts may have from now on."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def _one_way(count: int, *, secure: bool) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="s3gateway-bench-") as name:
        directory = Path(name)
        certificates = Certificates(directory)
        settings = Settings(limits={"idle_seconds": 600}, certificates=certificates)
        with (
            Store(certificates) as store,
            Alone(store.port, directory, settings) as gateway,
            cgroups.own(gateway.pid, gateway.workers) as group,
        ):
            furnish(store)
            machine.wait_for(lambda: machine.answers(gateway.port), "the worker to listen")
            authority = certificates.authority if secure else None
            with _held(gateway, 20, authority):  # what is made once
                request = sending.whole(_SMALL, gateway.port, directory)
                with contextlib.closing(sending.connect(gateway.port)) as busy:
                    before = _state(gateway, group, busy, request)
                    with _held(gateway, count, authority) as held:
                        after = _state(gateway, group, busy, request)
                        for connection in held:
                            sending.ask(connection, _HEALTH)  # each is still there
    return _section("TLS" if secure else "plain", count, before, after)


def _section(name: str, count: int, before: State, after: State) -> dict[str, object]:
    charged = None
    if before.charged is not None and after.charged is not None:
        charged = (after.charged - before.charged) / count
    return {
        "way": name,
        "private": (after.private - before.private) / count,
        "charged": charged,
        "cpu before": before.cpu,
        "cpu": after.cpu,
        "without": asdict(before.delays),
        "with": asdict(after.delays),
    }


@contextlib.contextmanager
def _held(gateway: Alone, count: int, authority: Path | None) -> Iterator[list[socket.socket]]:
    """So many connections, each of which has been answered once."""
    with contextlib.ExitStack() as stack:
        held: list[socket.socket] = []
        for _ in range(count):
            port = gateway.port if authority is None else gateway.tls_port
            connection = sending.connect(port)
            if authority is not None:
                connection = sending.secured(connection, authority)
            held.append(stack.enter_context(contextlib.closing(connection)))
            sending.ask(connection, _HEALTH)
        yield held


def _state(
    gateway: Alone, group: cgroups.Group | None, busy: socket.socket, request: bytes
) -> State:
    (worker,) = gateway.workers()
    begun, cpu = time.monotonic(), gateway.cpu_seconds()
    time.sleep(_SECONDS)
    spent = (gateway.cpu_seconds() - cpu) / (time.monotonic() - begun)
    private = cgroups.pages(worker).private
    charged = None if group is None else group.charge().memory
    return State(private, charged, spent, probing.probe(busy, request, _SECONDS))


def table(section: Section) -> str:
    """Markdown."""
    rows = [
        f"| {section['connections']:,} idle connections | charged each | private each "
        "| CPU, without them | GET 1 KiB beside them, p50 / p99 / longest | without |",
        "|---|---|---|---|---|---|",
    ]
    for way in section["ways"]:
        charged = "not measured" if way["charged"] is None else f"{way['charged'] / 1024:.1f} KiB"
        rows.append(
            f"| {way['way']} | {charged} | {way['private'] / 1024:.1f} KiB "
            f"| {100 * way['cpu']:.2f} %, {100 * way['cpu before']:.2f} % "
            f"| {_delays(way['with'])} | {_delays(way['without'])} |"
        )
    return "\n".join(rows)


def _delays(delays: Section) -> str:
    return f"{delays['p50']:.2f} / {delays['p99']:.2f} / {delays['longest']:.1f} ms"


CHAPTER = Chapter("idle", measure, table, ("nginx",))
