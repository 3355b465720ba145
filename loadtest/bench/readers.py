"""The chapter `readers`: what memory one worker takes for many large bodies that go slowly.

Rules: as many bodies as `BODIES` at once, none of which ends meanwhile; whoever takes them takes a
little at a time and has small buffers, so that everything on the way is full; what is charged to a
cgroup of the worker alone counts, sampled and by the kernel's own mark; buffers of sockets are the
kernel's choice (tcp_rmem, tcp_wmem), and are told apart.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtest.bench import cgroups, machine, sending
from loadtest.bench.alone import Alone, Settings
from loadtest.bench.certificates import Certificates
from loadtest.bench.chapters import Chapter, Section
from loadtest.bench.store import Store
from loadtest.bench.workloads import MIB, WORKLOADS

BODIES = 64
_SECONDS = 6.0
_SIP, _PAUSE = 16384, 0.05  # bytes, and how long nothing is taken then: 320 KB/s each
_KERNEL_KEEPS = 65536  # for a reader
_NEVER = 1 << 30  # a body that no body is as long as
_BY_NAME = {one.name: one for one in WORKLOADS}


@dataclass(frozen=True, slots=True)
class Way:
    """One way of a body through the gateway."""

    name: str
    upload: bool = False
    copied: bool = False  # splicing is off
    secure: bool = False  # the client speaks TLS
    secure_store: bool = False  # and so does the store

    @property
    def in_goal(self) -> bool:
        """TLS on both sides is measured, and is not what the goal was set for."""
        return not (self.secure and self.secure_store)


WAYS = (
    Way("GET, spliced"),
    Way("GET, copied", copied=True),
    Way("GET, TLS client", secure=True),
    Way("GET, TLS store", secure_store=True),
    Way("GET, TLS client and store", secure=True, secure_store=True),
    Way("PUT, spliced", upload=True),
    Way("PUT, copied", upload=True, copied=True),
    Way("PUT, TLS client", upload=True, secure=True),
)


@dataclass(frozen=True, slots=True)
class Found:
    """MiB, the most that was seen; None where there is no cgroup, or sockets are not told apart."""

    idle: float | None  # charged before
    charged: float | None
    sockets: float | None
    private: float
    share: float

    @property
    def bound(self) -> float:
        """What is held against the goal."""
        return self.private if self.charged is None else self.charged


def measure() -> Section:
    """All ways, each with a gateway of its own: less than two minutes."""
    return {
        "bodies": BODIES,
        "seconds": _SECONDS,
        "ways": [_section(way, one_way(way, BODIES, _SECONDS)) for way in WAYS],
    }


def _section(way: Way, found: Found) -> dict[str, object]:
    return {"way": way.name, "in goal": way.in_goal, "bound": found.bound, **asdict(found)}


def one_way(way: Way, bodies: int, seconds: float) -> Found:
    """What `bodies` take on this way, looked at for so many seconds."""
    with tempfile.TemporaryDirectory(prefix="s3gateway-bench-") as name:
        directory = Path(name)
        certificates = Certificates(directory)
        if way.upload:
            with SlowStore() as slow:
                return through(way, slow.port, certificates, bodies, seconds)
        with Store(certificates) as store:
            store.put("64m", bytes(64 * MIB))
            port = store.tls_port if way.secure_store else store.port
            return through(way, port, certificates, bodies, seconds)


def through(way: Way, port: int, certificates: Certificates, bodies: int, seconds: float) -> Found:
    """The same with the store that listens on `port`."""
    settings = Settings(
        limits={"splice_bytes": _NEVER} if way.copied else {},
        certificates=certificates if way.secure else None,
        trusted=certificates if way.secure_store else None,
    )
    with (
        tempfile.TemporaryDirectory(prefix="s3gateway-bench-") as name,
        Alone(port, Path(name), settings) as gateway,
        cgroups.own(gateway.pid, gateway.workers) as group,
    ):
        machine.wait_for(lambda: machine.answers(gateway.port), "the worker to listen")
        clients = _uploading if way.upload else _downloading
        return _watch(gateway, group, clients(way, gateway, certificates, bodies), seconds)


def _watch(
    gateway: Alone,
    group: cgroups.Group | None,
    clients: contextlib.AbstractContextManager[None],
    seconds: float,
) -> Found:
    (worker,) = gateway.workers()
    idle = None if group is None else group.charge().memory
    charged, sockets, private, share = idle or 0, 0, 0, 0
    with clients:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            now = cgroups.pages(worker)
            private, share = max(private, now.private), max(share, now.share)
            if group is not None:
                charge = group.charge()
                charged = max(charged, charge.memory)
                sockets = max(sockets, charge.sockets or 0)
            time.sleep(0.1)
        if group is not None and group.apart:
            charged = max(charged, group.peak() or 0)
        if gateway.workers() != [worker]:
            raise RuntimeError("the worker did not live through this")
    return Found(
        idle=None if idle is None else idle / MIB,
        charged=None if group is None else charged / MIB,
        sockets=None if group is None else sockets / MIB,
        private=private / MIB,
        share=share / MIB,
    )


# --- clients ---


@contextlib.contextmanager
def _downloading(
    way: Way, gateway: Alone, certificates: Certificates, bodies: int
) -> Iterator[None]:
    """So many clients in the midst of a GET."""
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as place:
        sipping = stack.enter_context(Sipping())
        for _ in range(bodies):
            port = gateway.tls_port if way.secure else gateway.port
            client = sending.connect(port, _KERNEL_KEEPS)
            if way.secure:
                client = sending.secured(client, certificates.authority)
            client.sendall(sending.whole(_BY_NAME["GET 64 MiB"], port, Path(place)))
            sending.read_head(client)
            sipping.add(client)
        yield


@contextlib.contextmanager
def _uploading(way: Way, gateway: Alone, certificates: Certificates, bodies: int) -> Iterator[None]:
    """So many clients in the midst of a PUT; they send as fast as they are let."""
    threads, block = [], bytes(MIB)
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as place:
        port = gateway.tls_port if way.secure else gateway.port
        head = sending.head_of(_BY_NAME["PUT 64 MiB"], port, Path(place))
        for _ in range(bodies):
            client = sending.connect(port)
            if way.secure:
                client = sending.secured(client, certificates.authority)
            stack.callback(_end, client)
            client.sendall(head)
            thread = threading.Thread(target=_pour, args=(client, block), daemon=True)
            threads.append(thread)
            thread.start()
        yield
    for thread in threads:
        thread.join(10)


def _pour(client: socket.socket, block: bytes) -> None:
    with contextlib.suppress(OSError):
        for _ in range(64):
            client.sendall(block)


def _end(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
    client.close()


class Sipping:
    """A thread that takes a little from each of its sockets, again and again, and closes them."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def add(self, connection: socket.socket) -> None:
        """Take from this one, too."""
        connection.setblocking(False)
        self._sockets.append(connection)

    def __enter__(self) -> Sipping:
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._ended.set()
        self._thread.join()
        for connection in self._sockets:
            connection.close()

    def _run(self) -> None:
        while not self._ended.wait(_PAUSE):
            for connection in list(self._sockets):
                with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ConnectionError):
                    connection.recv(_SIP)


class SlowStore:
    """A store that takes uploads a little at a time, and never answers one."""

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_KEEPS)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(BODIES)
        self.port: int = self._listener.getsockname()[1]
        self._sipping = Sipping()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> SlowStore:
        self._sipping.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self._sipping.__exit__()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                connection, _ = self._listener.accept()
                self._sipping.add(connection)


# --- the page ---


def table(section: Section) -> str:
    """Markdown."""
    rows = [
        "| MiB at most | idle | charged to the worker's cgroup | private | buffers of sockets |",
        "|---|---|---|---|---|",
    ]
    for way in section["ways"]:
        cells = [_cell(way[key]) for key in ("idle", "charged", "private", "sockets")]
        rows.append(f"| {way['way']} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _cell(mebibytes: float | None) -> str:
    return "not measured" if mebibytes is None else f"{mebibytes:.1f}"


CHAPTER = Chapter("readers", measure, table, ("nginx",))
