"""One client connection: cuts requests out of the byte stream, one exchange at a time.

Rules: pipelined requests are answered in order, their bytes kept up to a bound, then reading stops;
one exchange never leaves bytes for the next: bodies are counted here, and an answer that comes
before its request was read is followed by a bounded reading-away or by the end of the connection
(RFC 9112 section 9.6); a head that was not understood ends the connection; no time is unbounded.

Not here: what a request means (`admission`), what happens to it (`exchange`).
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, cast

from fastpath.client.writing import WritingHalf
from fastpath.errors import BAD_REQUEST, REQUEST_TIMEOUT, SLOW_DOWN, HeadFault, S3Error
from fastpath.exchange.base import NO_LENGTH
from fastpath.exchange.exchange import Exchange
from fastpath.http.framing import ChunkedReader
from fastpath.http.head import HeadBuffer, RequestHead, ResponseFault, parse_request_head
from fastpath.response.heads import error_response, health_response
from fastpath.s3.addressing import is_bucket_host
from fastpath.sockets.read_buffers import FIRST_READ, NEXT_READ, room_of
from fastpath.sockets.splice import Flow

if TYPE_CHECKING:
    from fastpath.exchange.splice_ends import RequestSink
    from fastpath.worker.state import Service

READY_PATH = b"/-/readyz"
HEALTH_PATHS = (b"/-/healthz", READY_PATH)
_DRAIN_GRACE = 1.0  # seconds an idle connection may still use for a request that is on its way


class DownstreamConnection(WritingHalf):
    """The whole of it; `deadline` is for what the client is to send."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        # connection
        self.remote = ""
        self.secure = False
        self._heads = HeadBuffer(self._limits)
        self._ahead = b""  # received, not yet looked at
        self._pumping = False
        self._served = False  # a request, since what came was looked at
        self._waits = False  # for its turn
        self._half_closed = False  # by the client
        self._reading_away = 0  # bytes of a closing connection thrown away so far
        self._reading = True
        self._room = NEXT_READ  # for bodies
        # exchange
        self.exchange: Exchange | None = None
        self._unread = 0  # bytes of the current request's body that have not come yet
        self._chunks: ChunkedReader | None = None  # that body comes in HTTP chunks
        self._body_since = 0.0
        self._body_bytes = 0
        self._flow: Flow | None = None  # the rest of the body, when the kernel moves it
        self._sink: RequestSink | None = None  # where to
        self._held = False  # by a target that is slower

    def __repr__(self) -> str:
        state = "closing" if self._closing else "idle" if self.exchange is None else "busy"
        return f"<DownstreamConnection {self.remote} {state}>"

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.remote = f"{peer[0]}:{peer[1]}" if peer else ""
        self.secure = transport.get_extra_info("ssl_object") is not None
        if self._service.splicer is not None and not self.secure:
            self.descriptor = transport.get_extra_info("socket").fileno()
        # Paused means not empty then, and resumed empty: the rest of an answer may be spliced.
        high = self._limits.write_buffer_bytes if self.descriptor < 0 else 0
        self.transport.set_write_buffer_limits(high=high)
        self._room = room_of(self.transport)
        self._await_request()
        if not self._service.enter(self):
            self._refuse_head(S3Error(SLOW_DOWN, retry_after=1))
            if self._service.overfull:  # those that are told so take descriptors, too
                self.transport.close()

    def get_buffer(self, sizehint: int) -> memoryview:
        # A small first read leaves the rest of a large body to the kernel.
        return self._room if self._unread else FIRST_READ

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes((self._room if self._unread else FIRST_READ)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """What a read brought."""
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
        """The client sends no more: what it has asked for is answered, but half a request never.

        One that left altogether looks the same until something is written to it: its target works
        up to its answer, and is left when a write fails. Under TLS the loop ends both directions
        with the first, whatever is returned here.
        """
        self._service.outbox.push(self.transport)
        if self.secure or self._unread:
            return False
        self._half_closed = True
        if self.exchange is not None or self._ahead:
            return True
        if not self._closing and self.transport.get_write_buffer_size():
            self._close()
        return self.transport.get_write_buffer_size() > 0

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.leave(self)
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

    # --- what an exchange asks of it ---

    def pause_body(self) -> None:
        """Read no more of the request: the target is slower."""
        if self._unread:  # else there is no more of it, and a client that leaves is to be noticed
            self._held = True
            self._stop_reading()
            self.deadline = math.inf

    def resume_body(self) -> None:
        """The body is wanted: hand over what came already, then read on."""
        self._stop_flow()
        self._held = False
        self._count_anew()
        self._read_on()
        if self._ahead:
            self._pump()
        elif self._unread >= self._limits.splice_bytes and self.exchange is not None:
            self._offer_rest(self.exchange)

    def finish(self, *, keep: bool) -> None:
        """The answer is written; the next request, or the end of the connection."""
        self._stop_flow()
        self._held = False
        exchange, self.exchange = self.exchange, None
        if not keep:
            # HTTP/1.0 has no chunks: what has no length ends with the connection.
            self._close(told=exchange is None or exchange.head.http_minor > 0)
            return
        self._read_on()
        self._await_request()
        if self._ahead or self._half_closed:
            self._pump()

    def abort(self) -> None:
        """Reset the connection: what was sent so far must not look whole."""
        self._stop_flow()
        super().abort()

    # --- bytes in ---

    def _pump(self) -> None:
        """Look at what came, as far as it can be used now."""
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
        """Nothing more can come: close, unless there is an answer to wait for."""
        exchange = self.exchange
        if exchange is not None:
            if not self._unread or not (exchange.wants_body or exchange.waits_for_target):
                return
            self.exchange = None
            exchange.client_lost()
        self._close()

    def _step(self) -> bool:
        """Use up some of what came; False when the rest must wait."""
        if self._closing:
            self._read_away(len(self._ahead))
            self._ahead = b""
            return False
        exchange = self.exchange
        if self._unread:
            if exchange is not None and exchange.waits_for_target:
                self._stop_reading()  # what came is enough to keep
                return False
            piece, self._ahead = self._ahead[: self._unread], self._ahead[self._unread :]
            if exchange is not None and exchange.wants_body:
                self._pass_body(exchange, piece)
            else:
                self._unread -= len(piece)
            return True
        if exchange is not None or self._write_paused:
            # A client that asks on without reading would have its answers pile up here.
            return False
        if self._served or self._waits:
            self._wait_for_turn()
            return False
        return self._take_head()

    def _wait_for_turn(self) -> None:
        if not self._waits:
            self._waits = True
            self.deadline = math.inf
            self._service.turns.wait(self)

    def take_turn(self) -> None:
        """Serve the next of the requests that were read behind another."""
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
        self.deadline = math.inf if last else self._service.now + self._limits.body_idle_seconds
        exchange.request_bytes(data, last)
        if self._unread >= self._limits.splice_bytes:
            self._offer_rest(exchange)

    # --- the rest of a body, moved by the kernel ---

    def _offer_rest(self, exchange: Exchange) -> None:
        """Have the rest spliced, unless somebody looks at it or waits to be written before it."""
        if self.descriptor < 0 or self._chunks is not None or self._ahead or self._closing:
            return
        if self.exchange is not exchange or self._flow is not None:
            return
        splicer, sink = self._service.splicer, exchange.request_sink()
        if splicer is None or sink is None or not sink.flushed():
            return
        self._sink = sink
        flow = splicer.begin(self.descriptor, sink.descriptor, self._unread, self)
        if flow is not None:
            self._flow = flow
            flow.pump()
            if not flow.over:  # it reads the socket from now on
                self._stop_reading()

    def flow_moved(self, count: int) -> None:
        """The target has more of the body."""
        self._unread -= count
        self._body_bytes += count
        self.deadline = self._service.now + self._limits.body_idle_seconds
        assert self._sink is not None  # whoever leaves stops the flow
        self._sink.moved(count)

    def flow_stuck(self) -> None:
        """The target is slower: its time counts, not the client's."""
        self.deadline = math.inf
        assert self._sink is not None
        self._sink.stuck(stuck=True)

    def flow_freed(self) -> None:
        """The target takes bytes again."""
        self._count_anew()
        assert self._sink is not None
        self._sink.stuck(stuck=False)

    def flow_done(self) -> None:
        """The whole body is with the target."""
        self._flow = None
        self.deadline = math.inf
        self._read_on()

    def flow_broken(self, reason: str, *, source: bool) -> None:
        """The client left, or the target's connection broke: its transport will say so."""
        self._flow = None
        if source:
            self.abort()

    def crash(self, fault: Exception) -> None:
        """A defect of ours showed in the flow."""
        self._crash(fault)

    def _stop_flow(self) -> None:
        """Copy from here on; what of the body the flow has taken is gone."""
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
                    self.deadline = self._service.now + self._limits.head_seconds
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
        if head.path in HEALTH_PATHS and not is_bucket_host(head, self._service.snapshot.domains):
            self._answer_health(head)
            return
        self._unread = NO_LENGTH if head.chunked else head.content_length or 0
        self._chunks = ChunkedReader() if head.chunked else None
        exchange = self.exchange = Exchange(self._service, self, raw, head)
        try:
            exchange.start()
        except S3Error as error:
            exchange.refuse(error)
        except Exception as fault:
            exchange.crash(fault)
        if self._unread and exchange.waits_for_target:
            self._stop_reading()

    def _answer_health(self, head: RequestHead) -> None:
        draining, over = self._service.draining, self._service.now >= self.lifetime.end
        keep = head.keep_alive and not (draining or over or head.content_length or head.chunked)
        refuses = b"draining" if draining else b""
        if head.path == READY_PATH and self._service.full:
            refuses = refuses or b"full"
        self.send(health_response(head, refuses=refuses, keep=keep))
        self.finish(keep=keep)

    def _refuse_head(self, fault: S3Error, came: bytes = b"") -> None:
        """Answer a head that was not understood; how its bytes are framed is unknown: close."""
        request_id = self._service.next_request_id()
        self._service.journal.head_refused(self, request_id, fault, came)
        self.send(
            error_response(fault, (request_id, self._service.host_id), to_head=False, keep=False)
        )
        self._close()

    def _crash(self, fault: Exception) -> None:
        if self.exchange is not None:
            self.exchange.crash(fault)
        else:
            self._service.journal.crash(None, fault)
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
        """Wait for the next request, for as long as a kept connection may be silent."""
        wait = _DRAIN_GRACE if self._service.draining else self._limits.idle_seconds
        self.deadline = self._service.now + wait

    def _close(self, *, told: bool = True) -> None:
        """Close so that the answer arrives: a close with bytes unread would reset it away.

        Nobody knows what is on its way, so the client always has the time to close first.
        """
        self._closing = True
        self.deadline = self._service.now
        if not self._end_stream(told=told) or self._half_closed:  # then nothing is on its way
            return
        self.deadline += self._limits.discard_seconds
        self._read_on()
        self._ahead, unseen = b"", len(self._ahead)
        self._read_away(unseen)

    def _read_away(self, count: int) -> None:
        self._reading_away += count
        if self._reading_away > self._limits.discard_bytes:
            self._hang_up()
            if not self.transport.is_closing():  # the answer is not through yet
                self.transport.pause_reading()

    # --- time ---

    def sweep(self, now: float) -> None:
        """Called about twice a second: hold the client to its deadlines."""
        if now >= self._send_deadline:
            self._expire_reader()
        elif now >= self.deadline:
            self._expire()
        elif self._unread and self.deadline != math.inf and self._too_slow(now):
            self._time_out_body()

    def drain(self) -> None:
        """The worker leaves: an idle connection gets a short grace, a busy one its answer."""
        if not (self.exchange or self._closing or self._heads.begun or self._waits):
            self._await_request()

    def _count_anew(self) -> None:
        """The client's time for its body begins now, again."""
        now = self._body_since = self._service.now
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
            self._hang_up()
        elif self.exchange is not None:
            if self.exchange.wants_body:
                self._time_out_body()
            else:
                self.deadline = math.inf  # an early answer flows: its target has the deadlines
        elif self._heads.begun:
            self._refuse_head(HeadFault(REQUEST_TIMEOUT))
        else:
            self._closing = True
            self._await_reader()
            self._hang_up()

    def _time_out_body(self) -> None:
        if self.exchange is not None:
            self.exchange.wants_close = True
            self.exchange.refuse(S3Error(REQUEST_TIMEOUT))
