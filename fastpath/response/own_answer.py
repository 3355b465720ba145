"""The type of a response of the gateway's own that is no error: status, header lines, body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class OwnAnswer(NamedTuple):
    """Status, header lines (without CRLF) and body (XML)."""

    status: int
    lines: Sequence[bytes]
    body: bytes
