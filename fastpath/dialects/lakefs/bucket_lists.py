"""Translates ListBuckets in pages, while lakeFS returns all of its repositories at once.

Rules: streaming; the rows of one page are taken from the whole list, which must be in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastpath.dialects.lakefs.continuation_tokens import make_token, read_token
from fastpath.dialects.lakefs.document_reader import DocumentReader, Row, unreadable_response
from fastpath.dialects.lakefs.list_answers import OWNER
from fastpath.dialects.lakefs.list_requests import invalid
from fastpath.errors import INVALID_URI, S3Error
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element

MAX_BUCKETS = 10000  # of one page, as of S3
_SERVICE = b""  # instead of a bucket, in tokens

Query = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class BucketListing:
    """A requested page: buckets with `prefix` after `mark`."""

    prefix: str
    mark: str
    max_buckets: int

    @property
    def is_paged(self) -> bool:
        """Whether the order of the buckets matters."""
        return bool(self.mark) or self.max_buckets < MAX_BUCKETS

    @property
    def query(self) -> bytes:
        """The query for lakeFS."""
        return f"prefix={quote(self.prefix, safe='')}".encode() if self.prefix else b""


def read_bucket_listing(query: Query) -> BucketListing:
    """Read which page a query asks for (AWS errors 4.22, 4.25). Raises S3Error."""
    values: dict[bytes, bytes] = {}
    for name, value in query:
        values.setdefault(name, value)
    try:
        prefix = values.get(b"prefix", b"").decode()
    except UnicodeDecodeError:
        raise S3Error(INVALID_URI) from None
    mark = ""
    if b"continuation-token" in values:
        mark = read_token(_SERVICE, values[b"continuation-token"]) or ""
        if not mark or not mark.startswith(prefix):
            raise invalid("continuation-token", "The continuation token provided is incorrect")
    return BucketListing(prefix, mark, _max_buckets(values.get(b"max-buckets", b"")))


def _max_buckets(sent: bytes) -> int:
    if not sent:
        return MAX_BUCKETS
    if not sent.isdigit() or len(sent) > 9 or not 1 <= int(sent) <= MAX_BUCKETS:
        text = f"Argument max-buckets must be an integer between 1 and {MAX_BUCKETS}"
        raise invalid("max-buckets", text, sent.decode("utf-8", "replace"))
    return int(sent)


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
            parts.append(element("ContinuationToken", make_token(_SERVICE, self._last)))
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
