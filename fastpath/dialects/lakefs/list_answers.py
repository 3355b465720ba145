"""Translates a list of objects of lakeFS into the ListBucketResult of S3.

CommonPrefixes and Contents are relayed in lakeFS's order; everything before them is written anew,
from the request and from lakeFS's fields.

Rules: streaming, one row is kept at a time, so rows stay in lakeFS's order (common prefixes first;
S3 writes them last, and no reader depends on it); a truncated list must say where it continues, or
it is broken off; where lakeFS cannot say it, the token is written at the end, in V1 as well without
a delimiter; no character of a key that lakeFS wrote is lost.
"""

from __future__ import annotations

from hashlib import sha256

from fastpath.dialects.lakefs.document_reader import DocumentReader, Event, Row, unreadable_response
from fastpath.dialects.lakefs.list_positions import PageProgress, is_exact
from fastpath.dialects.lakefs.list_requests import Listing
from fastpath.s3.continuation_tokens import make_token
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element, url_encoded

_CONTENTS, _PREFIXES = "Contents", "CommonPrefixes"
# lakeFS has no owners: one for everything, of the form of AWS's canonical ids.
OWNER = element("ID", sha256(b"lakefs").hexdigest()) + element("DisplayName", "lakefs")


class ListAnswer:
    """Rewrites the response to one list."""

    def __init__(self, listing: Listing) -> None:
        self.status: int | None = None
        self._listing = listing
        self._reader = DocumentReader("ListBucketResult", [(_CONTENTS,), (_PREFIXES,)])
        self._fields: dict[str, str] = {}
        self._head_is_written = False
        self._is_truncated = False
        self._next_is_written = False
        self._last_name = ""
        self._progress = PageProgress(listing.begin)

    def feed(self, data: bytes) -> bytes:
        """Translate a piece. Raises S3Error ServiceUnavailable."""
        return self._write(self._reader.feed(data))

    def finish(self) -> bytes:
        """Return the end. Raises S3Error ServiceUnavailable if a truncated list has no token."""
        self._reader.finish()
        out = "" if self._head_is_written else self._head()
        if self._is_truncated and not self._next_is_written:
            out += self._final_next()
        return (out + "</ListBucketResult>").encode()

    def _write(self, events: list[Event]) -> bytes:
        out = []
        for event in events:
            if isinstance(event, Row):
                if not self._head_is_written:
                    out.append(self._head())
                if not self._listing.is_empty:
                    out.append(self._row(event))
            else:
                self._fields[event.name] = event.text
                if self._head_is_written:
                    out.append(self._next())
        return "".join(out).encode()

    # --- before the rows ---

    def _head(self) -> str:
        self._head_is_written = True
        listing, fields = self._listing, self._fields
        if fields.get("IsTruncated") not in ("true", "false"):
            raise unreadable_response()
        self._is_truncated = fields["IsTruncated"] == "true" and not listing.is_empty
        parts = [
            DECLARATION,
            f'<ListBucketResult xmlns="{NAMESPACE}">',
            element("Name", listing.bucket.decode()),
            self._name("Prefix", listing.prefix),
            *(self._head_of_v2() if listing.is_v2 else self._head_of_v1()),
            element("MaxKeys", str(listing.max_keys)),
        ]
        if listing.delimiter:
            parts.append(self._name("Delimiter", listing.delimiter))
        if listing.encoded:
            parts.append(element("EncodingType", "url"))
        parts.append(element("IsTruncated", "true" if self._is_truncated else "false"))
        return "".join(parts)

    def _head_of_v2(self) -> list[str]:
        listing = self._listing
        parts = [element("ContinuationToken", listing.token)] if listing.token else []
        parts.append(self._next())
        if listing.after:
            parts.append(self._name("StartAfter", listing.after))
        count = "0" if listing.is_empty else self._fields.get("KeyCount", "")
        if not count.isdecimal():
            raise unreadable_response()
        shown = max(0, int(count) - sum(listing.begin[1:]))
        return [*parts, element("KeyCount", str(shown))]

    def _head_of_v1(self) -> list[str]:
        return [self._name("Marker", self._listing.after), self._next()]

    # --- where it continues ---

    def _next(self) -> str:
        """Write lakeFS's token for the next page, once, if the list can continue from it."""
        mark = self._fields.get(self._next_name)
        if (
            not (self._is_truncated and mark)
            or self._next_is_written
            or self._listing.lists_branches
        ):
            return ""
        if not is_exact(mark):
            return ""
        self._next_is_written = True
        return self._next_element(mark)

    def _final_next(self) -> str:
        """Write the token at the end; of branches it is the last common prefix, as on S3."""
        listing, last = self._listing, self._last_name
        if listing.lists_branches and last:
            return self._next_element(last)
        if last and not is_exact(self._fields.get(self._next_name) or last):
            sealed = make_token(listing.bucket, self._progress.position.text)
            return element(self._next_name, sealed)
        if listing.is_v2 or listing.delimiter:
            raise unreadable_response()
        return ""  # V1 without a delimiter: the last key is the marker

    @property
    def _next_name(self) -> str:
        return "NextContinuationToken" if self._listing.is_v2 else "NextMarker"

    def _next_element(self, mark: str) -> str:
        if self._listing.is_v2:
            return element(self._next_name, make_token(self._listing.bucket, mark))
        return self._name(self._next_name, mark)

    # --- rows ---

    def _row(self, row: Row) -> str:
        fields = row.fields
        name, passed = "Key", self._progress.count_key
        if row.name == _PREFIXES:
            name, passed = "Prefix", self._progress.count_prefix
        self._last_name = fields.get(name, "")
        if not self._last_name:
            raise unreadable_response()
        if passed(self._last_name):
            return ""
        parts = []
        owner = self._listing.owners and row.name == _CONTENTS
        for field, text in fields.items():
            if field == "StorageClass" and owner:
                parts.append(f"<Owner>{OWNER}</Owner>")
                owner = False
            parts.append(self._name(field, text) if field == name else element(field, text))
        if owner:
            parts.append(f"<Owner>{OWNER}</Owner>")
        return f"<{row.name}>{''.join(parts)}</{row.name}>"

    def _name(self, name: str, text: str) -> str:
        """Write an element with a name, encoded if the client asked for it."""
        return element(name, url_encoded(text) if self._listing.encoded else text)


def empty_list(listing: Listing) -> bytes:
    """Write the list of a branch that does not exist: that of a prefix without keys."""
    answer = ListAnswer(listing)
    fields = element("IsTruncated", "false") + element("KeyCount", "0")
    document = f"<ListBucketResult>{fields}</ListBucketResult>"
    return answer.feed(document.encode()) + answer.finish()
