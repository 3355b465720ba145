"""A response that the gateway makes itself and that is no error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class OwnAnswer(NamedTuple):
    """Status, header lines (without CRLF) and body (XML)."""

    status: int
    lines: Sequence[bytes]
    body: bytes
