"""Translates ListBuckets in pages, while lakeFS returns all of its repositories at once.

Rules: streaming; the rows of one page are taken from the whole list, which must be in order.
"""

from __future__ import annotations

from urllib.parse import quote

from fastpath.dialects.lakefs.document_reader import DocumentReader, Row, unreadable_response
from fastpath.dialects.lakefs.list_answers import OWNER
from fastpath.s3.bucket_listing import BucketListing
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element

TOKEN_SCOPE = b""  # of continuation tokens: no bucket is called that


def upstream_query(listing: BucketListing) -> bytes:
    """Return the query for lakeFS."""
    return f"prefix={quote(listing.prefix, safe='')}".encode() if listing.prefix else b""


class BucketsAnswer:
    """Rewrites the response to one ListBuckets."""

    def __init__(self, listing: BucketListing) -> None:
        self.status: int | None = None
        self._listing = listing
        self._reader = DocumentReader("ListAllMyBucketsResult", [("Buckets", "Bucket")])
        self._head_is_written = False
        self._seen = ""  # the last name, shown or not
        self._last = ""  # the last name that was shown
        self._rows_left = listing.max_buckets
        self._is_truncated = False

    def feed(self, data: bytes) -> bytes:
        """Translate a piece. Raises S3Error ServiceUnavailable."""
        rows = [event for event in self._reader.feed(data) if isinstance(event, Row)]
        return "".join([self._row(row) for row in rows]).encode()

    def finish(self) -> bytes:
        """Return the end. Raises S3Error ServiceUnavailable."""
        self._reader.finish()
        parts = [self._head(), "</Buckets>"]
        if self._is_truncated:
            parts.append(element("ContinuationToken", self._listing.token(self._last)))
        if self._listing.prefix:
            parts.append(element("Prefix", self._listing.prefix))
        return "".join([*parts, "</ListAllMyBucketsResult>"]).encode()

    def _head(self) -> str:
        if self._head_is_written:
            return ""
        self._head_is_written = True
        opening = f'{DECLARATION}<ListAllMyBucketsResult xmlns="{NAMESPACE}">'
        return f"{opening}<Owner>{OWNER}</Owner><Buckets>"

    def _row(self, row: Row) -> str:
        name = row.fields.get("Name", "")
        if name <= self._seen and self._listing.is_paged:
            raise unreadable_response()
        self._seen = name
        if name <= self._listing.mark:
            return ""
        if not self._rows_left:
            self._is_truncated = True
            return ""
        self._rows_left -= 1
        self._last = name
        fields = "".join(element(field, text) for field, text in row.fields.items())
        return f"{self._head()}<Bucket>{fields}</Bucket>"
