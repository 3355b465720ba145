"""One client connection: cuts requests out of the byte stream and runs one exchange at a time.

Rules: pipelined requests are answered in order; their bytes are buffered up to a bound, then the
connection stops reading. An exchange never leaves bytes for the next: the connection counts bodies,
and after an answer that came before its request was read it discards a bounded rest of the request
or closes (RFC 9112 section 9.6). A head that was not understood ends the connection. Every wait has
a deadline.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, cast

from fastpath.client.writing import WritingHalf
from fastpath.errors import BAD_REQUEST, REQUEST_TIMEOUT, SLOW_DOWN, HeadFault, S3Error
from fastpath.exchange.exchange import NO_LENGTH, Exchange
from fastpath.http.framing import ChunkedReader
from fastpath.http.head import HeadBuffer, RequestHead, ResponseFault, parse_request_head
from fastpath.response.heads import error_response, health_response
from fastpath.s3.addressing import is_bucket_host
from fastpath.sockets.diagnosis import of_request
from fastpath.sockets.read_buffers import FIRST_READ, NEXT_READ, room_of
from fastpath.sockets.splice import Flow

if TYPE_CHECKING:
    from fastpath.client.worker_protocol import ConnectionWorker
    from fastpath.sockets.splice import Sink

READY_PATH = b"/-/readyz"
HEALTH_PATHS = (b"/-/healthz", READY_PATH)
_DRAIN_GRACE = 1.0  # seconds an idle connection may still use for a request that is on its way


class ClientConnection(WritingHalf):
    """Both halves of a client's connection; `deadline` is for bytes that the client must send."""

    def __init__(self, worker: ConnectionWorker) -> None:
        super().__init__(worker)
        # connection
        self.remote = ""
        self.secure = False
        self._heads = HeadBuffer(self._limits)
        self._ahead = b""  # received, not parsed yet
        self._pumping = False
        self._served = False  # a request was taken since the last read
        self._waits = False  # it waits for its turn (`pipelining`)
        self._half_closed = False  # the client has sent the end of its stream
        self._discarded = 0  # bytes that a closing connection has discarded
        self._reading = True
        self._room = NEXT_READ  # what bodies are read into
        # exchange
        self.exchange: Exchange | None = None
        self._unread = 0  # bytes of the request's body that have not come yet
        self._chunks: ChunkedReader | None = None  # of a body in HTTP chunks
        self._body_since = 0.0
        self._body_bytes = 0
        self._flow: Flow | None = None  # moves the rest of the body in the kernel
        self._sink: Sink | None = None  # of that flow

    def __repr__(self) -> str:
        state = "closing" if self._closing else "idle" if self.exchange is None else "busy"
        return f"<ClientConnection {self.remote} {state}>"

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
        self._await_request()
        if not self._worker.enter(self):
            self._refuse_head(S3Error(SLOW_DOWN, retry_after=1))
            if self._worker.overfull:  # refused clients take descriptors, too
                self.transport.close()

    def get_buffer(self, sizehint: int) -> memoryview:
        # A small first read leaves the rest of a large body to splice(2).
        return self._room if self._unread else FIRST_READ

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes((self._room if self._unread else FIRST_READ)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Pass body bytes on, or buffer and parse what a read brought."""
        exchange = self.exchange
        try:
            if (
                exchange is not None
                and len(data) <= self._unread
                and not self._ahead
                and exchange.wants_body
            ):
                self._pass_body(exchange, data)
                return
            self._ahead = self._ahead + data if self._ahead else data
            self._pump()
        except Exception as fault:
            self._crash(fault)

    def eof_received(self) -> bool:
        """Answer the complete requests of a client that sends no more; drop an incomplete one.

        A client that left altogether looks the same until a write to it fails. Under TLS the loop
        closes both directions, whatever is returned here.
        """
        self._worker.outbox.push(self.transport)
        if self.secure or self._unread:
            return False
        self._half_closed = True
        if self.exchange is not None or self._ahead:
            return True
        if not self._closing and self.transport.get_write_buffer_size():
            self._close()
        return self.transport.get_write_buffer_size() > 0

    def connection_lost(self, exc: Exception | None) -> None:
        self._worker.leave(self)
        self._closing = True
        self._stop_flow()
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
        if self._closing:
            return
        self._send_deadline = math.inf
        if self.exchange is not None:
            self.exchange.client_resumed()
        else:
            self._read_on()
            self._await_request()
            self._pump()

    # --- client_side.Client ---

    def pause_body(self) -> None:
        """Stop reading the request's body."""
        if self._unread:  # else reading goes on, to notice a client that leaves
            self._stop_reading()
            self.deadline = math.inf

    def resume_body(self) -> None:
        """Hand the buffered body bytes to the exchange, then read on."""
        self._stop_flow()
        self._restart_body_time()
        self._read_on()
        if self._ahead:
            self._pump()
        elif self._unread >= self._limits.splice_bytes and self.exchange is not None:
            self._offer_rest(self.exchange)

    def finish(self, *, keep: bool) -> None:
        """Serve the next request after a complete answer, or close."""
        self._stop_flow()
        exchange, self.exchange = self.exchange, None
        if not keep:
            # HTTP/1.0 has no chunks: a body without a length ends with the connection.
            self._close(framed=exchange is None or exchange.head.http_minor > 0)
            return
        self._read_on()
        self._await_request()
        if self._ahead or self._half_closed:
            self._pump()

    def abort(self) -> None:
        """Reset the connection, so that the client sees the answer broken."""
        self._stop_flow()
        super().abort()

    # --- bytes in ---

    def _pump(self) -> None:
        """Parse the buffered bytes as far as they can be served now."""
        if self._pumping:
            return
        self._pumping = True
        self._served = False
        try:
            while self._ahead and self._step():
                pass
        finally:
            self._pumping = False
        if len(self._ahead) >= self._limits.pipeline_bytes and not self._closing:
            self._stop_reading()
        if self._half_closed and not (self._ahead or self._closing):
            self._end_half_closed()

    def _end_half_closed(self) -> None:
        """Close, unless an answer is still to be sent."""
        exchange = self.exchange
        if exchange is not None:
            if not self._unread or not (exchange.wants_body or exchange.waits_for_target):
                return
            self.exchange = None
            exchange.client_lost()
        self._close()

    def _step(self) -> bool:
        """Consume some of the buffered bytes; False when the rest must wait."""
        if self._closing:
            self._discard(len(self._ahead))
            self._ahead = b""
            return False
        exchange = self.exchange
        if self._unread:
            if exchange is not None and exchange.waits_for_target:
                self._stop_reading()  # enough is buffered
                return False
            piece, self._ahead = self._ahead[: self._unread], self._ahead[self._unread :]
            if exchange is not None and exchange.wants_body:
                self._pass_body(exchange, piece)
            else:
                self._unread -= len(piece)
            return True
        if exchange is not None or self._write_paused:
            # The answers of a client that sends requests without reading would pile up.
            return False
        if self._served or self._waits:
            self._wait_for_turn()
            return False
        return self._take_head()

    def _wait_for_turn(self) -> None:
        if not self._waits:
            self._waits = True
            self.deadline = math.inf
            self._worker.turns.wait(self)

    def take_turn(self) -> None:
        """Serve the next pipelined request."""
        self._waits = False
        if self._closing:
            return
        if self.exchange is None:
            self._await_request()
        try:
            self._pump()
        except Exception as fault:
            self._crash(fault)

    def _pass_body(self, exchange: Exchange, data: bytes) -> None:
        self._unread -= len(data)
        self._body_bytes += len(data)
        if self._chunks is not None:
            try:
                data = b"".join(self._chunks.feed(data))
            except ResponseFault:
                exchange.refuse(S3Error(BAD_REQUEST))
                return
            if self._chunks.complete:
                self._unread = 0
                self._ahead = self._chunks.rest + self._ahead
        last = not self._unread
        self.deadline = math.inf if last else self._worker.now + self._limits.body_idle_seconds
        exchange.request_bytes(data, last)
        if self._unread >= self._limits.splice_bytes:
            self._offer_rest(exchange)

    # --- the rest of a body, moved by splice(2) ---

    def _offer_rest(self, exchange: Exchange) -> None:
        """Splice the rest of the body, unless a filter reads it or earlier bytes still wait."""
        if self.descriptor < 0 or self._chunks is not None or self._ahead or self._closing:
            return
        if self.exchange is not exchange or self._flow is not None:
            return
        splicer, sink = self._worker.splicer, exchange.request_sink()
        if splicer is None or sink is None or not sink.flushed():
            return
        self._sink = sink
        flow = splicer.begin(self.descriptor, sink.descriptor, self._unread, self)
        if flow is not None:
            self._flow = flow
            flow.pump()
            if not flow.over:  # the flow reads the socket from now on
                self._stop_reading()

    def flow_moved(self, count: int) -> None:
        """Count body bytes that the kernel moved."""
        self._unread -= count
        self._body_bytes += count
        self.deadline = self._worker.now + self._limits.body_idle_seconds
        assert self._sink is not None  # whoever drops the sink stops the flow
        self._sink.moved(count)

    def flow_paused(self) -> None:
        """Stop the client's deadline: the target is slower."""
        self.deadline = math.inf
        assert self._sink is not None
        self._sink.set_paused(paused=True)

    def flow_resumed(self) -> None:
        """Start the client's deadline anew: the target takes bytes again."""
        self._restart_body_time()
        assert self._sink is not None
        self._sink.set_paused(paused=False)

    def flow_done(self) -> None:
        """Read on: the whole body is with the target."""
        self._flow = None
        self.deadline = math.inf
        self._read_on()

    def flow_broken(self, reason: str, *, source: bool) -> None:
        """End the flow: the client left, or the target's connection broke."""
        self._flow = None
        if source:
            self.abort()
        elif self._sink is not None:
            self._sink.broken()

    def crash(self, fault: Exception) -> None:
        """Handle a defect of the gateway that showed in the flow."""
        self._crash(fault)

    def _stop_flow(self) -> None:
        """Stop splicing: the rest of the body is copied."""
        flow, self._flow = self._flow, None
        if flow is not None:
            flow.stop()
            self._unread = flow.left

    # --- heads ---

    def _take_head(self) -> bool:
        data, self._ahead = self._ahead, b""
        begun = self._heads.begun
        try:
            raw = self._heads.feed(data)
            if raw is None:
                if self._heads.begun and not begun:
                    self.deadline = self._worker.now + self._limits.head_seconds
                return False
            head = parse_request_head(raw, self._limits)
        except HeadFault as fault:
            self._refuse_head(fault, data)
            return False
        self._ahead = self._heads.take_rest()
        self._served = True
        self._begin(raw, head)
        return True

    def _begin(self, raw: bytes, head: RequestHead) -> None:
        self.deadline = math.inf
        self.lifetime.count()
        if head.path in HEALTH_PATHS and not is_bucket_host(head, self._worker.snapshot.domains):
            self._answer_health(head)
            return
        self._unread = NO_LENGTH if head.chunked else head.content_length or 0
        self._chunks = ChunkedReader() if head.chunked else None
        exchange = self.exchange = Exchange(self._worker, self, raw, head)
        try:
            exchange.start()
        except S3Error as error:
            exchange.refuse(error)
        except Exception as fault:
            exchange.crash(fault)
        if self._unread and exchange.waits_for_target:
            self._stop_reading()

    def _answer_health(self, head: RequestHead) -> None:
        draining, over = self._worker.draining, self._worker.now >= self.lifetime.end
        keep = head.keep_alive and not (draining or over or head.content_length or head.chunked)
        refuses = b"draining" if draining else b""
        if head.path == READY_PATH and self._worker.full:
            refuses = refuses or b"full"
        self.send(health_response(head, refuses=refuses, keep=keep))
        self.finish(keep=keep)

    def _refuse_head(self, fault: S3Error, came: bytes = b"") -> None:
        """Answer a head that was not understood, and close: its framing is unknown."""
        request_id = self._worker.next_request_id()
        if cause := of_request(came):
            self._worker.log.client_mistaken(str(cause), self.remote)
        self._worker.log.head_refused(self.remote, request_id, fault)
        self.send(
            error_response(fault, (request_id, self._worker.host_id), to_head=False, keep=False)
        )
        self._close()

    def _crash(self, fault: Exception) -> None:
        if self.exchange is not None:
            self.exchange.crash(fault)
        else:
            self._worker.log.crash(fault)
            self.abort()

    # --- reading, closing ---

    def _stop_reading(self) -> None:
        if self._reading and not self._closing:
            self._reading = False
            self.transport.pause_reading()

    def _read_on(self) -> None:
        if not self._reading and not self.transport.is_closing():
            self._reading = True
            self.transport.resume_reading()

    def _await_request(self) -> None:
        """Set the deadline of a kept connection for its next request."""
        wait = _DRAIN_GRACE if self._worker.draining else self._limits.idle_seconds
        self.deadline = self._worker.now + wait

    def _close(self, *, framed: bool = True) -> None:
        """Close so that the answer arrives: closing with bytes unread would reset the connection.

        More bytes may be on their way, so the client always gets time to close first.
        """
        self._closing = True
        self.deadline = self._worker.now
        if not self._end_stream(framed=framed) or self._half_closed:  # no more bytes can come
            return
        self.deadline += self._limits.discard_seconds
        self._read_on()
        self._ahead, unseen = b"", len(self._ahead)
        self._discard(unseen)

    def _discard(self, count: int) -> None:
        self._discarded += count
        if self._discarded > self._limits.discard_bytes:
            self._close_when_taken()
            if not self.transport.is_closing():  # the client has not got the whole answer yet
                self.transport.pause_reading()

    # --- time ---

    def sweep(self, now: float) -> None:
        """End what is past its deadline; called about twice a second."""
        if now >= self._send_deadline:
            self._expire_reader()
        elif now >= self.deadline:
            self._expire()
        elif self._unread and self.deadline != math.inf and self._too_slow(now):
            self._time_out_body()

    def drain(self) -> None:
        """Shorten the deadline of an idle connection: the worker drains."""
        if not (self.exchange or self._closing or self._heads.begun or self._waits):
            self._await_request()

    def _restart_body_time(self) -> None:
        """Start the client's time for its body anew."""
        now = self._body_since = self._worker.now
        self.deadline = now + self._limits.body_idle_seconds
        self._body_bytes = 0

    def _too_slow(self, now: float) -> bool:
        seconds = now - self._body_since
        return (
            self.exchange is not None
            and self.exchange.wants_body
            and seconds > self._limits.minimum_rate_grace_seconds
            and self._body_bytes < seconds * self._limits.minimum_rate_bytes
        )

    def _expire(self) -> None:
        if self._closing:
            self._close_when_taken()
        elif self.exchange is not None:
            if self.exchange.wants_body:
                self._time_out_body()
            else:
                self.deadline = math.inf  # an early answer: its target has the deadline
        elif self._heads.begun:
            self._refuse_head(HeadFault(REQUEST_TIMEOUT))
        else:
            self._closing = True
            self._await_reader()
            self._close_when_taken()

    def _time_out_body(self) -> None:
        if self.exchange is not None:
            self.exchange.wants_close = True
            self.exchange.refuse(S3Error(REQUEST_TIMEOUT))
