"""Reads the error document of a target, in XML or JSON.

    <Error><Code>         S3's; with a namespace prefix, a byte-order mark, white space before it
    <ErrorResponse><Error><Code>, <Response><Errors><Error><Code>      other services of AWS
    {"Code": ...}, {"error": {"code": ...}}, {"__type": ...}           JSON, at any depth

Rules: a document type ends the reading with nothing found, and so does an unreasonable depth; the
caller bounds the size and may pass only the beginning of a document: what is complete before the
end, or before a syntax error, counts. Of JSON, text members are searched for, so that half a
document can be read as well.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE

from fastpath.s3.xml_reader import (
    Bounds,
    Malformed,
    TooDeep,
    Unexpected,
    UnknownEncoding,
    XmlError,
    XmlReader,
)

_ROOT = "error"
_WRAPPERS = (["errorresponse"], ["response", "errors"])  # elements that may contain it
_MAX_DEPTH = 8  # below <Error>; AWS's documents are two deep
_BOUNDS = Bounds(depth=1000, text=1 << 20)  # the caller bounds the size
# Names as S3 spells them; other stores write some of them in lower case.
_S3_SPELLING = {name.lower(): name for name in ("Code", "Message", "Region", "Endpoint")}
# The longer ones come first: UTF-32's begins with UTF-16's.
_BYTE_ORDER_MARKS = (
    (BOM_UTF32_LE, "utf-32"),
    (BOM_UTF32_BE, "utf-32"),
    (BOM_UTF16_LE, "utf-16"),
    (BOM_UTF16_BE, "utf-16"),
)
_MEMBER = re.compile(
    r'"(code|errorcode|error_code|__type|error|message|region|endpoint)"\s*:\s*"([^"\\]{0,1000})"',
    re.IGNORECASE,
)
# Which members of JSON mean which element; the first that is there counts.
_MEMBERS = {
    "Code": ("code", "errorcode", "error_code", "__type", "error"),
    "Message": ("message",),
    "Region": ("region",),
    "Endpoint": ("endpoint",),
}


class _Reader:
    """Collects the text of the error's children; the first of a name counts."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._ancestors: list[str] = []  # elements around the error
        self._depth = 0  # inside the error; 1: the error itself
        self._is_done = False  # the error has ended; what follows is ignored

    def started(self, name: str, _: int) -> None:
        if self._is_done:
            return
        if not self._depth:
            name = name.lower()
            if name != _ROOT:
                self._ancestors.append(name)
                if not any(above[: len(self._ancestors)] == self._ancestors for above in _WRAPPERS):
                    raise Unexpected
                return
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise TooDeep

    def ended(self, name: str, _: int, text: str) -> None:
        if not self._depth:
            return
        self._depth -= 1
        if not self._depth:
            self._is_done = True
        elif self._depth == 1:
            name = _S3_SPELLING.get(name.lower(), name)
            self.found.setdefault(name, text.strip())


def read_error(document: bytes) -> dict[str, str]:
    """Return the complete children of `<Error>`; none if it is no error document."""
    document, encoding = _strip_beginning(document)
    if document[:1] in (b"{", b"["):
        return _read_json(document.decode("utf-8", "replace"))
    try:
        return _read_xml(document, encoding)
    except UnknownEncoding:
        return _read_xml(document, "iso-8859-1")  # its names and codes are ASCII all the same


def _strip_beginning(document: bytes) -> tuple[bytes, str | None]:
    """Return the document without what may precede it, and its encoding if that is known."""
    for mark, name in _BYTE_ORDER_MARKS:
        if document.startswith(mark):
            return document.decode(name, "replace").lstrip().encode(), "utf-8"
    return document.removeprefix(BOM_UTF8).lstrip(), None


def _read_xml(document: bytes, encoding: str | None) -> dict[str, str]:
    reader = _Reader()
    parser = XmlReader(reader.ended, reader.started, _BOUNDS, encoding=encoding)
    try:
        parser.finish(document)
    except UnknownEncoding:
        raise
    except Malformed:
        return reader.found
    except XmlError:
        return {}
    return reader.found


def _read_json(text: str) -> dict[str, str]:
    members: dict[str, str] = {}
    for name, value in _MEMBER.findall(text):
        members.setdefault(name.lower(), value)
    found: dict[str, str] = {}
    for element, names in _MEMBERS.items():
        value = next((members[name] for name in names if members.get(name)), None)
        if value is not None:
            found[element] = value
    return found
