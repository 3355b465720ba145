"""The reply of a composed operation to its client, for a coroutine to await.

    await reply.begin(200, lines, length); await reply.write(data); await reply.end()
    await reply.document(200, xml)          or: await reply.answer(own_answer)
    await reply.relay(call)                 what a call has found

Rules: an operation replies once. A reply ends when its operation has returned: what fails before
that is never a success. An error before the head is an ordinary error response; after the head it
breaks the connection off, unless the reply is a document that has begun with white space: then the
error is the document, and the status stays 200, as with S3 (API reference, CompleteMultipartUpload:
"a 200 OK response can contain either a success or an error"). White space begins after some
seconds only, so that what fails quickly keeps its status, and not before the request's body was
read, because a client that still sends may not listen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from fastpath.response.own_answer import OwnAnswer
from fastpath.s3.xml_writer import DECLARATION, without_declaration
from fastpath.upstream.call import Relay

if TYPE_CHECKING:
    from fastpath.composed.request_body import RequestBody
    from fastpath.http.head import RequestHead
    from fastpath.upstream.call import Call

# Most failures of a target are known by then. SDKs wait 50 s or longer for the next byte.
WHITE_SPACE_AFTER_SECONDS = 5.0
# Load balancers close a connection that is silent for 60 s by default, some for 10.
WHITE_SPACE_EVERY_SECONDS = 5.0

_XML = b"Content-Type: application/xml"
_SPACE = b" "


class RepliedExchange(Relay, Protocol):
    """The exchange whose client gets the reply."""

    head: RequestHead

    @property
    def is_ended(self) -> bool:
        """Whether the exchange is over, so that its client gets nothing more."""

    def answer_instead(self, answer: OwnAnswer) -> None:
        """End with this answer."""

    def begin_reply(
        self, status: int, lines: Sequence[bytes], length: int | None, *, more: bool
    ) -> None:
        """Send the head of a reply; `more`: bytes of its body come next."""

    def pass_bytes(self, data: bytes) -> None:
        """Send a piece of the body."""

    def pass_end(self) -> None:
        """End the reply, and the exchange."""


class ClientReply:
    """One reply."""

    __slots__ = (
        "_begun",
        "_body",
        "_exchange",
        "_has_body",
        "_is_announced",
        "_last_step",
        "_left",
        "_relayed",
        "_taking",
        "_timer",
    )

    def __init__(self, exchange: RepliedExchange, body: RequestBody) -> None:
        """`body`: of the request."""
        self._exchange = exchange
        self._body = body
        self._begun = False  # the head is out
        self._has_body = exchange.head.method != b"HEAD"
        self._left: int | None = None  # bytes that the head has promised; None: any number
        self._taking = asyncio.Event()  # the client takes bytes
        self._taking.set()
        self._is_announced = False  # the reply is a document
        self._timer: asyncio.TimerHandle | None = None  # of the next white space
        self._last_step: Callable[[], None] | None = None  # what ends the exchange
        self._relayed: Call | None = None  # of that last step

    # --- used by the operation ---

    async def begin(self, status: int, lines: Sequence[bytes], length: int | None) -> None:
        """Send the head; without a `length` the body ends where its framing says.

        The rest of the request's body is discarded from then on.
        """
        self._check_unused()
        self._begin(status, lines, length, more=False)
        await self._taking.wait()

    async def write(self, data: bytes) -> None:
        """Send a piece of the body; returns when the client takes more."""
        if not self._begun or self._is_announced or self._last_step is not None:
            raise RuntimeError("no reply that takes more bytes has begun")
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise RuntimeError(f"{-self._left} bytes more than the head has promised")
        self._send(data)
        await self._taking.wait()

    async def end(self) -> None:
        """Note that the reply is whole."""
        if not self._begun or self._is_announced:
            raise RuntimeError("no reply has begun")
        if self._left and self._has_body:
            raise RuntimeError(f"{self._left} bytes less than the head has promised")
        self._last_step = self._exchange.pass_end

    def announce_document(self) -> None:
        """Note that the reply is a document of status 200, which may take its time."""
        self._check_unused()
        self._is_announced = True
        if self._has_body:
            self._wait_to_send_space(WHITE_SPACE_AFTER_SECONDS)

    async def document(self, status: int, xml: bytes, lines: Sequence[bytes] = ()) -> None:
        """Answer with a document; header `lines` are lost if white space has begun it."""
        if self._is_announced and status != 200:
            raise RuntimeError(f"a document of status 200 was announced, not of {status}")
        await self.answer(OwnAnswer(status, lines, xml))

    async def answer(self, answer: OwnAnswer) -> None:
        """Answer as a whole."""
        if self._last_step is not None or (self._begun and not self._is_announced):
            raise RuntimeError("the operation has replied before")
        self._last_step = lambda: self._end_with(answer)

    async def relay(self, call: Call) -> None:
        """Have the exchange relay what the call has found, once the operation has returned."""
        if self._begun or self._last_step is not None:
            raise RuntimeError("the operation has replied before")
        if self._has_body == (call.method == b"HEAD"):
            raise RuntimeError("an answer to HEAD has another length than that to another method")
        call.keep()
        self._relayed = call
        self._last_step = partial(call.hand_over, self._exchange)

    # --- used by the frame and the exchange ---

    @property
    def takes_error(self) -> bool:
        """Whether an error can still be told: the head is out, of a document."""
        return self._begun and self._is_announced

    def last_step(self) -> Callable[[], None]:
        """What ends the exchange, once the operation has returned."""
        if self._last_step is None:
            raise RuntimeError("the operation has returned without a reply")
        return self._last_step

    def client_paused(self) -> None:
        """Note that the client takes no bytes."""
        self._taking.clear()

    def client_resumed(self) -> None:
        """Note that the client takes bytes again."""
        self._taking.set()

    def close(self, *, failed: bool) -> None:
        """Send no more white space; if the operation has `failed`, relay no call."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if failed and self._relayed is not None:
            self._relayed.abort()

    # --- inside ---

    def _check_unused(self) -> None:
        if self._begun or self._is_announced or self._last_step is not None:
            raise RuntimeError("the operation has replied before")

    def _begin(
        self, status: int, lines: Sequence[bytes], length: int | None, *, more: bool
    ) -> None:
        self._check_client()
        self._exchange.begin_reply(status, lines, length, more=more)
        self._begun = True
        self._left = 0 if status in (204, 304) else length

    def _send(self, data: bytes) -> None:
        self._check_client()
        if data and self._has_body:
            self._exchange.pass_bytes(data)

    def _check_client(self) -> None:
        """Stop an operation that goes on though its exchange is over."""
        if self._exchange.is_ended:
            raise asyncio.CancelledError

    def _end_with(self, answer: OwnAnswer) -> None:
        """Send a whole answer, or the rest of one that has begun with white space."""
        exchange = self._exchange
        if self._begun:
            exchange.pass_bytes(without_declaration(answer.body))
            exchange.pass_end()
        elif self._has_body:
            exchange.answer_instead(answer)
        else:
            lines = [*answer.lines, _XML] if answer.body else answer.lines
            exchange.begin_reply(answer.status, lines, len(answer.body), more=False)
            exchange.pass_end()

    def _wait_to_send_space(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._send_space)

    def _send_space(self) -> None:
        """Send white space, so that nobody takes the connection for dead."""
        self._timer = None
        if self._exchange.is_ended:
            return
        self._wait_to_send_space(WHITE_SPACE_EVERY_SECONDS)
        if self._begun and self._taking.is_set():
            self._send(_SPACE)
        elif not self._begun and self._body.ended:
            self._begin(200, [_XML], None, more=True)
            self._send(DECLARATION.encode() + _SPACE)
