"""The gateway buffers a response of a target until it knows whether the client may see it.

Rules: at most MAX_BUFFERED_BYTES of the body are buffered. The next step is decided once, at the
end of the body or when the buffer is full. The gateway sends a request again only if no byte of
its body is gone: once to another region, once with other credentials. A refused signature or a
redirect proves that the target did nothing, so any method may go to another region; only
idempotent ones go up with other credentials. A response to HEAD has no document that names the
refusal: a subrequest asks for one, but not while the last such check is recent
(`credential_refresh`).
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING

from fastpath.dialects.translation import Question
from fastpath.http.framing import BodyKind
from fastpath.http.head import ResponseHead
from fastpath.ipc.counters import Slot
from fastpath.s3.error_documents import read_error
from fastpath.s3.refusals import (
    MAX_BUFFERED_BYTES,
    OtherRegion,
    RedirectsToItself,
    SignatureRefused,
    classify_refusal,
)
from fastpath.signing.sigv4.sign import Signer, Unsigned
from fastpath.sockets.diagnosis import TLS_ON_PLAIN, wants_tls
from fastpath.upstream.bucket_regions import relays_redirects
from fastpath.upstream.retry import REPLAYABLE

if TYPE_CHECKING:
    from fastpath.dialects.translation import Reply
    from fastpath.exchange.exchange import Exchange
    from fastpath.exchange.worker_protocol import Worker
    from fastpath.request.admitted import Admitted


# The form of error codes of S3 and its like; nothing else is logged as one.
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class NextStep(IntEnum):
    """What the gateway does with a buffered response."""

    RELAY = 0
    REFUSE = 1  # answer 503, so that the client tries again
    RESEND = 2  # send the request again
    REFRESH = 3  # send it again with other credentials, if they are here or come in time
    ASK = 4  # ask the target whether it refused the gateway's signature


class BufferedResponse:
    """A response of which no byte was sent to the client."""

    __slots__ = ("_most", "_pieces", "_size", "early", "head", "kind", "raw")

    def __init__(
        self,
        raw: bytes,
        head: ResponseHead,
        kind: BodyKind,
        *,
        early: bool,
        most: int = MAX_BUFFERED_BYTES,
    ) -> None:
        self._most = most
        self.raw = raw
        self.head = head
        self.kind = kind
        self.early = early  # the request was not complete
        self._pieces: list[bytes] = []
        self._size = 0

    def take(self, data: bytes) -> bool:
        """Buffer a piece of the body; False when the buffer is full."""
        self._pieces.append(data)
        self._size += len(data)
        return self._size < self._most

    def code(self) -> str:
        """The error code in the part of the body that is here; empty if there is none yet."""
        body = self.body
        if b"</Code>" not in body or b"content-encoding" in self.head.fields:
            return ""
        code = read_error(body[: self._most]).get("Code", "")
        return code if _CODE.fullmatch(code) else ""

    @property
    def body(self) -> bytes:
        """The part of the body that is here."""
        return b"".join(self._pieces)


def decide(exchange: Exchange, buffered: BufferedResponse, worker: Worker) -> NextStep:
    """The next step after a buffered response; redirects the request to its bucket's region."""
    admitted = exchange.admitted
    signer, target = admitted.signer, admitted.target
    if target.route.tls is None and wants_tls(buffered.head.status, buffered.body):
        worker.log.target_failed(exchange, str(TLS_ON_PLAIN))
        return NextStep.REFUSE
    refusal = classify_refusal(
        buffered.head.status,
        buffered.head.fields,
        buffered.body[:MAX_BUFFERED_BYTES],
        signer.region,
        regions=target.profile.has_regions and not relays_redirects(admitted),
        key_id=b"" if isinstance(signer, Unsigned) else signer.access_key_id,
        host=target.route.host,
    )
    replayable = not buffered.early and not exchange.body_taken
    if isinstance(refusal, OtherRegion):
        return _other_region(exchange, refusal, worker, replayable=replayable)
    if isinstance(refusal, RedirectsToItself):
        text = f"redirects to itself, at {refusal.location}: is the scheme of its endpoint right?"
        worker.log.target_failed(exchange, text)
        return NextStep.REFUSE
    if isinstance(signer, Unsigned):
        return NextStep.RELAY
    if refusal is not None:
        return _refused(exchange, refusal, worker, replayable=replayable)
    is_mute = exchange.head.method == b"HEAD" and buffered.head.status >= 400
    return (
        NextStep.ASK
        if is_mute and worker.credential_refresh.check_is_due(target.name)
        else NextStep.RELAY
    )


def signature_question(admitted: Admitted) -> Question:
    """The question whose reply shows whether the target refuses the gateway's signature."""
    bucket = admitted.upstream_address.bucket
    return Question(b"/" + bucket, b"location=" if bucket else b"")


def conclude(exchange: Exchange, reply: Reply | None, worker: Worker) -> NextStep:
    """The next step after a buffered response to HEAD, by the reply to that question."""
    signer, target = exchange.admitted.signer, exchange.admitted.target
    assert isinstance(signer, Signer)  # an unsigned request has no signature to refuse
    if reply is None or reply.status >= 500:
        return NextStep.RELAY
    refusal = classify_refusal(reply.status, reply.fields, reply.body, signer.region, regions=False)
    if isinstance(refusal, SignatureRefused):
        return _refused(exchange, refusal, worker, replayable=True)
    worker.credential_refresh.confirm(target.name)
    return NextStep.RELAY


def _other_region(
    exchange: Exchange, refusal: OtherRegion, worker: Worker, *, replayable: bool
) -> NextStep:
    region = refusal.region.decode()
    if NextStep.RESEND in exchange.resent_for:
        worker.log.target_failed(exchange, f"redirected in a circle, now to {region}")
        return NextStep.REFUSE
    admitted = exchange.admitted
    home = exchange.snapshot.targets[admitted.decision.target]
    moved = worker.bucket_regions.record_redirect(admitted, home, refusal.region)
    if moved is None:
        return NextStep.RELAY
    exchange.admitted = moved
    worker.row[Slot.REDIRECTED] += 1
    worker.log.bucket_found(exchange, region)
    return (
        NextStep.RESEND if replayable else NextStep.REFUSE
    )  # the client's next try goes there at once


def _refused(
    exchange: Exchange, refusal: SignatureRefused, worker: Worker, *, replayable: bool
) -> NextStep:
    target = exchange.admitted.target
    worker.row[Slot.SIGNATURES_REFUSED] += 1
    if NextStep.REFRESH in exchange.resent_for:
        return NextStep.REFUSE
    worker.log.target_failed(exchange, f"refused the gateway's signature: {refusal.code}")
    if not refusal.renew:
        return NextStep.REFUSE
    worker.credential_refresh.request(target.name)
    return (
        NextStep.REFRESH if replayable and exchange.head.method in REPLAYABLE else NextStep.REFUSE
    )
