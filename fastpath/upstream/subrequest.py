"""A subrequest is the gateway's own question to a target, while a client's exchange waits for it.

Rules: a subrequest is a GET or HEAD without a body, signed as the client's request was. The reply
is kept to MAX_ANSWER bytes and handed over once, without its content coding; None stands for a
reply that cannot be used. After `cancel` nobody is called. A subrequest is sent a second time only
if the target had closed a kept connection under it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastpath.dialects.translation import Question, Reply
from fastpath.http.content_codings import decoded
from fastpath.request.admitted import Admitted
from fastpath.signing.sigv4.verify import UNSIGNED_PAYLOAD

if TYPE_CHECKING:
    from fastpath.http.framing import BodyKind
    from fastpath.http.head import ResponseHead
    from fastpath.upstream.connection import UpstreamConnection
    from fastpath.upstream.pool import Pool

# 1,000 parts, or names of uploads, are a fifth of it.
MAX_ANSWER = 1 << 20
_NO_CODING = b"accept-encoding: identity\r\n"  # without the line, any would do (RFC 9110 12.5.3)


class Subrequest:
    """One question to a target; `on_reply` is called with its reply, or with None."""

    __slots__ = (
        "_body",
        "_connection",
        "_crash",
        "_head",
        "_holder",
        "_method",
        "_on_reply",
        "_pool",
        "_reply",
        "_size",
    )

    def __init__(
        self,
        head: bytes,
        on_reply: Callable[[Reply | None], None],
        crash: Callable[[BaseException], None],
        method: bytes = b"GET",
    ) -> None:
        self._head = head
        self._method = method
        self._on_reply: Callable[[Reply | None], None] | None = on_reply
        self._crash = crash
        self._pool: Pool | None = None
        self._holder = ""
        self._connection: UpstreamConnection | None = None
        self._reply: ResponseHead | None = None
        self._body: list[bytes] = []
        self._size = 0

    def send(self, pool: Pool, holder: str, *, fresh: bool = False) -> None:
        """Send it as soon as there is a connection, which counts to the `holder`'s share."""
        self._pool = pool
        self._holder = holder
        pool.lease(self, holder, fresh=fresh)

    def cancel(self) -> None:
        """Break it off: nobody waits for the reply any more."""
        self._on_reply = None
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        elif self._pool is not None:
            self._pool.give_up(self)

    def _finish(self, reply: Reply | None) -> None:
        on_reply, self._on_reply = self._on_reply, None
        if on_reply is not None:
            on_reply(reply)

    # --- lessee.Lessee ---

    def leased(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        connection.send_head(self._head, self._method)
        connection.expect_answer_within(connection.timeouts.response_seconds)

    def lease_failed(self, reason: str, *, overload: bool) -> None:
        self._finish(None)

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        self._reply = head

    def answer_bytes(self, data: bytes) -> None:
        self._body.append(data)
        self._size += len(data)
        if self._size > MAX_ANSWER and self._connection is not None:
            self._connection.abort()
            self._connection = None
            self._finish(None)

    def answer_sink(self) -> None:
        """Nothing is spliced: the reply is read here."""

    def answer_complete(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            assert self._reply is not None  # it is complete
            connection.release(request_read=True)
            coding = self._reply.fields.get(b"content-encoding", b"")
            body = b"".join(self._body)
            if body and coding:
                body = decoded(body, coding, MAX_ANSWER) or b""
            self._finish(Reply(self._reply.status, body, self._reply.fields))

    def upstream_lost(self, reason: str, *, stale: bool) -> None:
        self._connection = None
        if stale and self._pool is not None:
            self._pool.lease(self, self._holder, fresh=True)
        else:
            self._finish(None)

    def crash(self, fault: Exception) -> None:
        self.cancel()
        self._crash(fault)

    def upstream_paused(self) -> None:
        """Do nothing: a head fits into any buffer."""

    def upstream_resumed(self) -> None:
        """Do nothing, for the same reason."""


def subrequest_head(admitted: Admitted, question: Question, now: float) -> bytes:
    """The head of a question to the target of an admitted request; `now` in epoch seconds."""
    target = admitted.target
    path, query, method = question
    signatures = admitted.signer.sign(
        method, path, query, target.authority, (), UNSIGNED_PAYLOAD, now
    )
    opening = b"%b %b%b HTTP/1.1\r\nhost: %b\r\n" % (
        method,
        path,
        b"?" + query if query else b"",
        target.authority,
    )
    return b"".join([opening, *signatures, _NO_CODING, b"\r\n"])
