"""Targets that speak S3 with differences: what is translated for each.

Rules: pure; a profile names the dialect of its targets.

Not here: what a target can do (`profiles`), applying a translation (`exchange`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastpath.dialects import lakefs
from fastpath.dialects.translation import Asked, Translation

DIALECTS: Mapping[str, Mapping[str, Callable[[Asked], Translation]]] = {
    "lakefs": lakefs.OPERATIONS,
}


def translate(dialect: str, asked: Asked) -> Translation | None:
    """How a request goes to a target of this dialect; None: as it is. Raises S3Error."""
    operation = DIALECTS[dialect].get(asked.operation)
    return operation(asked) if operation is not None else None
