"""A store that lists objects as S3 does, without sockets: a query in, a document out.

Rules: shares no code with the gateway; how it writes a document is a `Style`, so that a reader is
tried with every document that means the same.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, quote_plus
from xml.sax.saxutils import escape

DATE = "2026-01-02T03:04:05.000Z"


@dataclass(frozen=True)
class Style:
    """How a store writes lists.

    encodes: it knows encoding-type.
    quotes: how it encodes; AWS's way is `quote_plus`.
    between: what stands between elements.
    prefix: of the namespace.
    key_last: the Key is not the first element of a row.
    counts: it writes KeyCount.
    page: names on a page at most.
    repeats: it lists a common prefix again after a name in it, or after itself.
    """

    encodes: bool = True
    quotes: str = "plus"
    between: str = ""
    prefix: str = ""
    key_last: bool = False
    counts: bool = True
    page: int = 1000
    repeats: bool = False


@dataclass
class ListedStore:
    """The objects of one bucket: their keys, and what tells each from others."""

    objects: Mapping[str, str] = field(default_factory=dict)
    style: Style = field(default_factory=Style)

    def answer(self, query: str) -> bytes:
        """Return the document for a ListObjectsV2."""
        asked = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
        assert asked.pop("list-type") == "2"
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        token = asked.get("continuation-token", "")
        after = base64.b64decode(token).decode() if token else asked.get("start-after", "")
        repeats = self.style.repeats and not token
        names = sorted(self._names(prefix, delimiter, after, repeats), key=str.encode)
        size = min(int(asked.get("max-keys", "1000")), self.style.page)
        page, more = names[:size], names[size:]
        encoded = self.style.encodes and asked.get("encoding-type") == "url"
        return self._document(page, bool(more and size), prefix, delimiter, encoded)

    def _names(self, prefix: str, delimiter: str, after: str, repeats: bool) -> Iterable[str]:
        names = set()
        for key in self.objects:
            if not key.startswith(prefix):
                continue
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            name = key if at < 0 else key[: at + len(delimiter)]
            known = key if repeats else name
            if known.encode() > after.encode():
                names.add(name)
        return names

    def _document(
        self, page: list[str], more: bool, prefix: str, delimiter: str, encoded: bool
    ) -> bytes:
        def name(element: str, text: str) -> str:
            return self._element(element, self._encoded(text) if encoded else text)

        def is_group(one: str) -> bool:
            return bool(delimiter) and one.find(delimiter, len(prefix)) >= 0

        style = self.style
        parts = [
            self._element("Name", "bucket"),
            name("Prefix", prefix),
            self._element("IsTruncated", str(more).lower()),
        ]
        if style.counts:
            parts.append(self._element("KeyCount", str(len(page))))
        if encoded:
            parts.append(self._element("EncodingType", "url"))
        if more:
            mark = base64.b64encode(page[-1].encode()).decode()
            parts.append(self._element("NextContinuationToken", mark))
        for one in page:
            if not is_group(one):
                row = [name("Key", one), *self._row(one)]
                parts.append(self._nested("Contents", row[::-1] if style.key_last else row))
        parts += [
            self._nested("CommonPrefixes", [name("Prefix", one)]) for one in page if is_group(one)
        ]
        namespace = f' xmlns{":" if style.prefix else ""}{style.prefix[:-1]}="urn:s3"'
        root = f"{style.prefix}ListBucketResult"
        inner = style.between.join(parts)
        return f'<?xml version="1.0"?>\n<{root}{namespace}>{inner}</{root}>'.encode()

    def _row(self, key: str) -> list[str]:
        return [
            self._element("LastModified", DATE),
            self._element("ETag", f'"{self.objects[key]}"'),
            self._nested("Owner", [self._element("ID", self.objects[key])]),
        ]

    def _element(self, name: str, text: str) -> str:
        text = escape(text, {"\r": "&#13;"})
        return f"<{self.style.prefix}{name}>{text}</{self.style.prefix}{name}>"

    def _nested(self, name: str, parts: list[str]) -> str:
        between = self.style.between
        inner = between.join(["", *parts, ""]) if between else "".join(parts)
        return f"<{self.style.prefix}{name}>{inner}</{self.style.prefix}{name}>"

    def _encoded(self, text: str) -> str:
        if self.style.quotes == "plus":
            return quote_plus(text, safe="/*")
        return quote(text, safe="" if self.style.quotes == "all" else "/&'")
