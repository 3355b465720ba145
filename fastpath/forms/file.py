"""Where the file of a form ends, and how much of it there is before it has come.

A target wants the length first, and a form does not tell it. What is left of a short form is
gathered, so that its end is seen. Of a longer one the file must be the last field: then its length
is what is left, less the closing boundary with its CRLF, and the end proves whether that was right.

Rules: no byte of a boundary is ever data; of a streamed file the last bytes are held back until the
closing boundary has come exactly where it was expected, so that nothing else ever completes.

Not here: the fields (`reader`), what the file is checked against (`payload`).
"""

from __future__ import annotations

from fastpath.errors import FORM_FILES, FORM_MALFORMED, S3Error
from fastpath.forms.reader import FILE, names_behind
from fastpath.payload.filters import BodyFilter
from fastpath.signing.sigv4.chain import Chain

_MUST_END = (
    "The body of your POST request is not well-formed multipart/form-data: in a form of this size "
    "the file must be the last field, and the closing boundary must end with CRLF."
)


def file_in(rest: bytes, boundary: bytes) -> bytes:
    """The file in all that came from its first byte on.

    The fields behind it, and what follows the closing boundary, are ignored, as on AWS (RFC 2046
    section 5.1.1: an epilogue). Raises S3Error.
    """
    data, delimiter, behind = rest.partition(b"\r\n--" + boundary)
    if not delimiter:
        raise S3Error(FORM_MALFORMED)
    names = names_behind(b"--" + boundary + behind, boundary)
    if FILE in names:
        count = str(1 + names.count(FILE))
        raise S3Error(FORM_FILES, ("ArgumentName", "file"), ("ArgumentValue", count))
    return data


class FormFile:
    """The way up of a form's file of `length` bytes; `onward` checks them, if anything does."""

    __slots__ = ("_onward", "length")

    def __init__(self, length: int) -> None:
        self.length = length
        self._onward: BodyFilter | None = None

    def lead_to(self, onward: BodyFilter | None) -> None:
        """What checks the file's bytes."""
        self._onward = onward

    def begin(self, chain: Chain) -> None:
        """Never reframed."""

    def feed(self, data: bytes, last: bool) -> bytes:
        """Take a piece of the form; what may go up now. Raises S3Error."""
        data = self._file_bytes(data, last)
        return data if self._onward is None else self._onward.feed(data, last)

    def _file_bytes(self, data: bytes, last: bool) -> bytes:
        raise NotImplementedError


class GatheredFile(FormFile):
    """A file that is here already."""

    __slots__ = ("_data",)

    def __init__(self, rest: bytes, boundary: bytes) -> None:
        self._data = file_in(rest, boundary)
        super().__init__(len(self._data))

    def _file_bytes(self, data: bytes, last: bool) -> bytes:
        return self._data


class StreamedFile(FormFile):
    """A file that goes up while it comes: everything but the closing boundary."""

    __slots__ = ("_closing", "_delimiter", "_held", "_left")

    def __init__(self, rest: bytes, left: int, boundary: bytes) -> None:
        """`rest` came already; `left` bytes are to come from the file's first byte on, with it."""
        self._delimiter = b"\r\n--" + boundary
        self._closing = self._delimiter + b"--\r\n"
        self._held = rest
        super().__init__(left - len(self._closing))
        self._left = self.length  # bytes of the file that did not go up yet

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
