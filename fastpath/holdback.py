"""An answer of a target that is held back until it is known whether the client may see it.

Rules: at most MAX_HELD bytes of the body are kept; what must happen next is decided once, at the
end of the body or when it turns out longer; a request goes out again only if nothing of its body
is gone, once for another region and once for other credentials. A refused signature or a redirect
says that nothing was done, so another region is asked whatever the method; other credentials only
for idempotent ones.

Not here: what an answer means (`verdict`), the states of a request (`exchange`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from fastpath.counters import Slot
from fastpath.framing import BodyKind
from fastpath.head import ResponseHead
from fastpath.places import stays_home
from fastpath.retry import REPLAYABLE
from fastpath.sigv4.sign import Unsigned
from fastpath.verdict import MAX_HELD, Elsewhere, Hidden, judge

if TYPE_CHECKING:
    from fastpath.exchange import Exchange
    from fastpath.service import Service


class Next(IntEnum):
    """What becomes of a held answer."""

    RELAY = 0
    REFUSE = 1  # the client is told to come again
    AGAIN = 2  # the request goes out again
    RENEW = 3  # the same, if other credentials are here or come in time


class Held:
    """An answer that nothing of was sent to the client."""

    __slots__ = ("_pieces", "_size", "early", "head", "kind", "raw")

    def __init__(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, early: bool) -> None:
        self.raw = raw
        self.head = head
        self.kind = kind
        self.early = early  # the request was not complete
        self._pieces: list[bytes] = []
        self._size = 0

    def take(self, data: bytes) -> bool:
        """Keep a piece; False when there is enough to judge by."""
        self._pieces.append(data)
        self._size += len(data)
        return self._size < MAX_HELD

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
    verdict = judge(
        held.head.status,
        held.head.fields,
        held.body[:MAX_HELD],
        signer.region,
        regions=target.profile.has_regions and not stays_home(admission),
    )
    replayable = not held.early and not exchange.bytes_in
    if isinstance(verdict, Elsewhere):
        return _elsewhere(exchange, verdict, service, replayable=replayable)
    if verdict is not None and not isinstance(signer, Unsigned):
        return _refused(exchange, verdict, service, replayable=replayable)
    return Next.RELAY


def _elsewhere(
    exchange: Exchange, verdict: Elsewhere, service: Service, *, replayable: bool
) -> Next:
    region = verdict.region.decode()
    if Next.AGAIN in exchange.detours:
        service.journal.upstream_fault(exchange, f"redirected in a circle, now to {region}")
        return Next.REFUSE
    admission = exchange.admission
    assert admission.decision is not None  # admitted
    home = exchange.snapshot.targets[admission.decision.target]
    if not service.places.learn(admission, home, verdict.region):
        return Next.RELAY
    service.row[Slot.REDIRECTED] += 1
    service.journal.bucket_found(exchange, region)
    return Next.AGAIN if replayable else Next.REFUSE  # the client's next try goes there at once


def _refused(exchange: Exchange, verdict: Hidden, service: Service, *, replayable: bool) -> Next:
    target = exchange.admission.target
    assert target is not None  # admitted
    service.row[Slot.SIGNATURES_REFUSED] += 1
    if Next.RENEW in exchange.detours:
        return Next.REFUSE
    service.journal.upstream_fault(exchange, f"refused the gateway's signature: {verdict.code}")
    if not verdict.renew:
        return Next.REFUSE
    service.renewals.ask(target.name)
    return Next.RENEW if replayable and exchange.head.method in REPLAYABLE else Next.REFUSE
