"""Reads the error document of a target: what its top elements say.

Rules: expat, and nothing of XML that an error document has no use for: a document type (and so any
entity of its own) ends the reading with nothing found, as does an unreasonable depth; only the
caller bounds the size, and it may pass the beginning of a document; what stood before a defect or
the end counts.

Not here: what the codes mean (`verdict`), error documents of the gateway itself (`s3xml`).
"""

from __future__ import annotations

from xml.parsers import expat

_ROOT = "Error"
_MAX_DEPTH = 8  # AWS's documents are two deep


class _Unfit(Exception):
    """It is no error document."""


class _Reader:
    """Gathers the text of the root's children; the first of a name counts."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._path: list[str] = []
        self._text: list[str] = []

    def start(self, name: str, _: object) -> None:
        if not self._path and name != _ROOT:
            raise _Unfit
        self._path.append(name)
        if len(self._path) > _MAX_DEPTH:
            raise _Unfit
        self._text.clear()

    def end(self, _: str) -> None:
        name = self._path.pop()
        if len(self._path) == 1:
            self.found.setdefault(name, "".join(self._text).strip())

    def text(self, data: str) -> None:
        if len(self._path) == 2:
            self._text.append(data)

    def doctype(self, *_: object) -> None:
        raise _Unfit


def read_error(document: bytes) -> dict[str, str]:
    """The children of `<Error>` that are complete in `document`; empty if it is none."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(document, True)
    except _Unfit:
        return {}
    except (expat.ExpatError, ValueError, LookupError):  # the last two: an encoding of its own
        pass
    return reader.found
