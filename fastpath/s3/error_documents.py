"""Reads the error document of a target: what its top elements say.

    <Error><Code>         S3's; with a namespace prefix, a byte-order mark, white space before it
    <ErrorResponse><Error><Code>, <Response><Errors><Error><Code>      other services of AWS
    {"Code": ...}, {"error": {"code": ...}}, {"__type": ...}           JSON, at any depth

Rules: a document type ends the reading with nothing found, as does an unreasonable depth; only the
caller bounds the size, and it may pass the beginning of a document; what stood before a defect or
the end counts. Of JSON, text members are looked for, so that half a document can be read as well.

Not here: what the codes mean (`verdict`), codings (`codings`), error documents of the gateway
itself (`s3xml`).
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
_AROUND = (["errorresponse"], ["response", "errors"])  # what may stand around it
_MAX_DEPTH = 8  # below <Error>; AWS's documents are two deep
_BOUNDS = Bounds(depth=1000, text=1 << 20)  # the caller bounds the size
# Names as S3 spells them; other stores write some of them in lower case.
_SPELT = {name.lower(): name for name in ("Code", "Message", "Region", "Endpoint")}
# The longer marks come first: one begins with another.
_MARKS = (
    (BOM_UTF32_LE, "utf-32"),
    (BOM_UTF32_BE, "utf-32"),
    (BOM_UTF16_LE, "utf-16"),
    (BOM_UTF16_BE, "utf-16"),
)
_MEMBER = re.compile(
    r'"(code|errorcode|error_code|__type|error|message|region|endpoint)"\s*:\s*"([^"\\]{0,1000})"',
    re.IGNORECASE,
)
# Which members of JSON mean which element, the most telling first.
_MEMBERS = {
    "Code": ("code", "errorcode", "error_code", "__type", "error"),
    "Message": ("message",),
    "Region": ("region",),
    "Endpoint": ("endpoint",),
}


class _Reader:
    """Gathers the text of the error's children; the first of a name counts."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._above: list[str] = []  # elements around the error
        self._depth = 0  # inside the error; 1: the error itself
        self._over = False  # the error has ended; what follows it is of no interest

    def started(self, name: str, _: int) -> None:
        if self._over:
            return
        if not self._depth:
            name = name.lower()
            if name != _ROOT:
                self._above.append(name)
                if not any(above[: len(self._above)] == self._above for above in _AROUND):
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
            self._over = True
        elif self._depth == 1:
            name = _SPELT.get(name.lower(), name)
            self.found.setdefault(name, text.strip())


def read_error(document: bytes) -> dict[str, str]:
    """The children of `<Error>` that are complete in `document`; empty if it is none."""
    document, encoding = _begin(document)
    if document[:1] in (b"{", b"["):
        return _read_json(document.decode("utf-8", "replace"))
    try:
        return _read_xml(document, encoding)
    except UnknownEncoding:
        return _read_xml(document, "iso-8859-1")  # its names and codes are ASCII all the same


def _begin(document: bytes) -> tuple[bytes, str | None]:
    """The document without what may stand before it, and its encoding if that is known."""
    for mark, name in _MARKS:
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
