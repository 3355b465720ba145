"""Parses a multipart/form-data body up to its file: the fields, and where the file begins.

Rules: strict and bounded (RFC 7578, RFC 2046 section 5.1.1): lines end with CRLF, nothing follows a
boundary on its line, a name comes once; a preamble and an epilogue are ignored; at most
MAX_PRE_DATA bytes precede the file, as on AWS; how the bytes are cut affects neither the result nor
an error; no byte of a boundary is ever data.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from fastpath.errors import (
    FORM_FILES,
    FORM_MALFORMED,
    FORM_PRE_DATA,
    FORM_TYPE,
    INVALID_ARGUMENT,
    S3Error,
)

MAX_PRE_DATA = 20480  # bytes before the file (AWS errors 5.6)
MAX_PARTS_AFTER_FILE = 100  # their size is bounded by the form's
FILE = b"file"

_TYPE = re.compile(rb"multipart/form-data[ \t]*(?:;|\Z)", re.IGNORECASE)
# RFC 2046 section 5.1.1: 1 to 70 characters, the last no space.
_BOUNDARY = re.compile(
    rb";[ \t]*boundary=(?:\"([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])\""
    rb"|([0-9A-Za-z'()+_,./:=?-]{1,70}))[ \t]*(?:;|\Z)",
    re.IGNORECASE,
)
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*")
_PARAMETER = re.compile(
    rb"[ \t]*;[ \t]*([!#$%&'+\-.^_`|~0-9A-Za-z]+)(\*?)[ \t]*=[ \t]*"
    rb"(?:\"((?:[^\"\\]|\\.)*)\"|([^\" \t;]*))"
)


def boundary_of(content_type: bytes) -> bytes:
    """Return the boundary of a form. Raises S3Error: no form (412), or no boundary."""
    if _TYPE.match(content_type) is None:
        raise S3Error(
            FORM_TYPE,
            ("Condition", "Bucket POST must be of the enclosure-type multipart/form-data"),
        )
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise S3Error(FORM_MALFORMED)
    return match[1] or match[2]


class FormReader:
    """Parses the fields of one form, fed in any pieces until the file has `begun`."""

    __slots__ = (
        "_at",
        "_boundary",
        "_buffer",
        "_is_first_boundary_read",
        "begun",
        "fields",
        "filename",
        "start",
    )

    def __init__(self, boundary: bytes) -> None:
        self._boundary = b"--" + boundary
        self._buffer = b""
        self._at = 0  # everything before it is parsed
        self._is_first_boundary_read = False  # everything before it is the preamble
        self.fields: dict[bytes, bytes] = {}  # by lower-case name, in the order of the form
        self.filename = b""  # without its directories
        self.begun = False  # the file's first byte is at `start`
        self.start = 0

    def feed(self, data: bytes, last: bool) -> bytes | None:
        """Parse a piece; return the file's first bytes, or None before them. Raises S3Error."""
        self._buffer += data
        whole = last and len(self._buffer) <= MAX_PRE_DATA
        window = self._buffer[:MAX_PRE_DATA]
        while not self.begun and self._step(window):
            pass
        if self.begun:
            rest, self._buffer = self._buffer[self.start :], b""
            return rest
        if whole:
            raise S3Error(FORM_MALFORMED)
        if len(self._buffer) >= MAX_PRE_DATA:
            raise S3Error(FORM_PRE_DATA, ("MaxPostPreDataLengthBytes", str(MAX_PRE_DATA)))
        return None

    def _step(self, window: bytes) -> bool:
        """Parse one boundary and the part after it; False if more bytes are needed."""
        if not self._is_first_boundary_read and not self._skip_preamble(window):
            return False
        at = self._after_boundary(window)
        if at < 0:
            return False
        end = window.find(b"\r\n\r\n", at)
        if end < 0:
            return False
        name, filename = _disposition(window[at:end])
        begin = end + 4
        if name == FILE:
            self.begun, self.start, self.filename = True, begin, _base_name(filename)
            return False
        close = window.find(b"\r\n" + self._boundary, begin)
        if close < 0:
            return False
        if name in self.fields:
            raise S3Error(
                INVALID_ARGUMENT,
                ("ArgumentName", name.decode("utf-8", "replace")),
                message="A field of a POST form may be given only once.",
            )
        self.fields[name] = window[begin:close]
        self._at = close + 2
        return True

    def _skip_preamble(self, window: bytes) -> bool:
        """Whether the first boundary has come; what precedes it is ignored."""
        if window.startswith(self._boundary):
            self._is_first_boundary_read = True
        elif (at := window.find(b"\r\n" + self._boundary)) >= 0:
            self._is_first_boundary_read, self._at = True, at + 2
        return self._is_first_boundary_read

    def _after_boundary(self, window: bytes) -> int:
        """Return where the part after the next boundary begins; -1 if more bytes are needed."""
        end = self._at + len(self._boundary)
        line = window[self._at : end + 2]
        if not (self._boundary + b"\r\n").startswith(line):
            if line == self._boundary + b"--":
                raise S3Error(FORM_FILES, ("ArgumentName", "file"), ("ArgumentValue", "0"))
            if line != self._boundary + b"-":
                raise S3Error(FORM_MALFORMED)
        return end + 2 if line == self._boundary + b"\r\n" else -1


def names_after_file(rest: bytes, boundary: bytes) -> list[bytes]:
    """Return the names of the parts after a file; `rest` begins with the boundary line after it.

    Raises S3Error if no closing boundary ends the form. What follows that is ignored.
    """
    delimiter = b"\r\n--" + boundary
    names: list[bytes] = []
    at = len(delimiter) - 2  # in `rest`, which lacks the CRLF of its first delimiter
    while not rest.startswith(b"--", at):
        end = rest.find(b"\r\n\r\n", at)
        next_at = rest.find(delimiter, at)
        if not rest.startswith(b"\r\n", at) or not at < end < next_at:
            raise S3Error(FORM_MALFORMED)
        if len(names) == MAX_PARTS_AFTER_FILE:
            raise S3Error(FORM_MALFORMED)
        names.append(_disposition(rest[at + 2 : end])[0])
        at = next_at + len(delimiter)
    return names


def _disposition(head: bytes) -> tuple[bytes, bytes]:
    """Return name (lower case) and file name of a part from its header lines."""
    found: bytes | None = None
    for line in head.split(b"\r\n"):
        match = _HEADER.fullmatch(line)
        if match is None:
            raise S3Error(FORM_MALFORMED)
        if match[1].lower() == b"content-disposition":
            if found is not None:
                raise S3Error(FORM_MALFORMED)
            found = match[2]
    kind, semicolon, rest = (found or b"").partition(b";")
    parameters = _parameters(semicolon + rest)
    if kind.strip(b" \t").lower() != b"form-data" or not parameters.get(b"name"):
        raise S3Error(FORM_MALFORMED)
    return parameters[b"name"].lower(), parameters.get(b"filename", b"")


def _parameters(text: bytes) -> dict[bytes, bytes]:
    """Parse the parameters of a Content-Disposition.

    Browsers escape a quotation mark as %22 and do not escape backslashes, others write `\\"`; a
    file name begins after its last backslash, so only this order of steps reads both.
    """
    found: dict[bytes, bytes] = {}
    at = 0
    while match := _PARAMETER.match(text, at):
        name, extended = match[1].lower(), match[2]
        value = match[3].replace(b'\\"', b'"') if match[3] is not None else match[4]
        if name in found and not extended:
            raise S3Error(FORM_MALFORMED)
        # RFC 5987; RFC 7578 section 4.2 forbids it, older clients write it for other alphabets.
        found[name] = unquote_to_bytes(value.rpartition(b"'")[2]) if extended else value
        at = match.end()
    if text[at:].strip(b" \t;"):
        raise S3Error(FORM_MALFORMED)
    return found


def _base_name(filename: bytes) -> bytes:
    """Return what follows the last slash or backslash (AWS "HTML form fields")."""
    return re.split(rb"[/\\]", filename)[-1]
