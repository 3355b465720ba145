"""A routing rule as tests write it, without a file that it stands in."""

from __future__ import annotations

from dataclasses import dataclass


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
