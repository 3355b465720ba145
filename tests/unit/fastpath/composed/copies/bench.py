"""A copy between the two targets of a rig: a test plays the client, the source, the destination."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastpath.ipc.repair_lines import LeftUpload
from tests.doubles.http1 import Answer, ok, put, read_requests
from tests.doubles.wire import Peer, Rig
from tests.unit.fastpath.composed.bench import Bench

OBJECT = bytes(range(256)) * 8
ETAG = 'ETag: "e"'
COPY = put("/g-b/k", b"", "x-amz-copy-source: b-b/source")
MODIFIED = "Last-Modified: Mon, 30 Nov 2026 10:00:00 GMT"


def found(size: int = len(OBJECT), *lines: str, status: str = "200 OK") -> bytes:
    """An answer to a HEAD."""
    return ok(b"", *(lines or (ETAG, MODIFIED)), status=status).replace(
        b"Content-Length: 0", b"Content-Length: %d" % size
    )


def ranged(first: int, end: int, *lines: str, data: bytes = OBJECT) -> bytes:
    """An answer with a range of an object."""
    shown = f"Content-Range: bytes {first}-{end - 1}/{len(data)}"
    return ok(data[first:end], *(lines or (ETAG,)), shown, status="206 Partial Content")


def error(code: str, status: str, *elements: str) -> bytes:
    """An answer with an error document."""
    return ok(f"<Error><Code>{code}</Code>{''.join(elements)}</Error>".encode(), status=status)


class Heard(NamedTuple):
    """A request as a target has heard it, perhaps with only the first bytes of its body."""

    line: str
    fields: dict[str, str]
    body: bytes


class Side:
    """One of the two targets, on all of its connections."""

    def __init__(self, rig: Rig, name: str) -> None:
        self._rig = rig
        self._host = f"{name}.test"
        self._peer: Peer | None = None  # that was heard last

    @property
    def peers(self) -> list[Peer]:
        hosts = [host for host, _ in self._rig.loop.connects]
        return [
            peer for host, peer in zip(hosts, self._rig.targets, strict=False) if host == self._host
        ]

    @property
    def peer(self) -> Peer:
        """The connection on which something was heard last."""
        assert self._peer is not None
        return self._peer

    def hears(self, line: str) -> Heard:
        """The only request that was not heard before; it begins so."""
        (self._peer,) = (peer for peer in self.peers if peer.heard)
        ((raw, body),) = read_requests(self._peer.take())
        first, *lines = raw.decode("latin-1").rstrip().split("\r\n")
        assert first.startswith(line), first
        fields = [one.partition(": ") for one in lines]
        return Heard(first, {name: value for name, _, value in fields}, body)

    @property
    def is_silent(self) -> bool:
        """Whether nothing was heard that a test has not looked at."""
        return not any(peer.heard for peer in self.peers)

    def says(self, *pieces: bytes) -> None:
        self.peer.says(*pieces)


class Copying(Bench):
    """A client, and both targets; repair lines are kept in `left`, `over` and `given_up`."""

    def __init__(
        self, request: bytes | None = COPY, *, source: str = "first", **options: Any
    ) -> None:
        super().__init__(**options)
        self.source = Side(self.rig, source)
        self.destination = Side(self.rig, "generic" if source == "first" else "first")
        self.left: list[LeftUpload] = []
        self.over: list[LeftUpload] = []
        self.can_write_repair_lines = True
        self.rig.log.repair = self._repair  # type: ignore[method-assign]  # what is written is control's
        self.rig.log.repaired = self.over.append  # type: ignore[method-assign]
        self.given_up: list[LeftUpload] = []
        self.rig.log.left = self.given_up.append  # type: ignore[method-assign]
        if request is not None:
            self.client.says(request)

    def _repair(self, left: LeftUpload) -> bool:
        if self.can_write_repair_lines:
            self.left.append(left)
        return self.can_write_repair_lines

    def finds(self, size: int = len(OBJECT), *lines: str) -> Heard:
        """The source shows the object."""
        heard = self.source.hears("HEAD ")
        self.source.says(found(size, *lines))
        return heard

    def reads(self, *lines: str, data: bytes = OBJECT) -> Heard:
        """The source gives the whole object."""
        heard = self.source.hears("GET ")
        self.source.says(ok(data, *(lines or (ETAG,))))
        return heard

    def stores(self, line: str = "PUT ", *lines: str) -> Heard:
        """The destination has taken everything, and says so."""
        heard = self.destination.hears(line)
        self.destination.says(ok(b"", *(lines or ('ETag: "n"',))))
        return heard

    def shows(self, etag: str = '"n"') -> Heard:
        """The destination shows the new object."""
        heard = self.destination.hears("HEAD ")
        self.destination.says(found(len(OBJECT), f"ETag: {etag}", MODIFIED))
        return heard

    def ended(self) -> Answer:
        """The answer; nothing is left that runs, and no defect was seen."""
        answer = self.answer(b"PUT")
        assert answer.whole
        assert self.is_at_rest
        assert self.rig.defects == []
        assert (answer.status, answer.code) == self.line()
        return answer

    def refused(self) -> tuple[int, str]:
        """Status and code of a copy of which the destination heard nothing more."""
        assert self.destination.is_silent
        answer = self.ended()
        return answer.status, answer.code
