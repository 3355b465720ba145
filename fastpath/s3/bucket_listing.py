"""Reads which page of buckets a ListBuckets asks for.

Source: API reference, ListBuckets; its errors are AWS's (`max-buckets`, `continuation-token`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastpath.errors import INVALID_ARGUMENT, INVALID_URI, S3Error
from fastpath.s3.continuation_tokens import make_token, read_token

MAX_BUCKETS = 10000  # of one page, as of S3

Query = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class BucketListing:
    """A requested page: buckets with `prefix` after `mark`.

    scope: what its continuation tokens are for.
    region: that the buckets must be in; empty: any.
    """

    scope: bytes
    prefix: str
    mark: str
    max_buckets: int
    region: str

    @property
    def is_paged(self) -> bool:
        """Whether the order of the buckets matters."""
        return bool(self.mark) or self.max_buckets < MAX_BUCKETS

    def token(self, last: str) -> str:
        """Return the continuation token of a page whose last bucket is `last`."""
        return make_token(self.scope, last)


def read_bucket_listing(query: Query, scope: bytes) -> BucketListing:
    """Read the page that a query asks for (AWS errors 4.22, 4.25). Raises S3Error."""
    values: dict[bytes, bytes] = {}
    for name, value in query:
        values.setdefault(name, value)
    try:
        prefix = values.get(b"prefix", b"").decode()
        region = values.get(b"bucket-region", b"").decode()
    except UnicodeDecodeError:
        raise S3Error(INVALID_URI) from None
    mark = ""
    if b"continuation-token" in values:
        mark = read_token(scope, values[b"continuation-token"]) or ""
        if not mark or not mark.startswith(prefix):
            raise S3Error(
                INVALID_ARGUMENT,
                ("ArgumentName", "continuation-token"),
                message="The continuation token provided is incorrect",
            )
    count = _max_buckets(values.get(b"max-buckets", b""))
    return BucketListing(scope, prefix, mark, count, region)


def _max_buckets(sent: bytes) -> int:
    if not sent:
        return MAX_BUCKETS
    if not sent.isdigit() or len(sent) > 9 or not 1 <= int(sent) <= MAX_BUCKETS:
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", "max-buckets"),
            ("ArgumentValue", sent.decode("utf-8", "replace")),
            message=f"Argument max-buckets must be an integer between 1 and {MAX_BUCKETS}",
        )
    return int(sent)
