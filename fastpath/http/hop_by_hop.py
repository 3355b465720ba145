"""Removes header lines that belong to one hop from a head; all others stay byte for byte.

Rules: only for heads that the strict grammar of `head` accepted (no obs-fold, no bare CR or LF), so
that a line is what is between two CRLF; fields that Connection lists are removed as well, except
for the end-to-end fields.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from fastpath.http.head import END_TO_END, connection_tokens

# RFC 9110 section 7.6.1 and the registry of section 18.4, with the older `keep-alive` and
# `proxy-connection`; regular expressions, lower case.
HOP_BY_HOP = (
    b"connection",
    b"keep-alive",
    b"proxy-[a-z-]+",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
)


_NOTHING: frozenset[bytes] = frozenset()
_ITSELF = frozenset({b"close", b"keep-alive"})  # options that name no field


def fields_of_connection(fields: Mapping[bytes, bytes]) -> frozenset[bytes]:
    """Return the fields that this message's Connection field declares to be for one hop.

    End-to-end fields are not among them: a peer must not list them (RFC 9110 section 7.6.1), and
    without them the message would mean something else.
    """
    value = fields.get(b"connection")
    if value is None or value.lower() in _ITSELF:
        return _NOTHING
    return frozenset(connection_tokens(value)) - END_TO_END


@lru_cache(maxsize=64)
def header_line_pattern(names: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Return a pattern for the lines of these headers, each with the CRLF before it.

    Names are regular expressions: constants of the caller, never sent by a peer.
    """
    return re.compile(rb"\r\n(?:" + b"|".join(names) + rb"):[^\r]*", re.IGNORECASE)


def without_hop_by_hop(
    section: bytes,
    always: re.Pattern[bytes],
    fields: Mapping[bytes, bytes],
    also: Collection[bytes] = (),
) -> bytes:
    """Remove the lines (each after its CRLF) of `always`, `also` and what Connection lists."""
    section = always.sub(b"", section)
    listed = fields_of_connection(fields)
    if also:
        listed = listed.union(also)
    return without_headers(section, listed) if listed else section


def with_other_headers(
    raw: bytes, names: Collection[bytes], instead: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """Return a complete head with other header lines for those of these names."""
    lines = b"".join([b"\r\n%b: %b" % field for field in instead])
    return without_headers(raw[:-4], names) + lines + raw[-4:]


def without_headers(section: bytes, names: Collection[bytes]) -> bytes:
    """Remove the lines of these headers. A client may choose them, so no pattern is compiled."""
    dropped = frozenset(names)
    lines = section.split(b"\r\n")
    return b"\r\n".join([line for line in lines if line.partition(b":")[0].lower() not in dropped])
