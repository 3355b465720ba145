"""Gateways that do what chains must not: what the plays are for is to find each of them.

Rules: a mutant is the gateway's own code with one thing otherwise; nothing is changed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from fastpath.composed.chains import delete, hiding_objects, look
from fastpath.composed.chains.delete import delete_object
from fastpath.composed.object_lists.place_list import PlaceList
from fastpath.composed.operation import Composed
from fastpath.composed.operations import OPERATIONS
from fastpath.errors import NO_SUCH_KEY, S3Error
from fastpath.request.across import AlongChain
from fastpath.routing.chain import FAILURES
from fastpath.upstream.call import CallFailed


class _Instead:
    """An object with some other attributes."""

    def __init__(self, one: Any, **instead: Any) -> None:
        self._one, self._instead = one, instead

    def __getattr__(self, name: str) -> Any:
        return self._instead[name] if name in self._instead else getattr(self._one, name)


@contextmanager
def hides() -> Iterator[None]:
    """A write is acknowledged while older objects hide the new one."""

    async def removes_nothing(*_: Any) -> None:
        return

    with patch.object(hiding_objects, "remove_hiding", removes_nothing):
        yield


@contextmanager
def forward() -> Iterator[None]:
    """Deletes go where reads look first, first."""

    async def in_order(request: Any) -> None:
        chain = request.admitted.across.chain
        other = AlongChain(chain._replace(places=chain.places[::-1]))
        await delete_object(_Instead(request, admitted=_Instead(request.admitted, across=other)))

    with patch.dict(OPERATIONS, DeleteObject=Composed(in_order)):
        yield


@contextmanager
def stops_nowhere() -> Iterator[None]:
    """A delete goes on after a place has failed."""
    delete_at = delete.delete_at

    async def tries(*args: Any) -> int:
        try:
            return await delete_at(*args)
        except Exception:  # that is what is wrong with it
            return 204

    with patch.object(delete, "delete_at", tries):
        yield


@contextmanager
def forbidden() -> Iterator[None]:
    """A read takes a 403 for an absence, as if AWS had answered 404 without `s3:ListBucket`."""
    goes_on = look._Walk.goes_on

    async def mistakes(self: Any, place: Any, call: Any, head: Any, *, is_last: bool) -> bool:
        if head.status == 403:
            await call.document(65536)
            self._absences.append(S3Error(NO_SUCH_KEY))
            return True
        return await goes_on(self, place, call, head, is_last=is_last)

    with patch.object(look._Walk, "goes_on", mistakes):
        yield


@contextmanager
def passes_failures() -> Iterator[None]:
    """A read looks on after a failure, as if all of `fallback_on` were set."""
    begin = look._Walk.__init__

    def lenient(self: Any, request: Any, chain: Any) -> None:
        begin(self, request, chain._replace(passes=frozenset(FAILURES)))

    with patch.object(look._Walk, "__init__", lenient):
        yield


@contextmanager
def omits() -> Iterator[None]:
    """A list leaves out a place that fails."""
    fetch = PlaceList.fetch

    async def tries(self: Any, count: int) -> None:
        try:
            await fetch(self, count)
        except (CallFailed, S3Error):
            self.more = False

    with patch.object(PlaceList, "fetch", tries):
        yield


MUTANTS: Mapping[str, Callable[[], AbstractContextManager[None]]] = {
    mutant.__name__: mutant
    for mutant in (hides, forward, stops_nowhere, forbidden, passes_failures, omits)
}
