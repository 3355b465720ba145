"""Names the places of one key, in the order in which reads look."""

from __future__ import annotations

from typing import NamedTuple

from fastpath.routing.table import Decision


class Chain(NamedTuple):
    """The places of a key; no two are the same.

    candidates: how many of them, from the first on, a write may go to.
    passes: what besides a 404 moves a read on: "5xx", "timeout", "refused".
    """

    places: tuple[Decision, ...]
    candidates: int = 1
    passes: frozenset[str] = frozenset()
