"""Reads which page of objects a ListObjects or ListObjectsV2 asks for, and writes the document.

Source: API reference, ListObjects and ListObjectsV2; order of elements and errors are AWS's.

Rules: a continuation token holds the last name of the page before and nothing else, so that it
means the same whatever the configuration has become.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastpath.s3.continuation_tokens import make_token, merged_scope, read_token
from fastpath.s3.list_parameters import (
    check_version,
    first_values,
    invalid_token,
    read_count,
    read_encoding,
    read_text,
)
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element, url_encoded

MAX_KEYS = 1000  # of one page, as of S3

# What stands before a row, after it, between two; a row begins with the text of its key.
ROW_BEGINS = b"<Contents><Key>"
ROW_ENDS = b"</Contents>"
BETWEEN_ROWS = ROW_ENDS + ROW_BEGINS

Query = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class ObjectListing:
    """A requested page: names with `prefix` after `start`, a name being a key or a common prefix.

    after: `start-after` or `marker`, as sent.
    token: the continuation token, as sent; None: there is none.
    encoded: whether names are URL-encoded.
    owners: whether rows have owners.
    """

    bucket: bytes
    is_v2: bool
    prefix: str
    delimiter: str
    after: str
    token: str | None
    start: str
    max_keys: int
    encoded: bool
    owners: bool

    def document(
        self, rows: Sequence[bytes], prefixes: Sequence[bytes], next_name: bytes | None
    ) -> bytes:
        """Return the document of a page.

        rows: of its keys, as they stand in the document, without ROW_BEGINS and ROW_ENDS.
        prefixes: its common prefixes.
        next_name: after which the next page begins; None: this is the last page. Raises
            UnicodeDecodeError: it is no name that a client could send.
        """
        count = len(rows) + len(prefixes)
        parts = [
            DECLARATION,
            f'<ListBucketResult xmlns="{NAMESPACE}">',
            element("Name", self.bucket.decode()),
            self._name("Prefix", self.prefix),
            *(self._head_of_v2(count, next_name) if self.is_v2 else self._head_of_v1(next_name)),
            element("MaxKeys", str(self.max_keys)),
        ]
        if self.delimiter:
            parts.append(self._name("Delimiter", self.delimiter))
        if self.encoded:
            parts.append(element("EncodingType", "url"))
        parts.append(element("IsTruncated", "false" if next_name is None else "true"))
        groups = [
            f"<CommonPrefixes>{self._name('Prefix', one)}</CommonPrefixes>" for one in prefixes
        ]
        begin, end = "".join(parts).encode(), "".join([*groups, "</ListBucketResult>"]).encode()
        if not rows:
            return begin + end
        # Joined once: a page of 1,000 rows has 250 KB.
        pieces = [*rows]
        pieces[0] = begin + ROW_BEGINS + pieces[0]
        pieces[-1] += ROW_ENDS + end
        return BETWEEN_ROWS.join(pieces)

    def _head_of_v2(self, count: int, next_name: bytes | None) -> list[str]:
        parts = [element("ContinuationToken", self.token)] if self.token is not None else []
        if next_name is not None:
            token = make_token(merged_scope(self.bucket), next_name.decode())
            parts.append(element("NextContinuationToken", token))
        if self.after:
            parts.append(self._name("StartAfter", self.after))
        return [*parts, element("KeyCount", str(count))]

    def _head_of_v1(self, next_name: bytes | None) -> list[str]:
        parts = [self._name("Marker", self.after)]
        if next_name is not None:
            name = next_name.decode()
            if self.delimiter:  # without one, the last key is the marker
                parts.append(self._name("NextMarker", name))
        return parts

    def _name(self, name: str, text: str | bytes) -> str:
        """Write an element with a name of an object, encoded if the client asked for it."""
        if self.encoded:
            return element(name, url_encoded(text))
        return element(name, text if isinstance(text, str) else text.decode("utf-8", "replace"))


def read_object_listing(query: Query, bucket: bytes, *, is_v2: bool) -> ObjectListing:
    """Read the page that a query asks for (AWS errors 4.19 to 4.23). Raises S3Error."""
    values = first_values(query)
    max_keys = read_count(values, "max-keys", "maxKeys", MAX_KEYS)
    check_version(values, is_v2=is_v2)
    encoded = read_encoding(values)
    prefix = read_text(values, "prefix")
    after = read_text(values, "start-after" if is_v2 else "marker")
    start, token = after, None
    if "continuation-token" in values:
        mark = read_token(merged_scope(bucket), values["continuation-token"])
        if not mark or not mark.startswith(prefix):
            raise invalid_token()
        start, token = mark, read_text(values, "continuation-token")
    return ObjectListing(
        bucket=bucket,
        is_v2=is_v2,
        prefix=prefix,
        delimiter=read_text(values, "delimiter"),
        after=after,
        token=token,
        start=start,
        max_keys=max_keys,
        encoded=encoded,
        owners=not is_v2 or values.get("fetch-owner", b"").lower() == b"true",
    )
