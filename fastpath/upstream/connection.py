"""One connection to a target: writes requests and cuts answers out of the byte stream.

Rules: a connection serves one lessee at a time. An answer is delimited by RFC 9112 section 6.3 and
by nothing else. Bytes that belong to no answer, or any doubt where an answer ends, close the
connection. It goes back to its pool only after both request and answer are complete.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import select
from typing import TYPE_CHECKING, Protocol, cast

from fastpath.http.framing import (
    BY_LENGTH,
    IN_CHUNKS,
    NO_BODY,
    UNTIL_CLOSE,
    BodyKind,
    ChunkedReader,
    response_body,
)
from fastpath.http.head import ResponseFault, ResponseHead, parse_response_head
from fastpath.sockets.closed_transport import CLOSED_TRANSPORT
from fastpath.sockets.diagnosis import of_answer, of_break, of_silence
from fastpath.sockets.read_buffers import FIRST_READ, LESS_READ, NEXT_READ, room_of
from fastpath.sockets.reset import reset
from fastpath.sockets.splice import Flow
from fastpath.upstream.lessee import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastpath.limits import Timeouts
    from fastpath.routing.snapshot import Route
    from fastpath.sockets.outbox import Outbox
    from fastpath.sockets.splice import Sink, Splicer
    from fastpath.upstream.breaker import Breaker
    from fastpath.upstream.lessee import Lessee

# Bytes of an answer's head; far more than any store sends (nginx refuses above 4 or 8 KiB).
MAX_ANSWER_HEAD = 65536
# Interim answers (1xx) before the final one. A server may send 100 and 103 unasked; few send more
# (Go's client allows 5).
MAX_INTERIM = 8
# A read with more chunks makes the connection give way to others: 4,000 chunks of one byte cost as
# much as 4 MiB (0.4 ms), and libuv reads up to 32 times in one iteration of the loop.
MANY_CHUNKS = 4000
# Operations whose success proves that the target read the body: it stored it, or answered each
# member of it.
_READ_TO_THE_END = frozenset(
    {"PutObject", "UploadPart", "DeleteObjects", "CompleteMultipartUpload"}
)


class Home(Protocol):
    """What a connection uses of the pool that it belongs to."""

    name: str  # host and port
    route: Route
    timeouts: Timeouts
    clock: Callable[[], float]
    soon: Callable[..., object]  # the loop's `call_soon`
    outbox: Outbox
    splicer: Splicer | None
    splice_from: float  # bytes of an answer from which its rest is spliced
    breaker: Breaker

    def opened(self) -> None:
        """Count a connection that was made."""

    def take_back(self, connection: UpstreamConnection) -> None:
        """Keep a connection that ended its exchange cleanly."""

    def forget(self, connection: UpstreamConnection) -> None:
        """Drop a connection that is closed, by whichever side."""


class UpstreamConnection(asyncio.BufferedProtocol):
    """An open connection; `deadline` is in the loop's monotonic seconds, infinite when none.

    `name`: the name that the target proved under TLS, if not the name of the route.
    """

    # Slots, because an instance with more than 30 attributes is slower without them.
    __slots__ = (
        "_asked",
        "_chunks",
        "_ended",
        "_first",
        "_flow",
        "_heard",
        "_home",
        "_in_doubt",
        "_interim",
        "_keep",
        "_kind",
        "_left",
        "_method",
        "_outbox",
        "_partial",
        "_paused",
        "_poll",
        "_reusable",
        "_room",
        "_sink",
        "_usual",
        "answered_early",
        "closed",
        "deadline",
        "descriptor",
        "holder",
        "idle_since",
        "lessee",
        "name",
        "status",
        "timeouts",
        "transport",
        "uses",
    )

    def __init__(self, home: Home, name: str | None = None) -> None:
        # connection
        self._home = home
        self._outbox = home.outbox
        self.name = name
        self.timeouts = home.timeouts
        self._poll = select.poll()
        self.transport: asyncio.Transport
        self.uses = 0
        self.idle_since = 0.0
        self.deadline = math.inf
        self.closed = False
        self._ended = False  # by the target
        self.descriptor = -1  # to splice from and to; -1 under TLS
        self._usual = self._room = NEXT_READ  # bodies are read into it
        self._first = FIRST_READ  # heads are
        # exchange
        self.lessee: Lessee | None = None
        self.holder = ""  # the connection counts to its share
        self._method = b""
        self._asked = False  # the target has the whole request
        self._heard = False  # bytes came since the request
        self.status = 0  # of the answer
        self.answered_early = False  # bytes came before the last byte of the request went
        self._paused = False  # because the client is slower
        self._partial = bytearray()  # the bytes of an incomplete head
        self._interim = 0  # interim answers so far
        self._in_doubt = False  # one of them announced a body
        self._kind: BodyKind | None = None  # None: the head has not come yet
        self._left = 0
        self._chunks: ChunkedReader | None = None
        self._keep = False  # the answer's head allows to reuse the connection
        self._reusable = False  # so does its end
        self._flow: Flow | None = None  # moves the rest of the answer in the kernel
        self._sink: Sink | None = None  # of that flow

    def __repr__(self) -> str:
        state = "closed" if self.closed else "idle" if self.lessee is None else "leased"
        return f"<UpstreamConnection {self._home.name} {state} uses={self.uses}>"

    # --- used by the pool and the lessee ---

    def begin(self, lessee: Lessee, holder: str) -> None:
        """Start to serve a lessee."""
        self.lessee = lessee
        self.holder = holder
        self.uses += 1
        self._room, self._first = self._usual, FIRST_READ
        self._asked = self._heard = self._paused = self.answered_early = self._reusable = False
        self._left = 0
        if self._interim or self._partial:
            self._interim, self._in_doubt, self._partial = 0, False, bytearray()
        self._kind = None
        self._chunks = None

    def send_head(self, data: bytes, method: bytes, body: bytes = b"") -> None:
        """Write a request head and body bytes; the method decides how the answer is delimited."""
        self._method = method
        self._outbox.write(self.transport, self.descriptor, data, body)

    def send_body(self, data: bytes) -> None:
        """Write body bytes of the request."""
        self._outbox.write(self.transport, self.descriptor, data)

    def look_for_answer(self) -> None:
        """Note whether the answer began before the request was complete."""
        self.answered_early = self.answered_early or not self.silent()

    def flushed(self) -> bool:
        """Whether the socket may be spliced into: no byte written before still waits."""
        return self._outbox.flushed(self.transport)

    def read_less(self) -> None:
        """Read this answer in smaller pieces, so that less of it waits for a slow client."""
        self._room = LESS_READ

    def read_whole(self) -> None:
        """Read as much of this answer as is here at once: none of it is left to splice(2)."""
        self._first = self._usual

    def silent(self) -> bool:
        """Whether the socket has nothing to read: no end of stream, no stray bytes."""
        return not self.transport.is_closing() and not self._poll.poll(0)

    def expect_answer_within(self, seconds: float) -> None:
        """Set the deadline of the answer to the request, which is complete."""
        self._asked = True
        self.deadline = self._home.clock() + seconds

    def _expect_within(self, seconds: float) -> None:
        """Set the deadline by which the next byte must come, or go."""
        self.deadline = self._home.clock() + seconds

    def pause_reading(self) -> None:
        """Stop reading, and stop the target's deadline: the client is slower."""
        self._paused = True
        self.transport.pause_reading()
        self.deadline = math.inf

    def resume_reading(self) -> None:
        """Read on."""
        self._paused = False
        self.transport.resume_reading()
        if self._kind is not None:
            self._expect_within(self.timeouts.idle_seconds)
            if self._left >= self._home.splice_from:
                self._offer_rest()

    def close_after(self) -> None:
        """Keep the connection in no case: the target may not have read all of the request."""
        self._keep = False

    def abort(self) -> None:
        """Drop the connection at once, without a call to the lessee."""
        if self._home.breaker.failures:
            self._home.breaker.give_back(self.lessee)
        self.lessee = None
        self._reset()

    def expire(self) -> None:
        """Fail: the target missed the deadline."""
        late = "did not answer in time"
        garbage = self._unanswered() if self._partial else ""
        self._fail(f"{late}; {garbage}" if garbage else late, how=Failure.TIMEOUT)

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        self._home.opened()
        self._usual = room_of(self.transport)
        descriptor = self.transport.get_extra_info("socket").fileno()
        self._poll.register(descriptor, select.POLLIN | select.POLLRDHUP)
        if self._home.splicer is not None and self._home.route.tls is None:
            self.descriptor = descriptor
            self.transport.set_write_buffer_limits(high=0)  # resumed means: may be spliced into

    def get_buffer(self, sizehint: int) -> memoryview:
        # A small first read leaves the rest of a large answer to splice(2).
        return self._first if self._kind is None else self._room

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes((self._first if self._kind is None else self._room)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Take the bytes of a read."""
        lessee = self.lessee
        if lessee is None:
            self.transport.abort()
            return
        self._heard = True
        try:
            if self._kind is None:
                self._take_head(data)
            else:
                self._expect_more()
                self._take_body(data)
        except ResponseFault as fault:
            cause = "" if self._kind is not None else f": {of_answer(bytes(self._partial) or data)}"
            # A head of HTTP that cannot be used may be so by names and metadata of a client.
            is_http = (bytes(self._partial) or data).startswith(b"HTTP/")
            self._fail(f"answered garbage ({fault}){cause}", counts=not is_http)
        except Exception as fault:
            lessee.crash(fault)

    def eof_received(self) -> bool:
        self._ended = True
        if self.lessee is not None and self._kind is UNTIL_CLOSE:
            self._complete(reusable=False)
        elif self.transport.get_write_buffer_size():
            self.transport.abort()  # close() would wait for a target that takes no more bytes
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._ended = self._ended or exc is not None
        self._stop_flow()
        self._home.forget(self)
        if isinstance(exc, OSError) and self.lessee is not None:
            self._read_pending_answer()
        reason = "closed the connection" if exc is None else f"connection broke ({of_break(exc)})"
        self._fail(self._unanswered() or reason, stale=self.uses > 1 and not self._heard)
        self.transport = CLOSED_TRANSPORT

    def _unanswered(self) -> str:
        """The likely reason why a target that ends or falls silent gave no answer of HTTP."""
        if self._kind is None and self._partial:
            return f"answered garbage: {of_answer(bytes(self._partial))}"
        if self.uses > 1 or self._heard or not self._ended:
            return ""
        return str(of_silence(tls=self._home.route.tls is not None))

    def _read_pending_answer(self) -> None:
        """Read the answer that still waits in the kernel after the connection broke.

        A target that answers early and closes resets the connection while the request is being
        sent, and the loop sees the failed write before it reads the answer. Under TLS it is lost.
        """
        if self._home.route.tls is not None:
            return
        with contextlib.suppress(OSError):
            data = os.read(self.transport.get_extra_info("socket").fileno(), MAX_ANSWER_HEAD)
            if data:
                self.data_received(data)

    def pause_writing(self) -> None:
        if self.lessee is not None:
            self.expect_taking(paused=True)
            self.lessee.upstream_paused()

    def resume_writing(self) -> None:
        if self.lessee is not None:
            self.expect_taking(paused=False)
            self.lessee.upstream_resumed()

    def expect_taking(self, *, paused: bool) -> None:
        """Start the target's deadline while it takes no bytes of the request, or stop it."""
        if paused:
            self._expect_within(self.timeouts.idle_seconds)
        elif self._kind is None:
            self.deadline = math.inf

    # --- the answer ---

    def _take_head(self, data: bytes) -> None:
        partial = self._partial
        if partial:
            seen = max(len(partial) - 3, 0)
            partial += data
            if partial.find(b"\r\n\r\n", seen) < 0:
                self._wait_for_head()
                return
            data = bytes(partial)
        while (end := data.find(b"\r\n\r\n") + 4) > 3:
            raw, data = data[:end], data[end:]
            head = parse_response_head(raw)
            if head.status >= 200:
                self._open_answer(raw, head, data)
                return
            # An interim answer: the final one follows (RFC 9110 section 15.2).
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise ResponseFault("too many answers of 1xx")
            self._in_doubt = self._in_doubt or not head.keep_alive
        self._partial = bytearray(data)
        self._wait_for_head()

    def _wait_for_head(self) -> None:
        """Bound the bytes of an incomplete head; its deadline stays."""
        if len(self._partial) > MAX_ANSWER_HEAD:
            raise ResponseFault("endless head")

    def _expect_more(self) -> None:
        """Start the target's deadline anew, if it has one."""
        if self.deadline != math.inf:
            self._expect_within(self.timeouts.idle_seconds)

    def _open_answer(self, raw: bytes, head: ResponseHead, rest: bytes) -> None:
        assert self.lessee is not None
        kind, length = response_body(head, self._method)
        self._kind = kind
        self.status = head.status
        self._left = length
        self._keep = head.keep_alive and kind is not UNTIL_CLOSE and not self._in_doubt
        if kind is IN_CHUNKS:
            self._chunks = ChunkedReader()
        self.deadline = self._home.clock() + self.timeouts.idle_seconds
        breaker = self._home.breaker
        # Seldom: the others change nothing. An answer before the whole request says as much of the
        # client, which may be slow, as of the target.
        if (head.status >= 502 or breaker.failures) and self._asked:
            breaker.answered(self._home.clock(), self.lessee, head.status, _phrase(raw))
        self.lessee.answer_head(raw, head, kind, more=length > 0 and bool(rest))
        if kind is NO_BODY or (kind is BY_LENGTH and length == 0):
            # After stray bytes the connection is only not kept. After an answer to HEAD, 204, ...
            # the chunks that it announces may follow.
            self._complete(reusable=self._keep and not rest and not head.chunked)
        elif rest:
            self._take_body(rest)
        elif self._left >= self._home.splice_from:
            self._offer_rest()

    def _take_body(self, data: bytes) -> None:
        lessee = self.lessee
        if lessee is None:  # it left while it took the head
            return
        if self._kind is BY_LENGTH:
            stray = len(data) - self._left
            if stray > 0:
                data = data[: self._left]
            self._left -= len(data)
            lessee.answer_bytes(data)
            if self._left == 0:
                self._complete(reusable=self._keep and stray <= 0)
            elif self._left >= self._home.splice_from:
                self._offer_rest()
        elif self._chunks is not None:
            pieces = self._chunks.feed(data)
            if pieces:  # joined, because chunks may be of one byte
                lessee.answer_bytes(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            if len(pieces) > MANY_CHUNKS and not self._chunks.complete:
                self._give_way(lessee)
            if self._chunks.complete:
                self._complete(reusable=self._keep and not self._chunks.rest)
        else:
            lessee.answer_bytes(data)

    def _give_way(self, lessee: Lessee) -> None:
        """Serve other connections before the next read."""
        if self.lessee is lessee and not self._paused:
            self.transport.pause_reading()
            self._home.soon(self._read_on, lessee)

    def _read_on(self, lessee: Lessee) -> None:
        if self.lessee is lessee and not self._paused and not self.closed:
            self.transport.resume_reading()

    # --- the rest of the answer, moved by the kernel ---

    def _offer_rest(self) -> None:
        """Have the rest spliced, unless somebody looks at it or waits to be written before it."""
        lessee, splicer = self.lessee, self._home.splicer
        if self.descriptor < 0 or lessee is None or splicer is None or self._flow is not None:
            return
        sink = lessee.answer_sink()
        if sink is None or not sink.flushed() or self.transport.is_closing():
            return
        self._sink = sink
        flow = splicer.begin(self.descriptor, sink.descriptor, self._left, self)
        if flow is not None:
            self._flow = flow
            flow.pump()
            if not flow.over:  # the flow reads the socket from now on
                self.transport.pause_reading()

    def flow_moved(self, count: int) -> None:
        """Count bytes of the answer that the kernel moved."""
        self._left -= count
        self.deadline = self._home.clock() + self.timeouts.idle_seconds
        assert self._sink is not None  # whoever drops the sink stops the flow
        self._sink.moved(count)

    def flow_paused(self) -> None:
        """Stop the target's deadline: the client is slower."""
        self.deadline = math.inf
        assert self._sink is not None
        self._sink.set_paused(paused=True)

    def flow_resumed(self) -> None:
        """Note that the client takes bytes again."""
        assert self._sink is not None
        self._sink.set_paused(paused=False)

    def flow_done(self) -> None:
        """Complete the answer: the client has all of it."""
        self._flow = None
        self._complete(reusable=self._keep)

    def flow_broken(self, reason: str, *, source: bool) -> None:
        """End the flow: the target or the client broke off."""
        self._flow = None
        if source:
            self._fail(reason)
        elif self._sink is not None:
            self._sink.broken()

    def crash(self, fault: Exception) -> None:
        """Handle a defect of the gateway that showed in the flow."""
        if self.lessee is not None:
            self.lessee.crash(fault)

    def _stop_flow(self) -> None:
        flow, self._flow = self._flow, None
        if flow is not None:
            flow.stop()

    # --- the end ---

    def _complete(self, *, reusable: bool) -> None:
        lessee = self.lessee
        if lessee is None:
            return
        self.deadline = math.inf
        self._reusable = reusable
        lessee.answer_complete()

    def has_read(self, operation: str) -> bool:
        """Whether the target has certainly read the body of this operation, which it answered.

        A server may answer without reading the body (most do when they refuse) and then takes the
        unread bytes for the next request: the next client would get the answer to them.
        """
        is_done = 200 <= self.status < 300 and not self.answered_early
        return is_done and operation in _READ_TO_THE_END

    def release(self, *, request_read: bool) -> None:
        """End the lease; keep the connection if both sides ended cleanly.

        `request_read`: no byte of the request can wait at the target and be taken for the next.
        """
        self.lessee = None
        self.deadline = math.inf
        clean = request_read and self._reusable and not self.transport.get_write_buffer_size()
        if clean and not self.closed:
            self.transport.resume_reading()
            self._home.take_back(self)
        else:
            self._reset()

    def _reset(self) -> None:
        self._stop_flow()
        if not self.closed:
            reset(self.transport)

    def _fail(
        self,
        reason: str,
        *,
        stale: bool = False,
        how: Failure = Failure.BROKEN,
        counts: bool = True,
    ) -> None:
        """End the exchange; `counts`: unless it is the breaker's business in no case."""
        lessee, self.lessee = self.lessee, None
        self._reset()
        if lessee is None:
            return
        breaker = self._home.breaker
        if counts and not stale and self._is_failure(how):
            breaker.failed(self._home.clock(), lessee, reason)
        else:
            breaker.give_back(lessee)
        lessee.upstream_lost(reason, stale=stale, how=how)

    def _is_failure(self, how: Failure) -> bool:
        """Whether the end of an exchange says that the target is down.

        Not after an answer has begun; nor does a break while the request was being sent, because
        targets break off uploads that they refuse.
        """
        return self._kind is None and (how is Failure.TIMEOUT or self._asked)


def _phrase(raw: bytes) -> str:
    """The phrase beside the status of an answer's head."""
    return raw[: raw.find(b"\r\n")].decode("latin-1").split(" ", 2)[-1]
