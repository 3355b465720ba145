"""One connection to a target: writes a request, cuts the answer out of the byte stream.

Rules: serves one lessee at a time; an answer is delimited by RFC 9112 section 6.3 and by nothing
else; bytes that nobody asked for, or any doubt where an answer ends, close the connection; it goes
back to the pool only after request and answer are both complete.

Not here: which connection serves whom (`pool`), what an answer means (`exchange`).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import select
from typing import TYPE_CHECKING, cast

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
from fastpath.sockets.diagnosis import of_answer, of_break, of_silence
from fastpath.sockets.read_buffers import FIRST_READ, LESS_READ, NEXT_READ, room_of
from fastpath.sockets.reset import reset
from fastpath.sockets.splice import Flow

if TYPE_CHECKING:
    from fastpath.exchange.splice_ends import AnswerSink
    from fastpath.upstream.lessee import Lessee
    from fastpath.upstream.pool import Pool

# Bytes of an answer's head; far above what any store sends (nginx refuses above 4 or 8 KiB).
MAX_ANSWER_HEAD = 65536
# Answers of 1xx before the answer proper. Nobody asked for any; a server may send 100 and 103, and
# few send more (Go's client: 5).
MAX_INTERIM = 8
# Chunks in one read from which another connection is served before the next read: 4,000 of one byte
# cost as much as 4 MiB (0.4 ms), and libuv reads up to 32 times in a turn.
MANY_CHUNKS = 4000


class UpstreamConnection(asyncio.BufferedProtocol):
    """An open connection; `deadline` is in the loop's monotonic seconds, infinite when none.

    `name`: what the target proved under TLS, if not the name of the route.
    """

    # More than 30 names, which an instance without slots cannot have without being slower.
    __slots__ = (
        "_chunks",
        "_ended",
        "_flow",
        "_heard",
        "_held",
        "_in_doubt",
        "_interim",
        "_keep",
        "_kind",
        "_left",
        "_method",
        "_outbox",
        "_partial",
        "_poll",
        "_pool",
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

    def __init__(self, pool: Pool, name: str | None = None) -> None:
        # connection
        self._pool = pool
        self._outbox = pool.outbox
        self.name = name
        self.timeouts = pool.timeouts
        self._poll = select.poll()
        self.transport: asyncio.Transport
        self.uses = 0
        self.idle_since = 0.0
        self.deadline = math.inf
        self.closed = False
        self._ended = False  # by the target
        self.descriptor = -1  # to splice from and to; -1 under TLS
        self._usual = self._room = NEXT_READ  # what bodies are read into
        # exchange
        self.lessee: Lessee | None = None
        self.holder = ""  # whose share it counts to
        self._method = b""
        self._heard = False  # anything since the request
        self.status = 0  # of the answer
        self.answered_early = False  # something came before the last byte of the request went
        self._held = False  # by a client that is slower
        self._partial = bytearray()  # of a head that is not complete
        self._interim = 0  # answers of 1xx so far
        self._in_doubt = False  # one of them announced a body
        self._kind: BodyKind | None = None  # None: the head has not come yet
        self._left = 0
        self._chunks: ChunkedReader | None = None
        self._keep = False  # what the answer's head said
        self._reusable = False  # what its end said
        self._flow: Flow | None = None  # the rest of the answer, when the kernel moves it
        self._sink: AnswerSink | None = None  # where to

    def __repr__(self) -> str:
        state = "closed" if self.closed else "idle" if self.lessee is None else "leased"
        return f"<UpstreamConnection {self._pool.name} {state} uses={self.uses}>"

    # --- what the pool and the lessee ask of it ---

    def begin(self, lessee: Lessee, holder: str) -> None:
        """Work for this lessee from now on."""
        self.lessee = lessee
        self.holder = holder
        self.uses += 1
        self._room = self._usual
        self._heard = self._held = self.answered_early = False
        self._left = 0
        if self._interim or self._partial:
            self._interim, self._in_doubt, self._partial = 0, False, bytearray()
        self._kind = None
        self._chunks = None

    def send_head(self, data: bytes, method: bytes, body: bytes = b"") -> None:
        """Write a request head and what follows it; the method says how the answer is delimited."""
        self._method = method
        self._outbox.write(self.transport, self.descriptor, data, body)

    def send_body(self, data: bytes) -> None:
        """Write more of the request."""
        self._outbox.write(self.transport, self.descriptor, data)

    def look_for_answer(self) -> None:
        """Note an answer that is here though more of the request is still to be sent."""
        self.answered_early = self.answered_early or not self.silent()

    def flushed(self) -> bool:
        """Whether its socket may be spliced into: nothing that was written waits."""
        return self._outbox.flushed(self.transport)

    def read_less(self) -> None:
        """Read this answer in smaller pieces: more than one of them waits for a slow client."""
        self._room = LESS_READ

    def silent(self) -> bool:
        """Whether nothing came in while it was idle: no end of stream, no stray bytes."""
        return not self.transport.is_closing() and not self._poll.poll(0)

    def expect_answer_within(self, seconds: float) -> None:
        """Set the deadline by which the next byte of the answer must be here."""
        self.deadline = self._pool.clock() + seconds

    def hold(self) -> None:
        """Read no more for now: the client is slower; its time counts, not the target's."""
        self._held = True
        self.transport.pause_reading()
        self.deadline = math.inf

    def unhold(self) -> None:
        """Read on."""
        self._held = False
        self.transport.resume_reading()
        if self._kind is not None:
            self.expect_answer_within(self.timeouts.idle_seconds)
            if self._left >= self._pool.splice_from:
                self._offer_rest()

    def abort(self) -> None:
        """Drop the connection at once; the lessee hears nothing more."""
        self.lessee = None
        self._reset()

    def expire(self) -> None:
        """The deadline passed."""
        late = "did not answer in time"
        garbage = self._unanswered() if self._partial else ""
        self._fail(f"{late}; {garbage}" if garbage else late)

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        self._pool.opened()
        self._usual = room_of(self.transport)
        descriptor = self.transport.get_extra_info("socket").fileno()
        self._poll.register(descriptor, select.POLLIN | select.POLLRDHUP)
        if self._pool.splicer is not None and self._pool.route.tls is None:
            self.descriptor = descriptor
            self.transport.set_write_buffer_limits(high=0)  # resumed means: may be spliced into

    def get_buffer(self, sizehint: int) -> memoryview:
        # A small first read leaves the rest of a large answer to the kernel.
        return FIRST_READ if self._kind is None else self._room

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes((FIRST_READ if self._kind is None else self._room)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """What a read brought."""
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
            self._fail(f"answered garbage ({fault}){cause}")
        except Exception as fault:
            lessee.crash(fault)

    def eof_received(self) -> bool:
        self._ended = True
        if self.lessee is not None and self._kind is UNTIL_CLOSE:
            self._complete(reusable=False)
        elif self.transport.get_write_buffer_size():
            self.transport.abort()  # closing would wait for a target that takes nothing more
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._ended = self._ended or exc is not None
        self._stop_flow()
        self._pool.forget(self)
        if isinstance(exc, OSError) and self.lessee is not None:
            self._read_last_words()
        reason = "closed the connection" if exc is None else f"connection broke ({of_break(exc)})"
        self._fail(self._unanswered() or reason, stale=self.uses > 1 and not self._heard)

    def _unanswered(self) -> str:
        """Why a target that ends or says nothing more has likely not spoken HTTP at all."""
        if self._kind is None and self._partial:
            return f"answered garbage: {of_answer(bytes(self._partial))}"
        if self.uses > 1 or self._heard or not self._ended:
            return ""
        return str(of_silence(tls=self._pool.route.tls is not None))

    def _read_last_words(self) -> None:
        """Take what the target said before the connection broke.

        One that answers early and closes resets it under the request's bytes, and the failed write
        is seen before the answer that waits in the kernel is read. Under TLS it is lost.
        """
        if self._pool.route.tls is not None:
            return
        with contextlib.suppress(OSError):
            data = os.read(self.transport.get_extra_info("socket").fileno(), MAX_ANSWER_HEAD)
            if data:
                self.data_received(data)

    def pause_writing(self) -> None:
        if self.lessee is not None:
            self.expect_taking(stuck=True)
            self.lessee.upstream_paused()

    def resume_writing(self) -> None:
        if self.lessee is not None:
            self.expect_taking(stuck=False)
            self.lessee.upstream_resumed()

    def expect_taking(self, *, stuck: bool) -> None:
        """The target does not take the request, and has its time for that; or does again."""
        if stuck:
            self.expect_answer_within(self.timeouts.idle_seconds)
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
            # 1xx: the answer proper follows (RFC 9110 section 15.2)
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise ResponseFault("too many answers of 1xx")
            self._in_doubt = self._in_doubt or not head.keep_alive
        self._partial = bytearray(data)
        self._wait_for_head()

    def _wait_for_head(self) -> None:
        """Wait for the rest of a head; what came of it gives it no more time."""
        if len(self._partial) > MAX_ANSWER_HEAD:
            raise ResponseFault("endless head")

    def _expect_more(self) -> None:
        """Something came; the rest has its time anew, if anybody waits for it."""
        if self.deadline != math.inf:
            self.expect_answer_within(self.timeouts.idle_seconds)

    def _open_answer(self, raw: bytes, head: ResponseHead, rest: bytes) -> None:
        assert self.lessee is not None
        kind, length = response_body(head, self._method)
        self._kind = kind
        self.status = head.status
        self._left = length
        self._keep = head.keep_alive and kind is not UNTIL_CLOSE and not self._in_doubt
        if kind is IN_CHUNKS:
            self._chunks = ChunkedReader()
        self.expect_answer_within(self.timeouts.idle_seconds)
        self.lessee.answer_head(raw, head, kind, more=length > 0 and bool(rest))
        if kind is NO_BODY or (kind is BY_LENGTH and length == 0):
            # Stray bytes behind it are not this client's business: the connection is just not kept.
            # Behind an answer to HEAD, 204, ... the chunks that it announces may follow.
            self._complete(reusable=self._keep and not rest and not head.chunked)
        elif rest:
            self._take_body(rest)
        elif self._left >= self._pool.splice_from:
            self._offer_rest()

    def _take_body(self, data: bytes) -> None:
        lessee = self.lessee
        if lessee is None:  # aborted while the head was handed over
            return
        if self._kind is BY_LENGTH:
            stray = len(data) - self._left
            if stray > 0:
                data = data[: self._left]
            self._left -= len(data)
            lessee.answer_bytes(data)
            if self._left == 0:
                self._complete(reusable=self._keep and stray <= 0)
            elif self._left >= self._pool.splice_from:
                self._offer_rest()
        elif self._chunks is not None:
            pieces = self._chunks.feed(data)
            if pieces:  # handed over as one: chunks may be of one byte
                lessee.answer_bytes(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            if len(pieces) > MANY_CHUNKS and not self._chunks.complete:
                self._give_way(lessee)
            if self._chunks.complete:
                self._complete(reusable=self._keep and not self._chunks.rest)
        else:
            lessee.answer_bytes(data)

    def _give_way(self, lessee: Lessee) -> None:
        """Let others have their turn of the loop before the next read."""
        if self.lessee is lessee and not self._held:
            self.transport.pause_reading()
            self._pool.soon(self._read_on, lessee)

    def _read_on(self, lessee: Lessee) -> None:
        if self.lessee is lessee and not self._held and not self.closed:
            self.transport.resume_reading()

    # --- the rest of the answer, moved by the kernel ---

    def _offer_rest(self) -> None:
        """Have the rest spliced, unless somebody looks at it or waits to be written before it."""
        lessee, splicer = self.lessee, self._pool.splicer
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
            if not flow.over:  # it reads the socket from now on
                self.transport.pause_reading()

    def flow_moved(self, count: int) -> None:
        """The client has more of the answer."""
        self._left -= count
        self.deadline = self._pool.clock() + self.timeouts.idle_seconds
        assert self._sink is not None  # whoever leaves stops the flow
        self._sink.moved(count)

    def flow_stuck(self) -> None:
        """The client is slower: its time counts, not the target's."""
        self.deadline = math.inf
        assert self._sink is not None
        self._sink.stuck(stuck=True)

    def flow_freed(self) -> None:
        """The client takes bytes again."""
        assert self._sink is not None
        self._sink.stuck(stuck=False)

    def flow_done(self) -> None:
        """The whole answer is with the client."""
        self._flow = None
        self._complete(reusable=self._keep)

    def flow_broken(self, reason: str, *, source: bool) -> None:
        """The target or the client broke off."""
        self._flow = None
        if source:
            self._fail(reason)
        elif self._sink is not None:
            self._sink.broken()

    def crash(self, fault: Exception) -> None:
        """A defect of ours showed in the flow."""
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

    def release(self, *, request_read: bool) -> None:
        """The lessee is done; keep the connection if both sides ended cleanly.

        `request_read`: nothing of the request can wait at the target, to be taken for the next one.
        """
        self.lessee = None
        self.deadline = math.inf
        clean = request_read and self._reusable and not self.transport.get_write_buffer_size()
        if clean and not self.closed:
            self.transport.resume_reading()
            self._pool.take_back(self)
        else:
            self._reset()

    def _reset(self) -> None:
        self._stop_flow()
        if not self.closed:
            reset(self.transport)

    def _fail(self, reason: str, *, stale: bool = False) -> None:
        lessee, self.lessee = self.lessee, None
        self._reset()
        if lessee is not None:
            lessee.upstream_lost(reason, stale=stale)
