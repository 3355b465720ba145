"""Finds the error code, for the access log, in an error document that is relayed."""

from __future__ import annotations

import re

from fastpath.s3.error_documents import read_error
from fastpath.s3.refusals import MAX_ERROR_BYTES

# The form of error codes of S3 and its like; nothing else is logged as one.
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class ErrorCode:
    """The code of one document, of which the first MAX_ERROR_BYTES are read."""

    __slots__ = ("_start", "found", "sought")

    def __init__(self) -> None:
        self._start = b""
        self.found = ""
        self.sought = True

    def feed(self, data: bytes) -> None:
        """Look at the next piece of the document."""
        start = self._start = self._start + data
        if b"</Code>" in start:
            code = read_error(start[:MAX_ERROR_BYTES]).get("Code", "")
            self.found = code if _CODE.fullmatch(code) else ""
        self.sought = not self.found and len(start) < MAX_ERROR_BYTES
