"""Tells which writes a rule's conditions take: by size, content type and time of day.

Rules: a size that is not known counts as larger than any; a content type is compared without its
parameters; hours are inclusive on both ends, as the seed has them (`[2, 6]` is 2:00 to 6:59), and
may wrap midnight.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastpath.routing.asked import Asked


@dataclass(frozen=True, slots=True)
class WriteConditions:
    """The conditions of one rule; None for one that it does not have.

    max_size, min_size: bytes, inclusive.
    content_types: in lower case; `image/*` takes every type that begins so.
    hours: the first and the last.
    zone: of the hours; None: the local time of the machine.
    """

    max_size: int | None
    min_size: int | None
    content_types: tuple[str, ...] | None
    hours: tuple[int, int] | None
    zone: ZoneInfo | None = None

    def unmet(self, asked: Asked) -> str:
        """Return which condition a write does not meet, in words; empty: it meets them all."""
        if self.max_size is not None and (asked.size is None or asked.size > self.max_size):
            size = "unknown" if asked.size is None else f"{asked.size} bytes"
            return f"its size ({size}) is above max_size {self.max_size}"
        if self.min_size is not None and asked.size is not None and asked.size < self.min_size:
            return f"its size ({asked.size} bytes) is below min_size {self.min_size}"
        if self.content_types is not None and not _is_among(asked.content_type, self.content_types):
            shown = asked.content_type.decode("latin-1") or "none"
            return f"its content type ({shown}) is not among content_types"
        if self.hours is not None:
            hour = datetime.fromtimestamp(asked.time, self.zone).hour
            if not _is_within(hour, *self.hours):
                first, last = self.hours
                return f"it is {hour}:00, not within time_range [{first}, {last}]"
        return ""


def _is_among(content_type: bytes, known: Sequence[str]) -> bool:
    sent = content_type.decode("latin-1").partition(";")[0].strip().lower()
    family = sent.partition("/")[0] + "/*"
    return sent in known or (family in known and "/" in sent)


def _is_within(hour: int, first: int, last: int) -> bool:
    if first <= last:
        return first <= hour <= last
    return hour >= first or hour <= last


def read_conditions(entry: Sequence[Any], zones: Sequence[str]) -> WriteConditions:
    """Return the conditions that are packed in the snapshot document (`rules.pack`)."""
    max_size, min_size, content_types, hours, zone = entry
    return WriteConditions(
        max_size,
        min_size,
        None if content_types is None else tuple(content_types),
        None if hours is None else (hours[0], hours[1]),
        None if zone is None else _zone(zones[zone]),
    )


def _zone(packed: str) -> ZoneInfo:
    """Return a time zone from its TZif file (RFC 9636), which control has read for the worker."""
    return ZoneInfo.from_file(io.BytesIO(base64.b64decode(packed)))
