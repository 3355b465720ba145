"""Parses and formats the dates of signatures.

Rules: locale and time zone of the process do not matter; a date that does not exist is invalid;
times are epoch seconds in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

_LAST_SECOND = 253402300799  # 9999-12-31T23:59:59Z: an expiry may lie after it
MAX_DATE_BYTES = 40  # the longest form below has 33; what is longer is not parsed

_ISO = re.compile(rb"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
_CLOCK = rb"([0-9]{2}):([0-9]{2}):([0-9]{2})"
_ZONE = rb"(?:GMT|UTC|[+-]0000)"  # RFC 9110 says GMT; email.utils.formatdate writes -0000
_TAIL = rb" " + _CLOCK + rb" " + _ZONE
_RFC1123 = re.compile(rb"[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4})" + _TAIL)
_RFC850 = re.compile(rb"[A-Z][a-z]{5,8}, ([0-9]{2})-([A-Z][a-z]{2})-([0-9]{2})" + _TAIL)
_ASCTIME = re.compile(rb"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ 0-9][0-9]) " + _CLOCK + rb" ([0-9]{4})")
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


@lru_cache(maxsize=64)
def basic(second: int) -> bytes:
    """Format `20250901T162148Z`, which is signed. The first eight bytes are the scope date."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ").encode()


def extended(second: float) -> str:
    """Format `2025-09-01T16:21:48Z`, as ServerTime and Expires in AWS's error documents."""
    moment = datetime.fromtimestamp(min(int(second), _LAST_SECOND), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_basic(value: bytes) -> int | None:
    """Parse ISO 8601 basic, as SigV4 requires; None if it is not, or before 1970."""
    if len(value) != 16:
        return None
    return _parse_basic(value)


@lru_cache(maxsize=256)
def _parse_basic(value: bytes) -> int | None:
    match = _ISO.fullmatch(value)
    return None if match is None else _epoch(*map(int, match.groups()))


def parse_any(value: bytes) -> int | None:
    """Parse Date or x-amz-date as AWS does: ISO 8601 basic, RFC 1123, RFC 850 or asctime."""
    if len(value) == 16:
        return _parse_basic(value)
    if len(value) > MAX_DATE_BYTES:
        return None
    if match := _RFC1123.fullmatch(value):
        day, month, year, *clock = match.groups()
    elif match := _RFC850.fullmatch(value):
        day, month, year, *clock = match.groups()
        year = (b"20" if year < b"70" else b"19") + year
    elif match := _ASCTIME.fullmatch(value):
        month, day, *clock, year = match.groups()
    else:
        return None
    if month not in _MONTHS:
        return None
    return _epoch(int(year), _MONTHS.index(month) + 1, int(day), *map(int, clock))


def _epoch(*parts: int) -> int | None:
    year, month, day, hour, minute, second = parts
    try:
        epoch = int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        return None
    return epoch if epoch >= 0 else None
