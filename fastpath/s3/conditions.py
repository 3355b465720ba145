"""Evaluates the conditions of a read against an object's ETag and date.

    If-Match, else If-Unmodified-Since       not met: 412
    If-None-Match, else If-Modified-Since    not met: 304

Rules: the order is RFC 9110 section 13.2.2, and S3's (API/GetObject: If-Match outweighs
If-Unmodified-Since, If-None-Match outweighs If-Modified-Since); S3 reads an ETag without quotes as
one with them; an invalid date is no condition, and neither is an empty header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from fastpath.errors import NOT_MODIFIED, PRECONDITION_FAILED, S3Error

# In the order of the fields of `Conditions`.
CONDITIONS = (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since")

_TAG = re.compile(rb'(?:\A|,)\s*(W/)?(?:"([^"]*)"|([^\s",]+))\s*(?=,|\Z)')
# Header fields of a 304 (RFC 9110 section 15.4.5).
_FIELDS_OF_304 = (b"etag", b"last-modified", b"cache-control", b"expires", b"vary")


class Conditions(NamedTuple):
    """The conditions of one request; None for one that it does not have."""

    match: bytes | None
    none_match: bytes | None
    modified_since: bytes | None
    unmodified_since: bytes | None

    def check(self, found: Mapping[bytes, bytes]) -> S3Error | None:
        """Return the 412 or 304 that replaces an object with these header fields, or None."""
        tag = found.get(b"etag", b"")
        changed = _seconds(found.get(b"last-modified"))
        if self.match is not None:
            if not has_tag(self.match, tag, strong=True):
                return _failed("If-Match")
        elif _is_before(self.unmodified_since, changed):
            return _failed("If-Unmodified-Since")
        if self.none_match is not None:
            if has_tag(self.none_match, tag, strong=False):
                return _not_modified(found)
        elif self.modified_since is not None and not _is_before(self.modified_since, changed):
            since = _seconds(self.modified_since)
            return _not_modified(found) if None not in (since, changed) else None
        return None


def read_conditions(fields: Mapping[bytes, bytes]) -> Conditions | None:
    """Return the conditions in a request's header fields, or None."""
    if not any(name in fields for name in CONDITIONS):
        return None
    values = [fields.get(name) or None for name in CONDITIONS]
    return Conditions(*values) if any(values) else None


def has_tag(wanted: bytes, tag: bytes, *, strong: bool) -> bool:
    """Whether a list of ETags, or `*`, includes this one (RFC 9110 section 8.8.3.2)."""
    if wanted.strip() == b"*":
        return True
    bare = tag.removeprefix(b"W/").strip(b'"')
    return any(
        (quoted or plain) == bare and not (strong and weak)
        for weak, quoted, plain in _TAG.findall(wanted)
    )


def if_range_holds(condition: bytes, found: Mapping[bytes, bytes]) -> bool:
    """Whether an If-Range condition holds for the object (RFC 9110 section 13.1.5)."""
    date = _seconds(condition)
    if date is None:
        return condition.strip() != b"*" and has_tag(
            condition, found.get(b"etag", b""), strong=True
        )
    return date == _seconds(found.get(b"last-modified"))


def _is_before(condition: bytes | None, changed: float | None) -> bool:
    since = _seconds(condition)
    return since is not None and changed is not None and changed > since


def _seconds(date: bytes | None) -> float | None:
    """Return the epoch seconds of an HTTP-date; None if it is invalid."""
    if not date or b":" not in date:
        return None
    try:
        return parsedate_to_datetime(date.decode("latin-1")).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _failed(condition: str) -> S3Error:
    return S3Error(PRECONDITION_FAILED, ("Condition", condition))


def _not_modified(found: Mapping[bytes, bytes]) -> S3Error:
    error = S3Error(NOT_MODIFIED)
    error.fields = tuple((name, found[name]) for name in _FIELDS_OF_304 if name in found)
    return error
