"""Has the gateway make a copy that a target does not make by itself.

Rules: only NotImplemented says that the target has done nothing and never will.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpath.errors import NOT_IMPLEMENTED
from fastpath.response.filters import Reason, ResponseFilter, SendAgain

if TYPE_CHECKING:
    from fastpath.http.head import ResponseHead
    from fastpath.response.filters import Step


class RefusedCopies(ResponseFilter):
    """Decides about the answer to a copy within one target."""

    def head(self, head: ResponseHead) -> Step:
        is_refused = head.status == NOT_IMPLEMENTED.status
        return SendAgain(Reason.COPY) if is_refused else None
