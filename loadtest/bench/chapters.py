"""What a chapter is: a section of the result and of the page, beside the comparison with peers.

Rules: a chapter says how it measures; its section of the result is plain data, its table is made of
that section and nothing else, so a page can be held against its result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Section = Mapping[str, Any]  # as `measure` made it, or read from the result's file


@dataclass(frozen=True, slots=True)
class Chapter:
    """`name` is the section's key in the result, and its mark in the page."""

    name: str
    measure: Callable[[], Section]
    table: Callable[[Section], str]
    programs: tuple[str, ...] = ()  # what it cannot do without (`machine.PACKAGES`)
