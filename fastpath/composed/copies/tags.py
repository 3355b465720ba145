"""Reads the tags of a source, and writes them as a header has them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from fastpath.composed.calls import call_at, error_of
from fastpath.composed.copies.source import SourceObject, unusable
from fastpath.s3.xml_reader import XmlError, XmlReader
from fastpath.upstream.call import MAX_REPLY

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest


async def tags_of(request: ComposedRequest, source: SourceObject) -> bytes:
    """Return the tags of the source, as `x-amz-tagging` has them. Raises S3Error, CallFailed."""
    place = source.place
    async with call_at(
        request, "GetObjectTagging", place, query=source.query, headers=source.headers
    ) as call:
        head = await call.answer()
        if head.status != 200:
            raise await error_of(request, call, head, place)
        document = await call.document(MAX_REPLY)
    pairs = _read_tags(document or b"")
    if pairs is None:
        raise unusable(request, place, "sent tags that cannot be read")
    words = [f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs]
    return "&".join(words).encode()


def _read_tags(document: bytes) -> list[tuple[str, str]] | None:
    """Return keys and values; None: it is another document."""
    tags: list[dict[str, str]] = []

    def started(name: str, depth: int) -> None:
        if name == "Tag" and depth == 3:
            tags.append({})

    def ended(name: str, depth: int, text: str) -> None:
        if depth == 4 and tags:
            tags[-1][name] = text

    try:
        XmlReader(ended, started).finish(document)
    except XmlError:
        return None
    if any("Key" not in tag for tag in tags):
        return None
    return [(tag["Key"], tag.get("Value", "")) for tag in tags]
