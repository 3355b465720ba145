"""One connection of the admin plane: uvicorn's protocol with bounds in bytes and in time.

| while | no longer than | then |
|---|---|---|
| a head is awaited, or is not whole | `HEAD_SECONDS` | it is closed |
| a request is answered | `ANSWER_SECONDS` | it is closed |
| an answer is read, or the next request is awaited | `KEEP_ALIVE_SECONDS` | it is closed |

Rules: closing never waits for a peer that does not read; what a request may have in bytes, and how
many requests may wait behind the one that is answered, is bounded, because uvicorn bounds neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.admin.answers import HEADERS, error_text

HEAD_SECONDS: Final = 10.0
# A reload is answered when every worker serves it (`control.operator_requests.RELOAD_SECONDS`).
ANSWER_SECONDS: Final = 180.0
KEEP_ALIVE_SECONDS: Final = 30
# A head with all that a browser sends, and a body (`app.BODY_BYTES`), are a quarter of it.
REQUEST_BYTES: Final = 65536
# Each waits in memory with its head; a client that pipelines more is not one of ours.
PIPELINED: Final = 8


class TooMuchError(Exception):
    """A client sends more than is held for it."""


class Connection(HttpToolsProtocol):
    """One connection; `leave` is called when it is over."""

    def __init__(self, leave: Callable[[Connection], None], **named: Any) -> None:
        super().__init__(**named)
        self._leave = leave
        self._timer: asyncio.TimerHandle | None = None
        self._request_bytes = 0  # of the request that is being read
        self._is_whole = True  # what was read ends with a request
        self.opening: asyncio.Task[None] | None = None  # makes it
        self.is_made = False  # it has a transport
        self.idle_since = self.loop.time()  # means nothing while a request is answered

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def drop(self) -> None:
        """Ends it at once, in whatever state it is."""
        if self.is_made:
            self.transport.abort()
        elif self.opening is not None:
            self.opening.cancel()
        self._leave(self)

    # Called by the transport

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.is_made = True
        self._until(HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._is_whole and self.is_idle:
            self._until(HEAD_SECONDS)
        super().data_received(data)
        self._request_bytes += 0 if self._is_whole else len(data)
        if self._request_bytes > REQUEST_BYTES and not self.transport.is_closing():
            self._answer_at_once(413, "TooLarge", f"Over {REQUEST_BYTES} bytes in one request.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_timer()
        super().connection_lost(exc)
        self._leave(self)

    # Called by the parser, and by uvicorn

    def on_message_begin(self) -> None:
        self._request_bytes, self._is_whole = 0, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= PIPELINED:
            raise TooMuchError
        super().on_headers_complete()
        self._until(ANSWER_SECONDS)

    def on_message_complete(self) -> None:
        self._is_whole = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.idle_since = self.loop.time()
        self._until(KEEP_ALIVE_SECONDS if self.is_idle else ANSWER_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """Answers what the parser refuses."""
        self._answer_at_once(400, "BadRequest", msg)

    # Ends

    def _answer_at_once(self, status: int, code: str, message: str) -> None:
        """Answers past the application, and closes; a peer that does not read is not waited for."""
        if self.is_idle:  # else it would stand before, or in, the answer to another request
            body = error_text(code, message, "")
            fields = {**HEADERS, "content-type": "application/json", "connection": "close"}
            head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            head += f"content-length: {len(body)}\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()
        self._until(HEAD_SECONDS)

    def _until(self, seconds: float) -> None:
        """Has it dropped in so many seconds, unless something comes of it before."""
        self._end_timer()
        self._timer = self.loop.call_later(seconds, self.drop)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


__all__ = ["Connection"]
