"""The contract of response filters: what each may do with a response on its way to the client.

    head(head) -> None               pass the response on as it is
               -> HeadChange         change its head, keep its body
               -> BodyRewriter       change its body
               -> Buffer             keep it back; `whole(body)` is asked once it is here
               -> Question           keep it back and ask the target; `reply(reply)` is asked then
               -> Removal            keep it back and remove what would hide the new object, where
                                     reads look before; `reply(reply)` is asked then
               -> SendAgain          drop it and send the request again
               -> OwnAnswer          drop it and send this instead
               raise S3Error         drop it and send this error instead

`whole` and `reply` decide in the same way. Filters compose: what one passes on is the response that
the next one sees (`upstream.filter_chain` runs them).

Rules: a filter serves one response; nothing of the response reaches the client before a filter
has passed it on; the base class changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fastpath.response.own_answer import OwnAnswer

if TYPE_CHECKING:
    from fastpath.http.head import ResponseHead

# Bytes of a response that is buffered while the target is asked; one of lakeFS has less than 1 KiB.
MAX_ASKED_BYTES = 65536


class HeadChange(NamedTuple):
    """Changes to the head of a response whose body stays as it is.

    status: instead of the target's, if not None.
    drop: names of headers to drop, in lower case.
    add: header lines.
    """

    status: int | None = None
    drop: Sequence[bytes] = ()
    add: Sequence[tuple[bytes, bytes]] = ()


class BodyRewriter(Protocol):
    """Rewrites the body of one response, an XML document."""

    status: int | None  # instead of the target's; final once a byte was returned

    def feed(self, data: bytes) -> bytes:
        """Return what may be sent after `data`. Raises S3Error."""

    def finish(self) -> bytes:
        """Return the rest. Raises S3Error."""


class Buffer(NamedTuple):
    """Buffer the response, up to `most` bytes of its body."""

    most: int


class Question(NamedTuple):
    """A request that the gateway makes to find out what another one, or its response, means."""

    path: bytes
    query: bytes
    method: bytes = b"GET"


class Removal(NamedTuple):
    """The removal of a key from the places of its chain that are read before this one."""


class Reply(NamedTuple):
    """The target's response to a question."""

    status: int
    body: bytes
    fields: Mapping[bytes, bytes]


class Reason(Enum):
    """Why a request goes up again after a response."""

    REGION = 0  # its bucket is in another region
    CREDENTIALS = 1  # once other credentials are here
    TRANSLATION = 2  # it was translated in another way
    COPY = 3  # the target has no such copy: the gateway reads and writes


class SendAgain(NamedTuple):
    """Send the request again, if no byte of its body is gone."""

    reason: Reason


Step = HeadChange | BodyRewriter | Buffer | Question | Removal | SendAgain | OwnAnswer | None


class ResponseFilter:
    """Decides about one response."""

    def head(self, head: ResponseHead) -> Step:
        """Decide by the head. Raises S3Error."""
        return None

    def whole(self, body: bytes, *, complete: bool) -> Step:
        """Decide by the buffered body; not `complete`: it has more bytes than asked for."""
        return None

    def reply(self, reply: Reply | None) -> Step:
        """Decide by the reply to a question; None: there is none that can be used."""
        return None
