"""DeleteObjects of keys that are in several places: one request to each, and one answer.

    entries of the client -> those of each place -> a DeleteObjects there -> a row for each entry

A key that several places may have is deleted at each of them, the last in the order of reads first,
and once more at the candidates behind the first; its row is that of the place where reads look
first, or of the first that failed. A place behind the first that has no such bucket has none of the
keys.

Rules: nothing is sent before the client's document was verified and read as a whole. Each entry has
one row in the answer, in the client's order: what its target says of it, or an error. A place that
fails as a whole fails its own entries alone; the others are deleted. Nothing that a target may have
done is sent again, because in a bucket with versions a key that is deleted twice has two delete
markers: the client gets InternalError for these keys, and decides. A client that leaves ends what
is under way: a target may still do what it has got, and the log has a line of each request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from fastpath.composed.calls import (
    MAX_ERROR,
    Place,
    call_at,
    client_error,
    error_in,
    translation_of,
)
from fastpath.composed.chains.objects import NOT_THERE
from fastpath.composed.delete_results import (
    Entry,
    Failure,
    Outcome,
    Row,
    failure_of,
    read_rows,
    rows_of,
    write_result,
)
from fastpath.errors import (
    INTERNAL_ERROR,
    SERVICE_UNAVAILABLE,
    SLOW_DOWN,
    Kind,
    S3Error,
    Source,
)
from fastpath.payload.delete_batch import Batch, DeleteBatch, read_batch, write_batch
from fastpath.payload.delete_keys import refusal_of
from fastpath.renaming.addresses import upstream_key
from fastpath.request.across import SplitBatch
from fastpath.routing.plan import has_several_targets
from fastpath.s3.error_documents import read_error
from fastpath.upstream.call import CallFailed

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.dialects.translation import Translation
    from fastpath.routing.chain import Chain, Decision
    from fastpath.routing.snapshot import Target

# Requests of one client's request that are under way: a custom router may send each of 1,000 keys
# to a place of its own.
AT_ONCE = 16
# Bytes of an answer for each key: the longest has 6 KiB if each byte is escaped, and a message.
_MAX_ROW = 8192

_QUERY = ((b"delete", b""),)
# Headers of the client that each request has too.
_FORWARDED = (
    b"x-amz-bypass-governance-retention",
    b"x-amz-expected-bucket-owner",
    b"x-amz-mfa",
    b"x-amz-request-payer",
)
_CHARGED = b"x-amz-request-charged"
# Members of an entry that compare the object with what the client has seen.
_CONDITIONS = ("ETag", "LastModifiedTime", "Size")


async def delete_objects(request: ComposedRequest) -> None:
    """Delete keys at several places, while the client waits for the document."""
    split = request.admitted.across
    assert isinstance(split, SplitBatch)  # `operations` has it so
    document = b"".join([piece async for piece in request.body])
    batch = read_batch(document)
    request.reply.announce_document()
    outcomes: dict[int, Outcome] = {}
    places = {}
    chains = [split.chains[entry["Key"].encode()] for entry in batch.entries]
    for number, (entry, chain) in enumerate(zip(batch.entries, chains, strict=True)):
        if _is_of_one_place(entry, chain):
            refusal = has_several_targets()
            outcomes[number] = Failure(refusal.kind.code, refusal.message)
        else:
            places[number] = chain.places[:1] if entry.get("VersionId") else chain.places
    at_once = asyncio.Semaphore(AT_ONCE)
    charged: set[bytes] = set()
    marked: set[tuple[int, int]] = set()  # where a second delete would leave a second marker
    deepest = max(map(len, places.values()), default=0) - 1
    for depth in range(deepest, -1, -1):
        now = _at_depth(places, depth, outcomes)
        found = await _delete(request, batch.entries, now, at_once, charged)
        marked |= {(number, depth) for number in now if _has_marker(found[number])}
        outcomes |= {n: one for n, one in found.items() if not depth or not _is_absent(one)}
    # What was written behind meanwhile, and hidden by what is deleted now (`chains.delete`).
    for depth in range(deepest, 0, -1):
        now = {
            number: place
            for number, place in _at_depth(places, depth, outcomes).items()
            if depth < chains[number].candidates and (number, depth) not in marked
        }
        found = await _delete(request, batch.entries, now, at_once, charged)
        failed = {n: one for n, one in found.items() if isinstance(one, Failure)}
        outcomes |= {n: one for n, one in failed.items() if not _is_absent(one)}
    in_order = [outcomes[number] for number in range(len(batch.entries))]
    result = write_result(batch.entries, in_order, quiet=batch.is_quiet)
    lines = [b"%b: %b" % (_CHARGED, value) for value in charged]
    await request.reply.document(200, result, lines)


def _is_of_one_place(entry: Entry, chain: Chain) -> bool:
    """Whether an entry can be deleted by one place alone, and there are several."""
    if len(chain.places) == 1:
        return False
    if entry.get("VersionId"):
        return chain.candidates > 1
    return any(map(entry.get, _CONDITIONS))


def _is_absent(outcome: Outcome) -> bool:
    """Whether a place behind the first has nothing to delete: not even the bucket."""
    return isinstance(outcome, Failure) and outcome.code in NOT_THERE


def _has_marker(outcome: Outcome) -> bool:
    return isinstance(outcome, Row) and outcome.texts.get("DeleteMarker") == "true"


async def _delete(
    request: ComposedRequest,
    entries: Sequence[Entry],
    places: Mapping[int, Decision],
    at_once: asyncio.Semaphore,
    charged: set[bytes],
) -> Mapping[int, Outcome]:
    """Delete entries, each at one place; return what became of them."""
    groups = _groups(request, entries, places)
    async with asyncio.TaskGroup() as tasks:
        for group in groups:
            tasks.create_task(group.delete(at_once))
    charged |= {group.charged for group in groups} - {b""}
    return {number: one for group in groups for number, one in group.outcomes.items()}


def _at_depth(
    places: Mapping[int, Sequence[Decision]], depth: int, outcomes: Mapping[int, Outcome]
) -> Mapping[int, Decision]:
    """Return the entries that are deleted now, and where: none that has failed before."""
    return {
        number: decisions[depth]
        for number, decisions in places.items()
        if depth < len(decisions) and not isinstance(outcomes.get(number), Failure)
    }


def _groups(
    request: ComposedRequest, entries: Sequence[Entry], places: Mapping[int, Decision]
) -> Sequence[_Group]:
    """Return the entries by the place where they are, in the order of the first of each."""
    bucket = request.admitted.address.bucket
    fields = {**request.head.fields, **dict(request.admitted.query_headers)}
    headers = [(name, fields[name]) for name in _FORWARDED if name in fields]
    groups: dict[tuple[object, ...], _Group] = {}
    for number, decision in places.items():
        place = decision.target, decision.rewrite
        if place not in groups:
            groups[place] = _Group(request, Place(bucket, b"", decision), headers)
        groups[place].entries[number] = entries[number]
    return list(groups.values())


class _Group:
    """The entries that are at one place, by their numbers in the client's document.

    outcomes: what became of each, once `delete` has returned.
    charged: the target's x-amz-request-charged; empty: it has none.
    """

    def __init__(
        self, request: ComposedRequest, place: Place, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        self.entries: dict[int, Entry] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.charged = b""
        self._request = request
        self._place = place
        self._headers = headers

    async def delete(self, at_once: asyncio.Semaphore) -> None:
        """Delete the entries, and record what became of them."""
        async with at_once:
            try:
                await self._delete()
            except (S3Error, CallFailed) as failure:
                outcome = self._failure_of_all(failure)
                for number in self.entries:
                    self.outcomes.setdefault(number, outcome)

    async def _delete(self) -> None:
        """Send what may be sent. Raises S3Error, CallFailed: the rest is not deleted."""
        target = self._request.destination(self._place.decision.target).target
        translation = translation_of(
            "DeleteObjects", self._place, target, query=_QUERY, headers=self._headers
        )
        batch = translation.batch or DeleteBatch()
        batch.rename = partial(upstream_key, rewrite=self._place.rewrite)
        batch.require((), {}, target.profile)
        entries = self._entries_up(batch, target)
        if not entries:
            return
        rows = await self._rows(batch, list(entries.values()), translation)
        found = rows_of(list(entries.values()), rows)
        for number, row in zip(entries, found, strict=True):
            self.outcomes[number] = self._outcome(self.entries[number], row)
        self._tell_of_missing(found.count(None), len(found))

    def _entries_up(self, batch: DeleteBatch, target: Target) -> Mapping[int, Entry]:
        """Return the entries that the target gets, by its names; the others fail here."""
        entries: dict[int, Entry] = {}
        for number, sent in self.entries.items():
            entry = dict(sent)
            refusal = batch.refusal_of(entry)
            if refusal is None and target.profile.mistakes_deletes:
                refusal = refusal_of(entry)
            if refusal is None:
                entries[number] = entry
            else:
                self.outcomes[number] = Failure(refusal.kind.code, refusal.message)
        return entries

    async def _rows(
        self, batch: DeleteBatch, entries: Sequence[Entry], translation: Translation
    ) -> Sequence[Row]:
        """Send entries, and return the rows of the answer. Raises S3Error, CallFailed."""
        body = write_batch(Batch(entries))  # not quiet: each key is to have its row
        digests = batch.body_headers(body)
        headers = [*self._headers, (b"content-type", b"application/xml"), *digests.add]
        async with call_at(
            self._request,
            "DeleteObjects",
            self._place,
            headers=headers,
            payload=digests.payload,
            length=digests.length,
            translation=translation,
        ) as call:
            await call.send(body)
            head = await call.answer()
            document = await call.document(MAX_ERROR + len(entries) * _MAX_ROW) or b""
        if head.status != 200 or read_error(document):
            raise error_in(self._request, head.status, document, self._place)
        self.charged = head.fields.get(_CHARGED, b"")
        return read_rows(document)

    def _outcome(self, entry: Entry, row: Row | None) -> Outcome:
        if row is None:
            return Failure(INTERNAL_ERROR.code, INTERNAL_ERROR.message)
        if not row.failed:
            return row
        failure = failure_of(row)
        if self._place.decision.rewrite is None:
            return failure
        kind = Kind(500, failure.code, failure.message, Source.UPSTREAM)
        place = self._place._replace(key=entry["Key"].encode())
        error = client_error(self._request, S3Error(kind), place)
        return Failure(failure.code, error.message)

    def _failure_of_all(self, failure: S3Error | CallFailed) -> Failure:
        """Return what an entry gets whose place has failed as a whole."""
        if isinstance(failure, CallFailed):
            kind = SLOW_DOWN if failure.overload else INTERNAL_ERROR
            return Failure(kind.code, kind.message)
        if failure.kind is SERVICE_UNAVAILABLE:  # which S3 has not for a key
            return Failure(INTERNAL_ERROR.code, INTERNAL_ERROR.message)
        error = client_error(self._request, failure, self._place)
        return Failure(error.kind.code, error.message)

    def _tell_of_missing(self, missing: int, asked: int) -> None:
        if missing:
            target = self._place.decision.target
            what = f"its answer to a DeleteObjects of {asked} keys does not name {missing} of them"
            self._request.warn(target, what)
