"""A routing rule as tests write it, without a file that it stands in, and what rules look at."""

from __future__ import annotations

from dataclasses import dataclass

from fastpath.routing.asked import Asked


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What workers ask of a rule's rewrite."""

    bucket: str | None = None
    key_prefix: str = ""
    strip_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What workers ask of a rule's conditions."""

    max_size: int | None = None
    min_size: int | None = None
    content_types: tuple[str, ...] | None = None
    time_range: tuple[int, int] | None = None
    zone_file: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What workers and explanations ask of a rule."""

    number: int
    line: int
    pattern: str
    target: str
    operations: frozenset[str] | None = None
    identities: tuple[str, ...] | None = None
    description: str = ""
    keys: tuple[str, ...] | None = None
    rewrite: Rewriting | None = None
    conditions: Conditions | None = None
    fallback: tuple[str, ...] = ()
    fallback_on: frozenset[str] = frozenset({"404"})


def asked(bucket: bytes, operation: str = "GetObject", identity: str = "") -> Asked:
    """A request for an object of a bucket."""
    return Asked(operation, identity, bucket, b"key", None, b"", 0.0)
