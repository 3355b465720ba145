"""Writes the headers that tell a client which target and rule its request went to.

Rules: a response has at most one of each, of the gateway that the client talks to; only a caller
that may see decisions gets them (`auth.show_decisions`); target names are letters, digits, - and _,
so that no name makes a header of its own.
"""

from __future__ import annotations

TARGET = b"x-s3gateway-target"
RULE = b"x-s3gateway-rule"

_BY_DEFAULT = "default"  # no rule matched


def decision_lines(target: str, rule: int | str) -> bytes:
    """Return both header lines, each with its CRLF.

    rule: its number, 0 if none matched, or the word for what decided instead.
    """
    return b"%b: %b\r\n%b: %b\r\n" % (
        TARGET,
        target.encode("ascii"),
        RULE,
        str(rule or _BY_DEFAULT).encode("ascii"),
    )
