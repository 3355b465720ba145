"""An answer of a target that is held back until it is known whether the client may see it.

Rules: at most MAX_HELD_BYTES of the body are kept; what must happen next is decided once, at
the end of the body or when it turns out longer; a request goes out again only if nothing of its
body is gone, once for another region and once for other credentials. A refused signature or a
redirect says that nothing was done, so another region is asked whatever the method; other
credentials only for idempotent ones. An answer to HEAD has no document that says what was refused:
a question whose answer has one is asked, but not again while the last one came out well
(`renewals`).

Not here: what an answer means (`refusals`), the states of a request (`exchange`).
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
    MAX_HELD_BYTES,
    OtherRegion,
    RedirectsToItself,
    SignatureRefused,
    classify_refusal,
)
from fastpath.signing.sigv4.sign import Signer, Unsigned
from fastpath.sockets.diagnosis import TLS_ON_PLAIN, wants_tls
from fastpath.upstream.bucket_regions import stays_home
from fastpath.upstream.retry import REPLAYABLE

if TYPE_CHECKING:
    from fastpath.dialects.translation import Reply
    from fastpath.exchange.exchange import Exchange
    from fastpath.request.admission import Admission
    from fastpath.worker.state import Service


# A code as S3 and its like have them; anything else is not for a log.
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class Next(IntEnum):
    """What becomes of a held answer."""

    RELAY = 0
    REFUSE = 1  # the client is told to come again
    AGAIN = 2  # the request goes out again
    RENEW = 3  # the same, if other credentials are here or come in time
    ASK = 4  # a question tells whether it is about the gateway's signature


class Held:
    """An answer that nothing of was sent to the client."""

    __slots__ = ("_most", "_pieces", "_size", "early", "head", "kind", "raw")

    def __init__(
        self,
        raw: bytes,
        head: ResponseHead,
        kind: BodyKind,
        *,
        early: bool,
        most: int = MAX_HELD_BYTES,
    ) -> None:
        self._most = most
        self.raw = raw
        self.head = head
        self.kind = kind
        self.early = early  # the request was not complete
        self._pieces: list[bytes] = []
        self._size = 0

    def take(self, data: bytes) -> bool:
        """Keep a piece; False when there is enough to classify the response."""
        self._pieces.append(data)
        self._size += len(data)
        return self._size < self._most

    def code(self) -> str:
        """The code of the error document that came so far; empty if there is none yet."""
        body = self.body
        if b"</Code>" not in body or b"content-encoding" in self.head.fields:
            return ""
        code = read_error(body[: self._most]).get("Code", "")
        return code if _CODE.fullmatch(code) else ""

    @property
    def body(self) -> bytes:
        """What came of the body."""
        return b"".join(self._pieces)


def decide(exchange: Exchange, held: Held, service: Service) -> Next:
    """What becomes of a held answer; leads the request on if its bucket is elsewhere."""
    admission = exchange.admission
    signer, target = admission.signer, admission.target
    assert signer is not None  # admitted
    assert target is not None
    if target.route.tls is None and wants_tls(held.head.status, held.body):
        service.journal.upstream_fault(exchange, str(TLS_ON_PLAIN))
        return Next.REFUSE
    refusal = classify_refusal(
        held.head.status,
        held.head.fields,
        held.body[:MAX_HELD_BYTES],
        signer.region,
        regions=target.profile.has_regions and not stays_home(admission),
        key_id=b"" if isinstance(signer, Unsigned) else signer.access_key_id,
        host=target.route.host,
    )
    replayable = not held.early and not exchange.body_taken
    if isinstance(refusal, OtherRegion):
        return _other_region(exchange, refusal, service, replayable=replayable)
    if isinstance(refusal, RedirectsToItself):
        text = f"redirects to itself, at {refusal.location}: is the scheme of its endpoint right?"
        service.journal.upstream_fault(exchange, text)
        return Next.REFUSE
    if isinstance(signer, Unsigned):
        return Next.RELAY
    if refusal is not None:
        return _refused(exchange, refusal, service, replayable=replayable)
    is_mute = exchange.head.method == b"HEAD" and held.head.status >= 400
    return Next.ASK if is_mute and service.renewals.doubts(target.name) else Next.RELAY


def question_of_signature(admission: Admission) -> Question:
    """What is asked if an answer does not say whether it is about the gateway's signature."""
    assert admission.address is not None  # admitted
    bucket = admission.address.bucket
    return Question(b"/" + bucket, b"location=" if bucket else b"")


def conclude(exchange: Exchange, reply: Reply | None, service: Service) -> Next:
    """What becomes of an answer to HEAD, now that the reply to that question is here."""
    signer, target = exchange.admission.signer, exchange.admission.target
    assert isinstance(signer, Signer)  # admitted, and signed
    assert target is not None
    if reply is None or reply.status >= 500:
        return Next.RELAY
    refusal = classify_refusal(reply.status, reply.fields, reply.body, signer.region, regions=False)
    if isinstance(refusal, SignatureRefused):
        return _refused(exchange, refusal, service, replayable=True)
    service.renewals.trust(target.name)
    return Next.RELAY


def _other_region(
    exchange: Exchange, refusal: OtherRegion, service: Service, *, replayable: bool
) -> Next:
    region = refusal.region.decode()
    if Next.AGAIN in exchange.detours:
        service.journal.upstream_fault(exchange, f"redirected in a circle, now to {region}")
        return Next.REFUSE
    admission = exchange.admission
    assert admission.decision is not None  # admitted
    home = exchange.snapshot.targets[admission.decision.target]
    if not service.places.learn(admission, home, refusal.region):
        return Next.RELAY
    service.row[Slot.REDIRECTED] += 1
    service.journal.bucket_found(exchange, region)
    return Next.AGAIN if replayable else Next.REFUSE  # the client's next try goes there at once


def _refused(
    exchange: Exchange, refusal: SignatureRefused, service: Service, *, replayable: bool
) -> Next:
    target = exchange.admission.target
    assert target is not None  # admitted
    service.row[Slot.SIGNATURES_REFUSED] += 1
    if Next.RENEW in exchange.detours:
        return Next.REFUSE
    service.journal.upstream_fault(exchange, f"refused the gateway's signature: {refusal.code}")
    if not refusal.renew:
        return Next.REFUSE
    service.renewals.ask(target.name)
    return Next.RENEW if replayable and exchange.head.method in REPLAYABLE else Next.REFUSE
