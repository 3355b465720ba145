"""ListBuckets in pages: lakeFS gives all of its repositories at once.

Rules: streaming; the rows of one page are cut out of the whole list, which must be in order for it.

Not here: objects (`list_answers`), tokens (`tokens`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastpath.dialects.lakefs.documents import DocumentReader, Row, unreadable
from fastpath.dialects.lakefs.list_answers import OWNER
from fastpath.dialects.lakefs.list_requests import invalid
from fastpath.dialects.lakefs.tokens import unwrap, wrap
from fastpath.errors import INVALID_URI, S3Error
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element

MAX_BUCKETS = 10000  # of one page, as of S3
_SERVICE = b""  # tokens are of no bucket

Query = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class BucketListing:
    """A page as it was asked for: buckets of `prefix` behind `mark`."""

    prefix: str
    mark: str
    max_buckets: int

    @property
    def is_paged(self) -> bool:
        """Whether it matters in which order the buckets come."""
        return bool(self.mark) or self.max_buckets < MAX_BUCKETS

    @property
    def query(self) -> bytes:
        """The query that goes up."""
        return f"prefix={quote(self.prefix, safe='')}".encode() if self.prefix else b""


def read_bucket_listing(query: Query) -> BucketListing:
    """The page that a query asks for (AWS errors 4.22, 4.25). Raises S3Error."""
    values: dict[bytes, bytes] = {}
    for name, value in query:
        values.setdefault(name, value)
    try:
        prefix = values.get(b"prefix", b"").decode()
    except UnicodeDecodeError:
        raise S3Error(INVALID_URI) from None
    mark = ""
    if b"continuation-token" in values:
        mark = unwrap(_SERVICE, values[b"continuation-token"]) or ""
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
    """Rewrites the answer to one ListBuckets."""

    def __init__(self, listing: BucketListing) -> None:
        self.status: int | None = None
        self._listing = listing
        self._reader = DocumentReader("ListAllMyBucketsResult", [("Buckets", "Bucket")])
        self._head_is_out = False
        self._seen = ""  # the last name, shown or not
        self._last = ""  # the last name that was shown
        self._left = listing.max_buckets
        self._is_cut = False

    def feed(self, data: bytes) -> bytes:
        """Translate a piece. Raises S3Error ServiceUnavailable."""
        rows = [event for event in self._reader.feed(data) if isinstance(event, Row)]
        return "".join([self._row(row) for row in rows]).encode()

    def finish(self) -> bytes:
        """The end. Raises S3Error ServiceUnavailable."""
        self._reader.finish()
        parts = [self._head(), "</Buckets>"]
        if self._is_cut:
            parts.append(element("ContinuationToken", wrap(_SERVICE, self._last)))
        if self._listing.prefix:
            parts.append(element("Prefix", self._listing.prefix))
        return "".join([*parts, "</ListAllMyBucketsResult>"]).encode()

    def _head(self) -> str:
        if self._head_is_out:
            return ""
        self._head_is_out = True
        opening = f'{DECLARATION}<ListAllMyBucketsResult xmlns="{NAMESPACE}">'
        return f"{opening}<Owner>{OWNER}</Owner><Buckets>"

    def _row(self, row: Row) -> str:
        name = row.fields.get("Name", "")
        if name <= self._seen and self._listing.is_paged:
            raise unreadable()
        self._seen = name
        if name <= self._listing.mark:
            return ""
        if not self._left:
            self._is_cut = True
            return ""
        self._left -= 1
        self._last = name
        fields = "".join(element(field, text) for field, text in row.fields.items())
        return f"{self._head()}<Bucket>{fields}</Bucket>"
