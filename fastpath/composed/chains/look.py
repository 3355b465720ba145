"""Looks along a chain for what reads see: the first place that has it.

    404 NoSuchKey, NoSuchBucket, or without a code     the next place
    404 with x-amz-delete-marker                       a deletion: this answer, if no candidate of
                                                       writes comes behind; else the next of them,
                                                       and no fallback
    5xx, no connection, no answer in time              the next place, if the rule says so
    anything else                                      this answer

Rules: if no place has it, all are asked once more, because a writer may have moved the key between
two looks. What a place that gave no answer may have is never called absent, nor deleted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from fastpath.composed.calls import MAX_ERROR, Place, call_at, error_in
from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.s3.error_documents import read_error
from fastpath.upstream.call import Call, CallFailed
from fastpath.upstream.lessee import Failure

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.http.head import ResponseHead
    from fastpath.routing.chain import Chain

Fields = Sequence[tuple[bytes, bytes]]

LOOKS = 2  # at each place, if there are several
_ABSENT = frozenset({"", "NoSuchBucket", "NoSuchKey", "NoSuchVersion"})
_DELETE_MARKER = b"x-amz-delete-marker"
# As `fallback_on` names them.
_NAMES = {Failure.REFUSED: "refused", Failure.BROKEN: "refused", Failure.TIMEOUT: "timeout"}


class Seen(NamedTuple):
    """The answer that a read gets: of the first place that has what was asked for, or refuses it.

    call: its body was not read yet.
    """

    place: Place
    call: Call
    head: ResponseHead

    @property
    def is_there(self) -> bool:
        """Whether the place has it, whatever it answers about it."""
        return self.head.status in (200, 204, 206, 304, 412, 416)


class Absent(S3Error):
    """No place has it: the error for the client."""

    __slots__ = ()


@asynccontextmanager
async def look(  # noqa: PLR0913 (what a request is)
    request: ComposedRequest,
    chain: Chain,
    operation: str,
    bucket: bytes,
    key: bytes,
    *,
    query: Fields = (),
    headers: Fields = (),
) -> AsyncIterator[Seen]:
    """Find what reads see. Raises S3Error (Absent: nothing), CallFailed."""
    walk = _Walk(request, chain)
    for _ in range(LOOKS if len(chain.places) > 1 else 1):
        for number, decision in enumerate(chain.places, 1):
            if walk.has_met_deletion and number > chain.candidates:
                break
            place = Place(bucket, key, decision)
            try:
                async with call_at(request, operation, place, query=query, headers=headers) as call:
                    head = await call.answer()
                    is_last = number >= chain.candidates
                    if not await walk.goes_on(place, call, head, is_last=is_last):
                        yield Seen(place, call, head)
                        return
            except CallFailed as failure:
                if walk.has_ended or not walk.passes(failure):
                    raise
            except S3Error as error:  # of a translation
                if walk.has_ended or not walk.goes_on_after(error):
                    raise
    raise walk.error()


class _Walk:
    """What one look along a chain has met so far."""

    def __init__(self, request: ComposedRequest, chain: Chain) -> None:
        self.has_met_deletion = False  # at a candidate, behind which others may have it
        self.has_ended = False  # what fails from now on, whoever reads the answer has to do with
        self._request = request
        self._passes = chain.passes
        self._failures = 0
        self._absences: list[S3Error] = []

    async def goes_on(self, place: Place, call: Call, head: ResponseHead, *, is_last: bool) -> bool:
        """Whether the next place is asked after this answer; `is_last`: of the candidates.

        Raises CallFailed; S3Error: it says no, whatever comes behind.
        """
        is_deletion = head.fields.get(_DELETE_MARKER) == b"true"
        if head.status == 404 and not (is_deletion and is_last):
            self.has_met_deletion |= is_deletion
            document = await call.document(MAX_ERROR) or b""
            error = error_in(self._request, head.status, document, place)
            if read_error(document).get("Code", "") in _ABSENT:
                self._absences.append(error)
                return True
            self.has_ended = True
            raise self.error() if self._failures else error
        if head.status >= 500 and "5xx" in self._passes:
            self._failures += 1
            return True
        self.has_ended = True
        if head.status == 404 and self._failures:
            raise self.error()
        return False

    def passes(self, failure: CallFailed) -> bool:
        """Whether the next place is asked after this failure."""
        if _NAMES.get(failure.how) not in self._passes:
            return False
        self._failures += 1
        return True

    def goes_on_after(self, error: S3Error) -> bool:
        """Whether the next place is asked after an error that a translation makes of an answer."""
        status = error.kind.status
        if status == 404 and error.kind.code in _ABSENT:
            self._absences.append(error)
            return True
        if status >= 500 and status != 501 and "5xx" in self._passes:
            self._failures += 1
            return True
        return False

    def error(self) -> S3Error:
        """Return the error for the client, after the last place."""
        if self._failures or not self._absences:
            return S3Error(SERVICE_UNAVAILABLE, retry_after=1)
        # That a key is absent says more than that one target has no such bucket.
        by_key = [error for error in self._absences if error.kind.code != "NoSuchBucket"]
        first = (by_key or self._absences)[0]
        return Absent(first.kind, *first.extras, message=first.message)
