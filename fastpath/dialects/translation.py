"""What a dialect changes of one request, and of its answer: the contract of the translating layer.

    admission  translate(asked) -> Translation      may refuse, and then nothing reaches the target
    forward    query, drop, add                     the request's head as the target gets it
    exchange   first -> learn(reply)                what must be known before the request goes up
               made                                 an answer without asking the target
               answer(head) -> None                 as it came
                            -> Amendment            another head, the same body
                            -> Rendering            another body
                            -> AGAIN                ask again: the translation has changed itself
               question(status) -> conclude(reply)  what must be known before the answer goes down

Rules: pure; a translation serves one request; as it is, it changes nothing; whatever may raise
S3Error replaces the answer with that error, as long as nothing of the answer was sent.

Not here: what is changed for which target (the dialects), doing it (`interpreter`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from fastpath.errors import S3Error
from fastpath.http.head import ResponseHead
from fastpath.payload.checks import Check
from fastpath.payload.delete_batch import DeleteBatch
from fastpath.response.own import Answer as OwnAnswer

Fields = Sequence[tuple[bytes, bytes]]

# Bytes of an unwanted answer that are read away; more, and a new connection is cheaper.
MAX_AWAY = 65536


class Asked(NamedTuple):
    """An admitted request; `path` is raw and in path style, `key` and the query are decoded.

    `fields` are its headers by name, repeated ones joined with a comma; `headers` are the lines;
    `region` is the target's; `sent` is the raw path as the client sent it; `drops`: what the target
    would forget is dropped rather than refused.
    """

    operation: str
    bucket: bytes
    key: bytes
    path: bytes
    query: Fields
    fields: Mapping[bytes, bytes]
    headers: Fields = ()
    region: bytes = b""
    sent: bytes = b""
    drops: bool = False


class Question(NamedTuple):
    """A request of the gateway's own that tells what another one, or its answer, means."""

    path: bytes
    query: bytes
    method: bytes = b"GET"


class Reply(NamedTuple):
    """What the target said to a question."""

    status: int
    body: bytes
    fields: Mapping[bytes, bytes]


class Amendment(NamedTuple):
    """Changes to the head of an answer whose body stays as it is.

    status: instead of the target's, if not None. drop: names of its header lines that go, in lower
    case. add: header lines.
    """

    status: int | None = None
    drop: Sequence[bytes] = ()
    add: Fields = ()


class Rendering(Protocol):
    """One answer's body on its way down, rewritten; a document of XML."""

    status: int | None  # instead of the target's; final once the first byte is out

    def feed(self, data: bytes) -> bytes:
        """What may go down now that `data` came. Raises S3Error."""

    def finish(self) -> bytes:
        """What is left. Raises S3Error."""


class Instead:
    """A Rendering: reads the answer away, if it is short, and says an error instead."""

    __slots__ = ("_error", "_size", "status")

    def __init__(self, error: S3Error) -> None:
        self.status: int | None = None
        self._error = error
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """Nothing. Raises the error when too much came."""
        self._size += len(data)
        if self._size > MAX_AWAY:
            raise self._error
        return b""

    def finish(self) -> bytes:
        """Raises the error."""
        raise self._error


class _Again(Enum):
    AGAIN = 0


AGAIN: Final = _Again.AGAIN
Answer = Rendering | Amendment | _Again | None


class Translation:
    """One request as its target gets it.

    query: goes up instead of the client's, if not None.
    drop: names of the client's header lines that do not go up, in lower case.
    add: header lines that go up besides.
    dropped: names of those that the target would forget, for the operator to know.
    check: what its body must agree with besides.
    batch: what takes keys out of its body; those are in the answer then.
    first: what is asked before it goes up.
    made: the answer to a request that never goes up, once its body is read and agrees with `check`.
    secure: the client speaks TLS; known once the request is on its way.
    """

    query: bytes | None = None
    drop: tuple[bytes, ...] = ()
    add: Fields = ()
    dropped: tuple[bytes, ...] = ()
    check: Check | None = None
    batch: DeleteBatch | None = None
    first: Question | None = None
    made: OwnAnswer | None = None
    secure: bool = False

    def learn(self, reply: Reply) -> None:
        """Take in the reply to `first`. Raises S3Error: the request does not go up."""

    def answer(self, head: ResponseHead) -> Answer:
        """How the answer is rewritten; None: not at all. Raises S3Error."""
        return None

    def question(self, status: int) -> Question | None:
        """What must be asked before an answer of this status may go down."""
        return None

    def conclude(self, reply: Reply) -> S3Error | Question | None:
        """What the reply says of the answer in question; None: `answer` decides."""
        return None
