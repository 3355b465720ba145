"""Finds the end of a form's file, and its length before all of it has come.

A target wants the length first, and a form does not say it. The rest of a short form is buffered,
so that its end is known. In a longer form the file must be the last field: then its length is what
is left, less the closing boundary with its CRLF, and the end shows whether that was right.

Rules: no byte of a boundary is ever data; the last bytes of a streamed file wait until the
closing boundary has come exactly where it was expected, so that nothing else is ever complete.
"""

from __future__ import annotations

from fastpath.errors import FORM_FILES, FORM_MALFORMED, S3Error
from fastpath.forms.reader import FILE, names_after_file
from fastpath.payload.filters import BodyFilter
from fastpath.signing.sigv4.chain import Chain

_MUST_END = (
    "The body of your POST request is not well-formed multipart/form-data: in a form of this size "
    "the file must be the last field, and the closing boundary must end with CRLF."
)


def extract_file(rest: bytes, boundary: bytes) -> bytes:
    """Return the file at the beginning of `rest`. Raises S3Error.

    The fields after it, and what follows the closing boundary, are ignored, as on AWS (RFC 2046
    section 5.1.1: an epilogue).
    """
    data, delimiter, behind = rest.partition(b"\r\n--" + boundary)
    if not delimiter:
        raise S3Error(FORM_MALFORMED)
    names = names_after_file(b"--" + boundary + behind, boundary)
    if FILE in names:
        count = str(1 + names.count(FILE))
        raise S3Error(FORM_FILES, ("ArgumentName", "file"), ("ArgumentValue", count))
    return data


class FormFile:
    """A BodyFilter for a form's file of `length` bytes; another filter may check them."""

    __slots__ = ("_filter", "length")

    def __init__(self, length: int) -> None:
        self.length = length
        self._filter: BodyFilter | None = None

    def set_filter(self, body_filter: BodyFilter | None) -> None:
        """Set the filter that checks the file's bytes."""
        self._filter = body_filter

    def begin(self, chain: Chain) -> None:
        """No chunks are made."""

    def feed(self, data: bytes, last: bool) -> bytes:
        """Take a piece of the form; return what may be sent now. Raises S3Error."""
        data = self._file_bytes(data, last)
        return data if self._filter is None else self._filter.feed(data, last)

    def _file_bytes(self, data: bytes, last: bool) -> bytes:
        raise NotImplementedError


class BufferedFile(FormFile):
    """A file that has come completely."""

    __slots__ = ("_data",)

    def __init__(self, rest: bytes, boundary: bytes) -> None:
        self._data = extract_file(rest, boundary)
        super().__init__(len(self._data))

    def _file_bytes(self, data: bytes, last: bool) -> bytes:
        return self._data


class StreamedFile(FormFile):
    """A file that is sent while it comes: everything but the closing boundary."""

    __slots__ = ("_closing", "_delimiter", "_held", "_left")

    def __init__(self, rest: bytes, left: int, boundary: bytes) -> None:
        """`rest`: what has come of the file; `left`: bytes from the file's first one to the end."""
        self._delimiter = b"\r\n--" + boundary
        self._closing = self._delimiter + b"--\r\n"
        self._held = rest
        super().__init__(left - len(self._closing))
        self._left = self.length  # bytes of the file that were not sent yet

    def _file_bytes(self, data: bytes, last: bool) -> bytes:
        held = self._held + data
        at = held.find(self._delimiter)
        if at >= 0 and at != self._left:
            raise S3Error(FORM_MALFORMED, message=_MUST_END)
        if last:
            if held[self._left :] != self._closing:
                raise S3Error(FORM_MALFORMED, message=_MUST_END)
            out, self._held = held[: self._left], b""
        else:
            cut = max(len(held) - len(self._closing), 0)
            out, self._held = held[:cut], held[cut:]
        self._left -= len(out)
        return out
