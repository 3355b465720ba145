"""Says where a key of a client's bucket is, under each configuration that the machine switches to.

It is written from docs/configuration.md and docs/custom-routers.md, and imports nothing of the
product: what both say of a key must come from two heads.

Rules: names are short here (`plain`); `Run.full` has the ones of the run. A list lies across if two
keys that begin with its prefix have different places: that is tried with keys, not computed.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

SEA, OTHER, MOTO, LAKE = "sea", "other", "moto", "lake"
BIG = 100  # bytes from which on a router that looks at sizes takes a body for a large one
MAX_KEY = 1024


@dataclass(frozen=True)
class Rule:
    """One entry of `routing.rules`."""

    pattern: str
    target: str
    keys: tuple[str, ...] = ()
    bucket: str = ""
    key_prefix: str = ""
    strip_prefix: str = ""

    def takes(self, key: str) -> bool:
        """Whether it is about a key of a bucket that its pattern matches."""
        if self.keys:
            return any(fnmatch.fnmatchcase(key, glob) for glob in self.keys)
        return key.startswith(self.strip_prefix)

    def written(self, run: str) -> dict[str, Any]:
        """As it stands in the file."""
        rewrite = {"key_prefix": self.key_prefix, "strip_prefix": self.strip_prefix}
        if self.bucket:
            rewrite["bucket"] = run + self.bucket
        found: dict[str, Any] = {"pattern": run + self.pattern, "target": self.target}
        if self.keys:
            found["keys"] = list(self.keys)
        if any(rewrite.values()):
            found["rewrite"] = {name: value for name, value in rewrite.items() if value}
        return found


@dataclass(frozen=True)
class Place:
    """A target, a bucket there, and how keys are named there."""

    target: str
    bucket: str
    key_prefix: str = ""
    strip_prefix: str = ""

    def up(self, key: str) -> str:
        return self.key_prefix + key.removeprefix(self.strip_prefix)

    def down(self, key: str) -> str:
        return self.strip_prefix + key.removeprefix(self.key_prefix)

    def at(self, key: str) -> tuple[str, str, str]:
        """The object that a client's key names."""
        return self.target, self.bucket, self.up(key)


@dataclass(frozen=True)
class Router:
    """A custom router: its code, and in `answers` below what it says of the bucket `asked`."""

    name: str
    body: str
    cache_seconds: int = 0
    reads: tuple[str, ...] = ()

    def source(self) -> str:
        kept = f"    cache_seconds = {self.cache_seconds}\n" if self.cache_seconds else ""
        return _CLASS.format(kept=kept, body=self.body)


_CLASS = """
class Router:
{kept}
    def __init__(self, config):
        pass

    def route_request(self, bucket_name, operation, metadata):
        if not bucket_name.endswith("-asked"):
            return None
        new = bucket_name.replace("-asked", "-new")
        key, length = metadata["key"], metadata.get("content_length") or 0
        {body}
"""

ROUTERS = (
    None,
    Router(
        "by key",
        """if key.startswith("raw"):
            return "other"
        if key.endswith(".csv"):
            return {"target": "moto", "bucket": new, "key_prefix": "c1/"}
        return ["moto"] if key else None""",  # of two a chain, which `tests/property/chains` plays
    ),
    Router(
        "by key, kept",
        """if key.startswith("raw"):
            return {"target": "moto", "key_prefix": "c2 +/"}
        return "other" """,
        cache_seconds=10_000,
    ),
    Router(
        "by key, kept, other answers",
        """if key.startswith("raw"):
            return {"target": "lake", "bucket": new, "key_prefix": "main/c3/"}
        return "moto" """,
        cache_seconds=10_000,
    ),
    Router("by size, kept", """return "sea" if length >= 100 else "moto" """, cache_seconds=10_000),
    Router(
        "by size, with a place for reads",
        """return "sea" if length >= 100 else "moto" """,
        reads=("moto",),  # of more it would be a chain, which `tests/property/chains` plays
    ),
)


def _answer(router: Router, key: str, length: int) -> Place | None:
    """What the router says of `asked`; None: the rules decide."""
    if router.name.startswith("by size"):
        return Place(SEA if length >= BIG else MOTO, "asked")
    is_raw = key.startswith("raw")
    if router.name == "by key, kept":
        return Place(MOTO, "asked", "c2 +/") if is_raw else Place(OTHER, "asked")
    if router.name == "by key, kept, other answers":
        return Place(LAKE, "new", "main/c3/") if is_raw else Place(MOTO, "asked")
    if is_raw:
        return Place(OTHER, "asked")
    if key.endswith(".csv"):
        return Place(MOTO, "new", "c1/")
    return Place(MOTO, "asked") if key else None


# For each bucket, or pattern of buckets, the rules that it may have. No two of different patterns
# have prefixes that overlap: the configuration would be refused.
LAYOUTS: Mapping[str, tuple[tuple[Rule, ...], ...]] = {
    "plain": (
        (Rule("plain", SEA),),
        (Rule("plain", OTHER),),
        (Rule("plain", MOTO),),
    ),
    "keyed": (
        (Rule("keyed", OTHER, keys=("raw/*", "*.csv")), Rule("keyed", SEA)),
        (
            Rule("keyed", MOTO, keys=("raw/*",), bucket="new", key_prefix="raw-of/"),
            Rule("keyed", MOTO),
        ),
        (
            Rule("keyed", LAKE, keys=("*.csv", "in/*"), bucket="new", key_prefix="dev/"),
            Rule("keyed", MOTO),
        ),
        (Rule("keyed", SEA),),
    ),
    "renamed": (
        (Rule("renamed", MOTO, bucket="new", key_prefix="p/q+ &/"),),
        (Rule("renamed", MOTO, bucket="new", key_prefix="p/"),),
        (Rule("renamed", MOTO, key_prefix="é<%2F"),),
        (Rule("renamed", SEA, bucket="new"),),
    ),
    "stripped": (
        (
            Rule("stripped", SEA, bucket="new", key_prefix="out/", strip_prefix="in/"),
            Rule("stripped", OTHER),
        ),
        (
            Rule("stripped", MOTO, strip_prefix="in/"),
            Rule("stripped", MOTO, bucket="new", key_prefix="rest/"),
        ),
        (
            Rule("stripped", MOTO, ("in/y*",), key_prefix="out/", strip_prefix="in/"),
            Rule("stripped", MOTO),
        ),
        (),
    ),
    "team": (
        (Rule("team-{team}", MOTO, bucket="new", key_prefix="t-{team}/"),),
        (Rule("team-{team}", SEA, bucket="of-{team}"),),
        (Rule("team-{team}", LAKE, bucket="new", key_prefix="teams/{team}/"),),
    ),
    "branched": (
        (Rule("branched", LAKE, bucket="new", key_prefix="main/"),),
        (Rule("branched", LAKE, bucket="new", key_prefix="main/x/"),),
        (Rule("branched", MOTO),),
    ),
    "asked": (
        (Rule("asked", SEA),),
        (Rule("asked", MOTO, keys=("*.csv",)), Rule("asked", SEA)),
    ),
}
BUCKETS = ("plain", "keyed", "renamed", "stripped", "team-red", "team-blue", "branched", "asked")
# What there is at each store. A bucket of SeaweedFS takes volumes of its own: no more than needed.
AT_STORES = {
    SEA: ("plain", "keyed", "stripped", "asked", "new", "of-red", "of-blue"),
    OTHER: ("plain", "keyed", "stripped", "asked"),
    MOTO: (*BUCKETS, "new"),
}
REPOSITORY = "new"
BRANCHES = ("main", "dev", "teams")

KEYS = (
    "raw",
    "raw/",
    "raw/a",
    "raw/b.csv",
    "raw/deep/x y+z",
    "rat",
    "a.csv",
    "a b+c&d<e>.csv",
    "100%2Fof it%25",
    "😀/grüße/日本語",
    "in/",
    "in/x",
    "in/y/z.csv",
    "in/y/zz",
    "inner",
    "out/x",
    "main/x",
    "t-red/x",
    "p/q",
    "log/one\ntwo",
    "q?a=b#c",
    "\"quoted\" & 'so'",
    "long/" + "k" * (MAX_KEY - 5),
    "long/" + ("é" * 100 + "/") * 5 + "é",
    "long/" + ("k" * 200 + "/") * 5 + "k" * 14,
)
PREFIXES = ("", "r", "ra", "raw", "raw/", "raw/deep/", "in", "in/", "in/y", "a", "a b+", "long/")
# Whatever key there could be: its beginnings, and its endings behind any prefix.
_BEGINNINGS = ("raw/x", "in/x", "in/yx", "x")
_ENDINGS = ("x", ".csv", "x.csv", "/x", "/x.csv")


@dataclass(frozen=True)
class Layout:
    """Which rules hold: for each pattern one of its choices, and which router."""

    choices: tuple[int, ...] = (0,) * len(LAYOUTS)
    router: int = 0

    def with_choice(self, index: int, choice: int) -> Layout:
        changed = (*self.choices[:index], choice, *self.choices[index + 1 :])
        return replace(self, choices=changed)

    @property
    def rules(self) -> tuple[Rule, ...]:
        chosen = zip(LAYOUTS.values(), self.choices, strict=True)
        return tuple(rule for rules, choice in chosen for rule in rules[choice % len(rules)])

    @property
    def custom(self) -> Router | None:
        return ROUTERS[self.router]

    def place(self, bucket: str, key: str, *, looks: bool, length: int = 0) -> Place:
        """Where a key is; `looks`: for a read or a delete."""
        router = self.custom
        if router is not None:
            if looks and router.reads:
                return Place(router.reads[0], bucket)
            answer = _answer(router, key, length) if bucket == "asked" else None
            if answer is not None:
                return answer
        return self._by_rules(bucket, key)

    def place_of_list(self, bucket: str, prefix: str) -> Place | None:
        """Where all keys with a prefix are; None: at several places."""
        router = self.custom
        if router is not None:
            if router.reads:
                return Place(router.reads[0], bucket)
            answer = _answer(router, "", 0) if bucket == "asked" else None
            if answer is not None:
                return answer
        tried = [*KEYS, *_BEGINNINGS, prefix, *(prefix + ending for ending in _ENDINGS)]
        places = {self._by_rules(bucket, key) for key in tried if key and key.startswith(prefix)}
        return places.pop() if len(places) == 1 else None

    def _by_rules(self, bucket: str, key: str) -> Place:
        for rule in self.rules:
            parts = re.fullmatch(rule.pattern.replace("{team}", "(?P<team>.+)"), bucket)
            if parts and rule.takes(key):
                team = parts.groupdict().get("team", "")
                return Place(
                    rule.target,
                    rule.bucket.replace("{team}", team) or bucket,
                    rule.key_prefix.replace("{team}", team),
                    rule.strip_prefix,
                )
        return Place(SEA, bucket)
