"""Answers what would become of a request, as `s3gateway explain --json` does."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from typing import Final

from starlette.datastructures import QueryParams

from gateway.admin.answers import Problem
from gateway.config.load import Loaded
from gateway.explain.description import Words, caller_of, described
from gateway.explain.request import Unclear, place_of
from gateway.explain.shown_request import lines, report
from gateway.explain.trial import try_out

# The names of the query; `key` may stand several times for DeleteObjects, `header` for any.
NAMES: Final = frozenset(field.name for field in fields(Words)) - {"keys", "headers"} | {
    "bucket",
    "key",
    "identity",
    "header",
}
_MANY: Final = frozenset(("key", "header"))


async def decision(asked: QueryParams, loaded: Loaded) -> dict[str, object]:
    """Returns what becomes of the request that a query describes. Raises Problem."""
    _check(asked)
    assert loaded.model is not None  # whoever calls this has one
    keys = asked.getlist("key")
    operation = asked.get("operation") or None
    if not asked.get("bucket") and operation != "ListBuckets":
        raise Problem(400, "InvalidArgument", "bucket is missing.")
    words = Words(
        operation=operation,
        keys=keys[1:],
        query=asked.get("query", ""),
        headers=asked.getlist("header"),
        **{name: asked.get(name) or None for name in ("method", "size", "content_type", "at")},
        prefix=asked.get("prefix"),
    )
    identity = asked.get("identity") or None
    try:
        place = place_of(asked.get("bucket", ""), keys[0] if keys else "")
        place, request, circumstances = described(place, words)
        caller = caller_of(loaded.model, identity)
    except Unclear as unclear:
        raise Problem(400, "InvalidArgument", f"{unclear}.") from None
    circumstances = replace(circumstances, router=loaded.router)
    outcome = await asyncio.to_thread(try_out, request, caller, loaded.model, circumstances)
    return {**report(outcome, place, identity), "text": list(lines(outcome, place))}


def _check(asked: QueryParams) -> None:
    for name in asked:
        if name not in NAMES:
            known = ", ".join(sorted(NAMES))
            raise Problem(400, "InvalidArgument", f"{name!r} is unknown. Known: {known}.")
        if name not in _MANY and len(asked.getlist(name)) > 1:
            raise Problem(400, "InvalidArgument", f"{name} stands several times.")


__all__ = ["NAMES", "decision"]
