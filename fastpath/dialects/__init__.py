"""Targets that speak S3 with differences: what is translated for each.

Rules: pure; a profile names the dialect of its targets.

Not here: what a target can do (`profiles`), applying a translation (`interpreter`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastpath.dialects import lakefs
from fastpath.dialects.translation import Asked, Translation

DIALECTS: Mapping[str, Callable[[Asked], Translation]] = {"lakefs": lakefs.translate}


def translate(dialect: str, asked: Asked) -> Translation:
    """How a request goes to a target of this dialect. Raises S3Error."""
    return DIALECTS[dialect](asked)
