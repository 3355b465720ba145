"""The requests of each scenario, and the objects that have to be there for them.

Rules: keys are a bounded set, all below one prefix, so that a run of any length leaves the same
objects; bodies are of one random block, made once, as neither store nor gateway looks into them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from loadtest.load.aim import PREFIX, Aim, Buckets
from loadtest.load.signing import Call

KIB, MIB = 1 << 10, 1 << 20
SIZES = (KIB, 4 * KIB, 16 * KIB, 64 * KIB)
SMALL = 40  # objects
LARGE, LARGE_BYTES = 2, 16 * MIB
LISTED, FOLDERS = 400, 20
CHAINED = 20  # on each of the two
OLD, OLD_BYTES = 20, 32 * KIB
PAGE = 100

_BLOCK = random.Random(0).randbytes(LARGE_BYTES)


def body(size: int, number: int = 0) -> bytes:
    """Bytes that are not another number's."""
    return _BLOCK[number : number + size] if number + size <= LARGE_BYTES else _BLOCK[:size]


def _key(kind: str, number: int) -> str:
    return f"{PREFIX}{kind}/{number:04}"


# --- what must be there ---


def objects(buckets: Buckets, scenario: str) -> list[Call]:
    """PUTs of all that a scenario reads, besides what a chain has at its fallback."""
    data, chain, old = buckets.data, buckets.chain, buckets.old
    if scenario in ("small", "reload", "tuned"):
        return _small_objects(data)
    if scenario == "hybrid":
        return _small_objects(data) + _small_objects(buckets.other)
    if scenario == "streaming":
        return [_put(data, _key("large", n), body(LARGE_BYTES)) for n in range(LARGE)]
    if scenario == "listing":
        return [_put(data, _listed(n), body(16, n)) for n in range(LISTED)]
    if scenario == "chain":
        return [_put(chain, _key("chain/first", n), body(4 * KIB, n)) for n in range(CHAINED)]
    if scenario == "migration":
        return [_put(old, _key("old", n), body(OLD_BYTES, n)) for n in range(OLD)]
    return []


def objects_of_fallback(buckets: Buckets) -> list[Call]:
    """PUTs of what a chain has at its fallback; they go there, not to the gateway."""
    chain = buckets.chain
    return [_put(chain, _key("chain/second", n), body(4 * KIB, n)) for n in range(CHAINED)]


def _small_objects(bucket: str) -> list[Call]:
    return [_put(bucket, _key("small", n), body(SIZES[n % len(SIZES)], n)) for n in range(SMALL)]


def _listed(number: int) -> str:
    return f"{PREFIX}listed/{number % FOLDERS:02}/{number:04}"


def _put(bucket: str, key: str, content: bytes) -> Call:
    return Call("fill", "PUT", bucket, key, body=content)


# --- what is asked ---


def of(scenario: str, aim: Aim) -> list[Call]:
    """The requests of a fast scenario. Raises KeyError for others."""
    return list(_CALLS[scenario](aim.buckets))


def _small(buckets: Buckets) -> Iterator[Call]:
    yield from _mix(buckets.data, "")


def _hybrid(buckets: Buckets) -> Iterator[Call]:
    yield from _mix(buckets.data, " (s3)")
    yield from _mix(buckets.other, " (lakefs)")


def _mix(bucket: str, where: str) -> Iterator[Call]:
    """Six reads in ten, three writes, a HEAD: as many of each object."""
    for number in range(SMALL):
        size = SIZES[number % len(SIZES)]
        content = body(size, number)
        key = _key("small", number)
        yield Call(f"GET 1-64 KiB{where}", "GET", bucket, key, weight=6, expected_bytes=size)
        yield Call(f"HEAD{where}", "HEAD", bucket, key)
        yield Call(
            f"PUT 1-64 KiB{where}", "PUT", bucket, _key("put", number), body=content, weight=3
        )


def _streaming(buckets: Buckets) -> Iterator[Call]:
    for number in range(LARGE):
        key = _key("large", number)
        yield Call("GET 16 MiB", "GET", buckets.data, key, weight=3, expected_bytes=LARGE_BYTES)
    yield Call("PUT 16 MiB", "PUT", buckets.data, _key("large-put", 0), body=body(LARGE_BYTES))


def _listing(buckets: Buckets) -> Iterator[Call]:
    root = f"{PREFIX}listed/".replace("/", "%2F")
    every = f"list-type=2&max-keys={PAGE}&prefix={root}"
    yield Call("list a page", "GET", buckets.data, query=every, weight=4)
    folders = f"delimiter=%2F&list-type=2&prefix={root}"
    yield Call("list folders", "GET", buckets.data, query=folders, weight=3)
    for number in range(FOLDERS):
        inside = f"list-type=2&prefix={root}{number:02}%2F"
        yield Call("list a folder", "GET", buckets.data, query=inside)


def _chain(buckets: Buckets) -> Iterator[Call]:
    for kind in ("first", "second"):
        for number in range(CHAINED):
            key = _key(f"chain/{kind}", number)
            yield Call(f"GET, {kind} of chain", "GET", buckets.chain, key, expected_bytes=4 * KIB)


_CALLS: dict[str, Callable[[Buckets], Iterator[Call]]] = {
    "small": _small,
    "streaming": _streaming,
    "listing": _listing,
    "hybrid": _hybrid,
    "chain": _chain,
    "reload": _small,
}
