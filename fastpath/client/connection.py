"""One client connection: cuts requests out of the byte stream and runs one exchange at a time.

Rules: pipelined requests are answered in order; their bytes are buffered up to a bound, then the
connection stops reading. An exchange never leaves bytes for the next: the connection counts bodies,
and after an answer that came before its request was read it discards a bounded rest of the request
or closes (RFC 9112 section 9.6). A head that was not understood ends the connection. Every wait has
a deadline.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from fastpath.client.deadlines import SENDING, TAKING
from fastpath.client.reading import (
    AHEAD,
    ALL,
    DISCARDED,
    NO_TARGET,
    OF_EXCHANGE,
    TARGET_SLOW,
    Reading,
)
from fastpath.client.spliced_body import SplicedBody
from fastpath.client.states import (
    ANSWERED,
    ANSWERED_EARLY,
    BEGUN,
    CLOSE,
    DISCARDING,
    END,
    ENDING,
    HEAD,
    IDLE,
    QUEUE,
    QUEUED,
    READ,
    SERVING,
    TAKEN,
    TURN,
    after,
)
from fastpath.client.writing import WritingHalf
from fastpath.errors import BAD_REQUEST, REQUEST_TIMEOUT, SLOW_DOWN, HeadFault, S3Error
from fastpath.exchange.exchange import NO_LENGTH, Exchange
from fastpath.http.framing import ChunkedReader
from fastpath.http.head import HeadBuffer, RequestHead, ResponseFault, parse_request_head
from fastpath.response.heads import error_response, health_response
from fastpath.s3.addressing import is_bucket_host
from fastpath.sockets.diagnosis import of_request
from fastpath.sockets.read_buffers import FIRST_READ, NEXT_READ, room_of

if TYPE_CHECKING:
    from fastpath.client.worker_protocol import ConnectionWorker

READY_PATH = b"/-/readyz"
HEALTH_PATHS = (b"/-/healthz", READY_PATH)
# The moves that every request makes, looked up once (heads: 600 instructions each).
_TAKEN, _SERVED = after(IDLE, TAKEN), after(SERVING, ANSWERED)
_SERVED_EARLY = after(SERVING, ANSWERED_EARLY)


class ClientConnection(WritingHalf):
    """Both halves of a client's connection."""

    reading: Reading

    def __init__(self, worker: ConnectionWorker) -> None:
        super().__init__(worker)
        # connection
        self.remote = ""
        self.secure = False
        self._heads = HeadBuffer(self._limits)
        self._ahead = b""  # received, not parsed yet
        self._pumping = False  # `_pump` runs further up the stack
        self._surplus = False  # the worker has as many as it may: only health checks are answered
        self._half_closed = False  # the client has sent the end of its stream, whatever the state
        self._discarded = 0  # bytes, since it is ENDING
        self._room = NEXT_READ  # what bodies are read into
        # exchange
        self.exchange: Exchange | None = None  # that is being served; health checks have none
        self.unread = 0  # bytes of the request's body that have not come yet
        self._chunks: ChunkedReader | None = None  # of a body in HTTP chunks
        self.spliced: SplicedBody | None = None  # the rest of the body, while the kernel moves it

    def __repr__(self) -> str:
        return f"<ClientConnection {self.remote} {self.state.name.lower()}>"

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.remote = f"{peer[0]}:{peer[1]}" if peer else ""
        self.secure = transport.get_extra_info("ssl_object") is not None
        if self._worker.splicer is not None and not self.secure:
            self.descriptor = transport.get_extra_info("socket").fileno()
        # With a high mark of 0 "resumed" means empty: the rest of an answer may be spliced then.
        high = self._limits.write_buffer_bytes if self.descriptor < 0 else 0
        self.transport.set_write_buffer_limits(high=high)
        self._room = room_of(self.transport)
        self.reading = Reading(self.transport)
        self._surplus = not self._worker.enter(self)
        self._await_request()
        if self._surplus and self._worker.overfull:  # refused clients take descriptors, too
            self._refuse_head(S3Error(SLOW_DOWN, retry_after=1))
            self.transport.close()

    def get_buffer(self, sizehint: int) -> memoryview:
        # A small first read leaves the rest of a large body to splice(2).
        return self._room if self.unread else FIRST_READ

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes((self._room if self.unread else FIRST_READ)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Pass body bytes on, or buffer and parse what a read brought."""
        exchange = self.exchange
        try:
            if (
                exchange is not None
                and len(data) <= self.unread
                and not self._ahead
                and exchange.wants_body
            ):
                self._pass_body(exchange, data)
                return
            self._ahead = self._ahead + data if self._ahead else data
            self._pump()
        except Exception as fault:
            self.crash(fault)

    def eof_received(self) -> bool:
        """Answer the complete requests of a client that sends no more; drop an incomplete one.

        A client that left altogether looks the same until a write to it fails. Under TLS the loop
        closes both directions, whatever is returned here.
        """
        self._worker.outbox.push(self.transport)
        if self.secure or self.unread:
            return False
        self._half_closed = True
        if self.exchange is not None or self._ahead:
            return True
        if self.state < ENDING and self.transport.get_write_buffer_size():
            self._close()
        return self.transport.get_write_buffer_size() > 0

    def connection_lost(self, exc: Exception | None) -> None:
        self._worker.leave(self)
        self.state = after(self.state, CLOSE)
        if self.spliced is not None:
            self.spliced.stop()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_lost()

    def pause_writing(self) -> None:
        self._write_paused = True
        self._await_reader()
        if self.exchange is not None:
            self.exchange.client_paused()

    def resume_writing(self) -> None:
        self._write_paused = False
        if self.state >= ENDING:
            return
        self.deadlines.reader_done()
        if self.exchange is not None:
            self.exchange.client_resumed()
        else:
            if self.state is IDLE or self.state is DISCARDING:
                self._await_request()
            self._pump()

    # --- exchange.client_protocol.Client ---

    @property
    def is_paused(self) -> bool:
        """Whether the client takes no bytes at the moment."""
        return self._write_paused

    def pause_body(self) -> None:
        """Stop reading the request's body."""
        if self.unread:  # else reading goes on, to notice a client that leaves
            self.reading.pause(TARGET_SLOW)
            self.deadlines.await_others()

    def hold_body(self) -> None:
        """Stop reading the body until its next piece is wanted."""
        if self.unread:
            self.reading.pause(TARGET_SLOW)
            self.deadlines.hold_body(self._worker.now)

    def read_piece(self) -> None:
        """Read the next piece of the body."""
        self.deadlines.await_piece(self._worker.now)
        self._read_body()

    def resume_body(self) -> None:
        """Hand the buffered body bytes to the exchange, then read on."""
        if self.spliced is not None:
            self.spliced.stop()
        self.deadlines.await_body(self._worker.now)
        self._read_body()

    def _read_body(self) -> None:
        if self.reading.reasons:
            self.reading.resume(OF_EXCHANGE)
        if self._ahead:
            self._pump()
        elif self.unread >= self._limits.splice_bytes and self.exchange is not None:
            self._offer_rest(self.exchange)

    def finish(self, *, keep: bool) -> None:
        """Serve the next request after a complete answer, or close."""
        if self.spliced is not None:
            self.spliced.stop()
        exchange, self.exchange = self.exchange, None
        if self.state is not SERVING:  # it was reset, which the loop has not reported yet
            return
        if not keep:
            # HTTP/1.0 has no chunks: a body without a length ends with the connection.
            self._close(framed=exchange is None or exchange.head.http_minor > 0)
            return
        self.state = _SERVED_EARLY if self.unread else _SERVED
        if self.reading.reasons:
            self.reading.resume(OF_EXCHANGE)
        self._await_request()
        if self._ahead or self._half_closed:
            self._pump()

    def abort(self) -> None:
        """Reset the connection, so that the client sees the answer broken."""
        if self.spliced is not None:
            self.spliced.stop()
        super().abort()

    # --- bytes in ---

    def _pump(self) -> None:
        """Parse the buffered bytes as far as they can be served now."""
        if self._pumping:
            return
        self._pumping = True
        try:
            self._parse_ahead()
        finally:
            self._pumping = False
        if len(self._ahead) >= self._limits.pipeline_bytes:
            self.reading.pause(AHEAD)
        elif self.reading.reasons:
            self.reading.resume(AHEAD)
        if self._half_closed and not self._ahead and self.state < ENDING:
            self._end_half_closed()

    def _parse_ahead(self) -> None:
        served = False
        while self._ahead:
            if self.state >= ENDING:
                self._discard_ahead()
            elif self.unread:
                if not self._take_body():
                    return
            elif self.state is SERVING or self.state is QUEUED or self._write_paused:
                # The answers of a client that sends requests without reading would pile up.
                return
            elif served:
                self._queue()
                return
            elif not self._take_head():
                return
            else:
                served = True

    def _end_half_closed(self) -> None:
        """Close, unless an answer is still to be sent."""
        exchange = self.exchange
        if exchange is not None:
            if not self.unread or not (exchange.wants_body or exchange.waits_for_target):
                return
            self.exchange = None
            exchange.client_lost()
        self._close()

    def _queue(self) -> None:
        self.state = after(self.state, QUEUE)
        self.deadlines.await_others()
        self._worker.turns.wait(self)

    def take_turn(self) -> None:
        """Serve the next pipelined request."""
        if self.state is not QUEUED:  # it closed meanwhile
            return
        self.state = after(QUEUED, TURN)
        self._await_request()
        try:
            self._pump()
        except Exception as fault:
            self.crash(fault)

    # --- bodies ---

    def _take_body(self) -> bool:
        """Take buffered bytes of the body; False when they must wait."""
        exchange = self.exchange
        if exchange is not None and exchange.waits_for_target:
            self.reading.pause(NO_TARGET)  # enough is buffered
            return False
        piece, self._ahead = self._ahead[: self.unread], self._ahead[self.unread :]
        if exchange is not None and exchange.wants_body:
            self._pass_body(exchange, piece)
            return True
        self.unread -= len(piece)
        if not self.unread and self.state is DISCARDING:
            self.state = after(DISCARDING, READ)
        return True

    def _pass_body(self, exchange: Exchange, data: bytes) -> None:
        count = len(data)
        self.unread -= count
        if self._chunks is not None:
            try:
                data = b"".join(self._chunks.feed(data))
            except ResponseFault:
                exchange.refuse(S3Error(BAD_REQUEST))
                return
            if self._chunks.complete:
                self.unread = 0
                self._ahead = self._chunks.rest + self._ahead
        last = not self.unread
        if last:
            self.deadlines.await_others()
        else:
            self.deadlines.body_came(self._worker.now, count)
        exchange.request_bytes(data, last)
        if self.unread >= self._limits.splice_bytes:
            self._offer_rest(exchange)

    def _offer_rest(self, exchange: Exchange) -> None:
        """Splice the rest of the body, unless a filter reads it or earlier bytes still wait."""
        splicer = self._worker.splicer
        if splicer is None or self.descriptor < 0 or self._chunks is not None or self._ahead:
            return
        if self.state is not SERVING or self.exchange is not exchange or self.spliced is not None:
            return
        sink = exchange.request_sink()
        if sink is not None and sink.flushed():
            SplicedBody(self, sink, self._worker).begin(splicer)

    # --- heads ---

    def _take_head(self) -> bool:
        """Take the next head, and begin with its request; False if it is not complete."""
        data, self._ahead = self._ahead, b""
        try:
            raw = self._heads.feed(data)
            if raw is None:
                if self._heads.begun and self.state is IDLE:
                    self.state = after(IDLE, BEGUN)
                    if not self._surplus:
                        self.deadlines.await_head(self._worker.now)
                return False
            head = parse_request_head(raw, self._limits)
        except HeadFault as fault:
            self._refuse_head(fault, data)
            return False
        self._ahead = self._heads.take_rest()
        self._begin(raw, head)
        return True

    def _begin(self, raw: bytes, head: RequestHead) -> None:
        self.state = _TAKEN if self.state is IDLE else after(self.state, TAKEN)
        self.deadlines.await_others()
        self.lifetime.count()
        if head.path in HEALTH_PATHS and not is_bucket_host(head, self._worker.snapshot.domains):
            self._answer_health(head)
            return
        if self._surplus:
            self._refuse_head(S3Error(SLOW_DOWN, retry_after=1), to_head=head.method == b"HEAD")
            return
        self.unread = NO_LENGTH if head.chunked else head.content_length or 0
        self._chunks = ChunkedReader() if head.chunked else None
        exchange = self.exchange = Exchange(self._worker, self, raw, head)
        try:
            exchange.start()
        except S3Error as error:
            exchange.refuse(error)
        except Exception as fault:
            exchange.crash(fault)
        if self.unread and exchange.waits_for_target:
            self.reading.pause(NO_TARGET)

    def _answer_health(self, head: RequestHead) -> None:
        draining, over = self._worker.draining, self._worker.now >= self.lifetime.end
        over = over or self._surplus
        keep = head.keep_alive and not (draining or over or head.content_length or head.chunked)
        refuses = b"draining" if draining else b""
        if head.path == READY_PATH and self._worker.full:
            refuses = refuses or b"full"
        self.send(health_response(head, refuses=refuses, keep=keep))
        self.finish(keep=keep)

    def _refuse_head(self, fault: S3Error, came: bytes = b"", *, to_head: bool = False) -> None:
        """Answer a head that was not understood, or is one too many, and close."""
        request_id = self._worker.next_request_id()
        if cause := of_request(came):
            self._worker.log.client_mistaken(str(cause), self.remote)
        self._worker.meter.head_refused(fault.kind)
        self._worker.log.head_refused(self.remote, request_id, fault)
        self.send(
            error_response(fault, (request_id, self._worker.host_id), to_head=to_head, keep=False)
        )
        self._close()

    def crash(self, fault: Exception) -> None:
        """Handle a defect of the gateway: answer InternalError, or reset the connection."""
        if self.exchange is not None:
            self.exchange.crash(fault)
        else:
            self._worker.log.crash(fault)
            self.abort()

    # --- the end ---

    def _close(self, *, framed: bool = True) -> None:
        """Close so that the answer arrives: closing with bytes unread would reset the connection.

        More bytes may be on their way, so the client always gets time to close first.
        """
        self.state = after(self.state, END)
        more = self._end_stream(framed=framed) and not self._half_closed
        self.deadlines.await_end(self._worker.now, more=more)
        if more:
            self.reading.resume(ALL)
            self._discard_ahead()

    def _discard_ahead(self) -> None:
        self._discarded += len(self._ahead)
        self._ahead = b""
        if self._discarded > self._limits.discard_bytes:
            self._close_when_taken()
            self.reading.pause(DISCARDED)  # the client may not have got the whole answer yet

    # --- time ---

    def sweep(self, now: float) -> None:
        """End what is past its deadline; called about twice a second."""
        late = self.deadlines.late(now)
        if late is TAKING:
            self._expire_reader()
        elif late is SENDING:
            self._expire()

    def drain(self) -> None:
        """Shorten the deadline of an idle connection: the worker drains."""
        if self.state is IDLE or self.state is DISCARDING:
            self._await_request()

    def _await_request(self) -> None:
        brief = self._worker.draining or self._surplus
        self.deadlines.await_request(self._worker.now, brief=brief)

    def _expire(self) -> None:
        """Act on a client that did not send in time."""
        if self.state >= ENDING:
            self._close_when_taken()
        elif self.exchange is not None:
            if self.exchange.wants_body:
                self.exchange.wants_close = True
                self.exchange.refuse(S3Error(REQUEST_TIMEOUT))
            else:
                self.deadlines.await_others()  # an early answer: its target has the deadline
        elif self.state is HEAD:
            self._refuse_head(HeadFault(REQUEST_TIMEOUT))
        else:
            self.state = after(self.state, END)
            self._await_reader()
            self._close_when_taken()
