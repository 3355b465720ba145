"""Makes the request that an operator describes in words: options of the command, or a query.

Rules: what is unclear or impossible is said in words that both the command and the admin plane
show; nothing is read from the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastpath.routing.identities import Caller
from gateway.config.schema import Config
from gateway.explain.request import (
    EXAMPLE_KEY,
    Place,
    Request,
    Unclear,
    length_headers,
    list_query,
    moment_of,
    no_key,
    request_of,
)
from gateway.explain.trial import EVERYBODY, Circumstances, snapshot_of


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a request besides its bucket and key; None: nothing is said."""

    operation: str | None = None
    method: str | None = None
    keys: Sequence[str] = ()
    prefix: str | None = None
    size: str | None = None
    content_type: str | None = None
    at: str | None = None
    query: str = ""
    headers: Sequence[str] = ()


def described(place: Place, words: Words) -> tuple[Place, Request, Circumstances]:
    """Returns the request that is described. Raises Unclear."""
    word, method, prefix = words.operation, words.method, words.prefix
    if word and method:
        raise Unclear("give an operation or a method: an operation has its own")
    word = word or method or ("GetObject" if prefix is None else "ListObjectsV2")
    headers, query = list(words.headers), words.query
    if words.content_type is not None:
        headers.append(f"content-type: {words.content_type}")
    if words.size is not None:
        headers += length_headers(words.size, headers)
    keys = [*filter(None, [place.key]), *words.keys]
    if prefix is not None:
        if keys:
            raise Unclear("a list has a prefix, and no key besides")
        query = "&".join(filter(None, (query, list_query(prefix))))
    if len(keys) > 1 and word != "DeleteObjects":
        raise Unclear(f"{word} has one key: only DeleteObjects has several")
    place = replace(place, key=keys[0] if keys else "")
    request = request_of(place, word, query, headers)
    if word == "DeleteObjects" and not keys:
        request.remarks.append(no_key())
        keys = [EXAMPLE_KEY]
    at = None if words.at is None else moment_of(words.at)
    return place, request, Circumstances(tuple(keys), at)


def caller_of(model: Config, name: str | None) -> Caller:
    """Returns the identity of that name; without a name, one that may do everything.

    Raises Unclear for a name that is no identity's.
    """
    if name is None:
        return EVERYBODY
    callers = {caller.name: caller for caller in snapshot_of(model).callers.values()}
    if name not in callers:
        known = ", ".join(sorted(callers)) or "none"
        raise Unclear(f"{name!r} is no identity. Known: {known}")
    return callers[name]
