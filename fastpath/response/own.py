"""An answer that is made here and is no error.

Not here: the lines that every answer has (`reply`), errors (`errors`).

Rules: lines are whole header lines without their CRLF; a body is XML.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Answer(NamedTuple):
    """Status, header lines and body."""

    status: int
    lines: Sequence[bytes]
    body: bytes
