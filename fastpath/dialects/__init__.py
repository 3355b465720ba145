"""Targets that speak S3 with differences: what is translated for each.

Rules: pure; a profile names the dialect of its targets; of a target that speaks S3 as it is, only
what PLAIN has is translated.

Not here: what a target can do (`profiles`), applying a translation (`interpreter`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastpath.dialects import deletion, lakefs, location
from fastpath.dialects.translation import Asked, Translation

PLAIN: Mapping[str, Callable[[Asked], Translation]] = {
    **location.OPERATIONS,
    "DeleteObjects": deletion.DeleteObjects,
}
DIALECTS: Mapping[str, Callable[[Asked], Translation]] = {"lakefs": lakefs.translate}


def translate(dialect: str | None, asked: Asked) -> Translation:
    """How a request goes to a target of this dialect. Raises S3Error."""
    if dialect is None:
        return PLAIN[asked.operation](asked)
    return DIALECTS[dialect](asked)
