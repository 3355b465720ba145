"""What a dialect changes of one request, and of its answer.

Rules: pure; a translation serves one request; as it is, it changes nothing.

Not here: what is changed for which target (the dialects), doing it (`exchange`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from fastpath.errors import S3Error
from fastpath.head import ResponseHead
from fastpath.payload.checks import Check


class Asked(NamedTuple):
    """An admitted request. `path` is raw, `key` and the query are decoded."""

    operation: str
    bucket: bytes
    key: bytes
    path: bytes
    query: Sequence[tuple[bytes, bytes]]
    fields: Mapping[bytes, bytes]


class Question(NamedTuple):
    """A GET that tells what an answer means."""

    path: bytes
    query: bytes


class Rendering(Protocol):
    """One answer's body on its way down; a document of XML."""

    status: int | None  # instead of the target's; final once the first byte is out

    def feed(self, data: bytes) -> bytes:
        """What may go down now that `data` came. Raises S3Error."""

    def finish(self) -> bytes:
        """What is left. Raises S3Error."""


class Translation:
    """One request as its target gets it.

    query: goes up instead of the client's, if not None.
    check: what its body must agree with besides.
    """

    query: bytes | None = None
    check: Check | None = None

    def answer(self, head: ResponseHead) -> Rendering | None:
        """How the answer is rewritten; None: not at all. Raises S3Error to replace it."""
        return None

    def question(self, status: int) -> Question | None:
        """What must be asked before an answer of this status may go down."""
        return None

    def conclude(self, status: int, body: bytes) -> S3Error | Question | None:
        """What the reply says of the answer in question; None: it stands."""
        return None
