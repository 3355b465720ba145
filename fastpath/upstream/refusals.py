"""Response filters for what a target refuses of the gateway's own: its region, its signature.

Both serve the relay and calls. `s3.refusals` says what a response means; here is what is done.

Rules: what is refused is decided once the document is here, or its first MAX_BUFFERED_BYTES. A
request goes up again once to another region and once with other credentials. A refused signature or
a redirect proves that the target did nothing, so any method may go to another region; only
idempotent ones go up with other credentials. A response to HEAD has no document that names the
refusal: a question asks for one, but not while the last such check is recent
(`credential_refresh`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.ipc.counters import Slot
from fastpath.ipc.log import Logged
from fastpath.response.filters import Buffer, Question, Reason, ResponseFilter, SendAgain
from fastpath.s3.refusals import (
    MAX_BUFFERED_BYTES,
    REDIRECT_STATUSES,
    SIGNATURE_STATUSES,
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
    from fastpath.http.head import ResponseHead
    from fastpath.ipc.log import WorkerLog
    from fastpath.ipc.meter import Meter
    from fastpath.response.filters import Reply, Step
    from fastpath.routing.snapshot import Target
    from fastpath.s3.refusals import Refusal
    from fastpath.upstream.bucket_regions import BucketRegions
    from fastpath.upstream.credential_refresh import CredentialRefresh

_BUFFER = Buffer(MAX_BUFFERED_BYTES)


class AnsweredRequest(NamedTuple):
    """A request that a target has answered.

    logged: the exchange or call that it is of.
    home: the target as the configuration has it.
    target: the one that answered: the home, or the same in another region.
    resent_for: why it went up again before.
    """

    logged: Logged
    method: bytes
    operation: str
    bucket: bytes
    home: Target
    target: Target
    signer: Signer | Unsigned
    resent_for: frozenset[Reason]


class RefusalWorker(Protocol):
    """What the filters use of their worker."""

    log: WorkerLog
    meter: Meter
    row: memoryview
    bucket_regions: BucketRegions
    credential_refresh: CredentialRefresh


class _RefusalFilter(ResponseFilter):
    """What both have in common: they classify the buffered response."""

    def __init__(self, request: AnsweredRequest, worker: RefusalWorker) -> None:
        self._request = request
        self._worker = worker
        self._head: ResponseHead

    def _classify(self, body: bytes, *, regions: bool) -> Refusal:
        request, signer = self._request, self._request.signer
        return classify_refusal(
            self._head.status,
            self._head.fields,
            body[:MAX_BUFFERED_BYTES],
            signer.region,
            regions=regions,
            key_id=b"" if isinstance(signer, Unsigned) else signer.access_key_id,
            host=request.target.route.host,
        )

    def _blame(self, reason: str) -> S3Error:
        """Log what the target did; returns the error for the client."""
        self._worker.log.target_failed(self._request.logged, reason)
        return S3Error(SERVICE_UNAVAILABLE, retry_after=1)


class RegionRedirects(_RefusalFilter):
    """Follows a target that names another region for the bucket."""

    def head(self, head: ResponseHead) -> Step:
        self._head = head
        return _BUFFER if head.status in REDIRECT_STATUSES else None

    def whole(self, body: bytes, *, complete: bool) -> Step:
        request = self._request
        if request.target.route.tls is None and wants_tls(self._head.status, body):
            raise self._blame(str(TLS_ON_PLAIN))
        has_regions = request.target.profile.has_regions
        refusal = self._classify(
            body, regions=has_regions and not relays_redirects(request.operation)
        )
        if isinstance(refusal, OtherRegion):
            return self._follow(refusal.region)
        if isinstance(refusal, RedirectsToItself):
            raise self._blame(
                f"redirects to itself, at {refusal.location}: is the scheme of its endpoint right?"
            )
        return None

    def _follow(self, region: bytes) -> Step:
        request, name = self._request, region.decode()
        if Reason.REGION in request.resent_for:
            raise self._blame(f"redirected in a circle, now to {name}")
        if not self._worker.bucket_regions.record_redirect(request.home, request.bucket, region):
            return None
        self._worker.row[Slot.REDIRECTED] += 1
        self._worker.log.bucket_found(request.logged, name)
        return SendAgain(Reason.REGION)


class RefusedSignatures(_RefusalFilter):
    """Hides that a target refused the gateway's signature, and has the credentials refreshed."""

    def head(self, head: ResponseHead) -> Step:
        self._head = head
        is_signed = isinstance(self._request.signer, Signer)
        return _BUFFER if is_signed and head.status in SIGNATURE_STATUSES else None

    def whole(self, body: bytes, *, complete: bool) -> Step:
        refusal = self._classify(body, regions=False)
        if isinstance(refusal, SignatureRefused):
            return self._refresh(refusal)
        is_mute = self._request.method == b"HEAD"
        if is_mute and self._worker.credential_refresh.check_is_due(self._request.target.name):
            return signature_question(self._request.bucket)
        return None

    def reply(self, reply: Reply | None) -> Step:
        """Decide about a response to HEAD by the document of another request."""
        signer, refresh = self._request.signer, self._worker.credential_refresh
        if reply is None or reply.status >= 500:
            return None
        refusal = classify_refusal(
            reply.status, reply.fields, reply.body, signer.region, regions=False
        )
        if isinstance(refusal, SignatureRefused):
            return self._refresh(refusal)
        refresh.confirm(self._request.target.name)
        return None

    def _refresh(self, refusal: SignatureRefused) -> Step:
        request, error = self._request, S3Error(SERVICE_UNAVAILABLE, retry_after=1)
        self._worker.row[Slot.SIGNATURES_REFUSED] += 1
        if Reason.CREDENTIALS in request.resent_for:
            raise error
        self._blame(f"refused the gateway's signature: {refusal.code}")
        if not refusal.renew:
            raise error
        self._worker.credential_refresh.request(request.target.name)
        if request.method not in REPLAYABLE:
            raise error
        return SendAgain(Reason.CREDENTIALS)


def signature_question(bucket: bytes) -> Question:
    """The question whose reply shows whether the target refuses the gateway's signature."""
    return Question(b"/" + bucket, b"location=" if bucket else b"")
