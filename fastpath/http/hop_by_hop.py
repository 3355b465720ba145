"""Header lines that belong to one hop, cut out of a head; all others stay byte for byte.

Rules: only for heads that the strict grammar of `head` let through (no obs-fold, no bare CR or LF),
so that a line is what stands between two CRLF; what Connection lists goes as well, but for the
fields that are always meant for the far end.

Not here: lines that are written anew (`forward`, `reply`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
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
_ITSELF = frozenset({b"close", b"keep-alive"})  # options that are about the connection, no fields


def connection_listed(fields: Mapping[bytes, bytes]) -> frozenset[bytes]:
    """The fields that this message's Connection field declares to be for one hop only.

    Fields that are always meant for the far end are not among them: a peer that lists them is
    wrong (RFC 9110 section 7.6.1), and dropping them would change what the message says.
    """
    value = fields.get(b"connection")
    if value is None or value.lower() in _ITSELF:
        return _NOTHING
    return frozenset(connection_tokens(value)) - END_TO_END


@lru_cache(maxsize=64)
def lines_named(names: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Matches whole header lines of these names, each with the CRLF before it.

    They are expressions, and few: whoever calls this has them written down, no peer sends them.
    """
    return re.compile(rb"\r\n(?:" + b"|".join(names) + rb"):[^\r]*", re.IGNORECASE)


def without_lines(
    section: bytes,
    always: re.Pattern[bytes],
    fields: Mapping[bytes, bytes],
    also: Collection[bytes] = (),
) -> bytes:
    """Header lines (each after its CRLF) without those of `always`, of `also` and of Connection."""
    section = always.sub(b"", section)
    listed = connection_listed(fields)
    if also:
        listed = listed.union(also)
    return without_named(section, listed) if listed else section


def without_named(section: bytes, names: Collection[bytes]) -> bytes:
    """Without the lines of these names. A client chooses them, so nothing is compiled of them."""
    dropped = frozenset(names)
    lines = section.split(b"\r\n")
    return b"\r\n".join([line for line in lines if line.partition(b":")[0].lower() not in dropped])
