"""Reads an XML document that somebody else sent, piece by piece, within bounds.

The reader calls its owner at each start tag (`started`) and at each end tag (`ended`). `ended` gets
the text since the tag before it: of an element without children that is all of its text.
Attributes, comments and processing instructions are skipped.

Rules: no other module makes an expat parser; a document type ends the reading, so that no document
can declare an entity (XML 1.0 sections 2.8, 4.2); after an error the reader is of no more use; text
goes from expat into a list without a Python call, because a call is paid for each element.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from xml.parsers import expat

Started = Callable[[str, int], None]
Ended = Callable[[str, int, str], None]


class XmlError(Exception):
    """The document is not read any further; the subclass says why."""


class Malformed(XmlError):
    """It is not XML, or it is cut off."""


class UnknownEncoding(Malformed):
    """It declares an encoding that it is not in, or that expat cannot read."""


class DocumentType(XmlError):
    """It has a document type declaration."""


class TooDeep(XmlError):
    """Its elements are nested too deep."""


class TooLarge(XmlError):
    """The document, one text or one tag is too long, or its owner counts too many rows."""


class Unexpected(XmlError):
    """It is XML, but not the document that the reader's owner reads: the owner raises this."""


class Bounds(NamedTuple):
    """What a document may have at most.

    depth: of elements; the root is 1.
    text: characters between two tags.
    tag: bytes of one tag, comment or processing instruction that is not complete yet.
    size: bytes of the whole document. No element takes less than 4, so that their number is bounded
    as well; a list of 10,000 keys of 1,024 bytes takes 40 MB if each byte is escaped.
    """

    depth: int = 16
    text: int = 65536
    tag: int = 65536
    size: int = 1 << 26


_DEFAULT_BOUNDS = Bounds()
_ENCODING_ERRORS = frozenset(
    {
        expat.errors.codes[expat.errors.XML_ERROR_UNKNOWN_ENCODING],
        expat.errors.codes[expat.errors.XML_ERROR_INCORRECT_ENCODING],
    }
)


class XmlReader:
    """Reads one document.

    started(name, depth), ended(name, depth, text): what to call; they may raise XmlError.
    encoding: instead of the one that the document declares.
    prefixes: whether names come with their namespace prefix.
    mixed: whether anything but white space may stand before a child element.
    """

    __slots__ = ("_error", "_fed", "_max_size", "_max_tag", "_max_text", "_parser", "_text")

    def __init__(
        self,
        ended: Ended,
        started: Started | None = None,
        bounds: Bounds = _DEFAULT_BOUNDS,
        *,
        encoding: str | None = None,
        prefixes: bool = False,
        mixed: bool = True,
    ) -> None:
        _, self._max_text, self._max_tag, self._max_size = bounds
        self._fed = 0
        self._error: XmlError | None = None  # kept for finish()
        self._text: list[str] = []  # since the last tag
        self._parser = parser = expat.ParserCreate(encoding)
        parser.StartElementHandler, parser.EndElementHandler = _handlers(
            ended, started, self._text, bounds, prefixes=prefixes, mixed=mixed
        )
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = _refuse_document_type

    @property
    def position(self) -> int:
        """The bytes of the document before the tag that the owner is called at."""
        return self._parser.CurrentByteIndex

    def feed(self, data: bytes | memoryview) -> None:
        """Read one more piece of the document. Raises XmlError."""
        self._fed += len(data)
        if self._fed > self._max_size:
            raise TooLarge
        self._parse(data, last=False)
        if self._fed - self._parser.CurrentByteIndex > self._max_tag:
            raise TooLarge
        if self._text:
            self._text[:] = ("".join(self._text),)  # many short pieces become one
            if len(self._text[0]) > self._max_text:
                raise TooLarge

    def feed_and_keep_error(self, data: bytes | memoryview) -> None:
        """Read one more piece; an error is raised by finish(), and nothing is read until then."""
        if self._error is None:
            try:
                self.feed(data)
            except XmlError as error:
                self._error = error

    def finish(self, data: bytes = b"") -> None:
        """Read the last piece; the document must be complete now. Raises XmlError."""
        if self._error is not None:
            raise self._error
        if self._fed + len(data) > self._max_size:
            raise TooLarge
        self._parse(data, last=True)

    def _parse(self, data: bytes | memoryview, *, last: bool) -> None:
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            if error.code in _ENCODING_ERRORS:
                raise UnknownEncoding from None
            raise Malformed from None
        except (ValueError, LookupError):  # the codec of the declared encoding
            raise UnknownEncoding from None


def _handlers(
    ended: Ended,
    started: Started | None,
    pieces: list[str],
    bounds: Bounds,
    *,
    prefixes: bool,
    mixed: bool,
) -> tuple[Callable[[str, object], None], Callable[[str], None]]:
    """What expat calls at a start tag and at an end tag.

    They are closures because they run for each element: as methods, they would make 1,000 keys cost
    15 % more.
    """
    max_depth, max_text = bounds[:2]
    depth = 0
    local: Callable[[str], str] = str if prefixes else _without_prefix

    def start(name: str, _: object) -> None:
        nonlocal depth
        depth += 1
        if depth > max_depth:
            raise TooDeep
        if pieces:
            _check_text_before_child(pieces, max_text, mixed=mixed)
        if started is not None:
            if ":" in name:
                name = local(name)
            started(name, depth)

    def end(name: str) -> None:
        nonlocal depth
        text = ""
        if pieces:
            text = "".join(pieces)
            pieces.clear()
            if len(text) > max_text:
                raise TooLarge
        if ":" in name:
            name = local(name)
        depth -= 1
        ended(name, depth + 1, text)

    return start, end


def _without_prefix(name: str) -> str:
    return name.rpartition(":")[2]


def _check_text_before_child(pieces: list[str], max_text: int, *, mixed: bool) -> None:
    text = "".join(pieces)
    pieces.clear()
    if len(text) > max_text:
        raise TooLarge
    if not mixed and text.strip():
        raise Unexpected


def _refuse_document_type(*_: object) -> None:
    raise DocumentType
