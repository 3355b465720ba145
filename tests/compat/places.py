"""Owns the comparison of one piece of client work at a target and through the gateway.

Rules: work is a function that takes a `Place` and returns what the client told it; it is done first
straight at the target, then through the gateway, below two key prefixes of one bucket. What came
back must be equal, and what lies on the target must be equal too, attributes included. The target
is asked over http, the gateway over http and https: by one of its buckets each in the fast tier.
Work in a renamed bucket, below a prefix of one of the target's, is done in `test_renamed_buckets`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.seaweed import Keys
from tests.compat.doors import HTTP, HTTPS, Door
from tests.compat.live import CLIENT, KEY_PREFIX, Side, reader

# The door and the target of a comparison. Both targets are servers of one kind: the fast tier goes
# through each door once, and to each of them once.
OVER_HTTP = ((HTTP, "lakefs"), pytest.param((HTTP, "s3"), marks=pytest.mark.slow))
WAYS = (*OVER_HTTP, (HTTPS, "s3"), pytest.param((HTTPS, "lakefs"), marks=pytest.mark.slow))
RENAMED = "renamed"  # the third word of a way: by a bucket that the gateway renames


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client works: a door, a key pair, a bucket, a prefix, a directory of its own."""

    door: Door
    keys: Keys
    bucket: str
    prefix: str
    directory: Path

    @property
    def endpoint(self) -> str:
        return self.door.url

    @property
    def host(self) -> str:
        return self.door.host

    @property
    def path(self) -> str:
        return f"{self.bucket}/{self.prefix}".rstrip("/")

    def own(self, text: str) -> str:
        """`text` without what differs from place to place."""
        names = {self.prefix.rstrip("/"): "PREFIX", self.host: "HOST", self.bucket: "BUCKET"}
        for mine, label in names.items():
            text = text.replace(mine, label)
        return text.replace(str(self.directory), "DIRECTORY")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The two places of one test; `stored`: the second one, as the target names it."""

    side: Side
    direct: Place
    through: Place
    stored: Place

    def run(self, work: Callable[[Place], Any]) -> Any:
        """Do the work at both and return what came of it; AssertionError where it differs."""
        wanted = work(self.direct)
        found = work(self.through)
        assert found == wanted, f"through the gateway: {found}\ndirectly: {wanted}"
        stored, same = inventory(self.side, self.stored), inventory(self.side, self.direct)
        assert stored == same, f"through the gateway: {stored}\ndirectly: {same}"
        assert stored, "the work left nothing to compare"
        return found


def inventory(side: Side, place: Place) -> dict[str, dict[str, object]]:
    """What lies below a place's prefix, read from the target itself."""
    client = reader(side.here)
    found = {}
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=place.bucket, Prefix=place.prefix
    )
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        head = client.head_object(Bucket=place.bucket, Key=entry["Key"])
        kept = ("ContentLength", "ETag", "ContentType", "ContentEncoding", "Metadata")
        found[entry["Key"].removeprefix(place.prefix)] = {name: head.get(name) for name in kept}
    return found


@pytest.fixture(params=WAYS, ids="-".join)
def comparison(
    request: pytest.FixtureRequest,
    doors: dict[str, Door],
    sides: dict[str, Side],
    prefix: str,
    tmp_path: Path,
) -> Comparison:
    scheme, target, *renamed = request.param
    side = sides[target]

    def place(name: str, door: Door, keys: Keys) -> Place:
        (tmp_path / name).mkdir()
        return Place(door, keys, side.bucket, f"{prefix}{name}/", tmp_path / name)

    direct = place("straight", Door(side.here.endpoint), side.here.keys)
    through = stored = place("throughs", doors[scheme], CLIENT)
    if renamed:
        through = replace(through, bucket=f"renamed-{side.bucket}")
        stored = replace(stored, prefix=KEY_PREFIX + stored.prefix)
    return Comparison(side, direct, through, stored)
