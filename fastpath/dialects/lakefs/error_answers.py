"""An error of lakeFS that means something else to S3, if it is the one that is meant.

Rules: the document is kept until its code can be read; any other error goes down as it came.

Not here: what it means (`lists`, `uploads`).
"""

from __future__ import annotations

from collections.abc import Callable

from fastpath.errorxml import read_error

_MAX_DOCUMENT = 65536  # bytes; a document of lakeFS has less than one KiB


class ErrorAnswer:
    """Rewrites an error of `code` into the document of 200 that `instead` returns, if it does."""

    def __init__(self, code: str, instead: Callable[[], bytes]) -> None:
        self.status: int | None = None
        self._code = code
        self._instead = instead
        self._document = b""
        self._is_long = False

    def feed(self, data: bytes) -> bytes:
        """Kept, unless it is longer than any error of lakeFS."""
        if self._is_long:
            return data
        self._document += data
        self._is_long = len(self._document) > _MAX_DOCUMENT
        return self._document if self._is_long else b""

    def finish(self) -> bytes:
        """The other document, or the error as it came. Raises what `instead` raises."""
        if self._is_long:
            return b""
        if read_error(self._document).get("Code") != self._code:
            return self._document
        document = self._instead()
        self.status = 200
        return document
