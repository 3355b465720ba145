"""A list of lakeFS -> the ListBucketResult of S3.

    CommonPrefixes and Contents pass as they come, everything above them is written anew:
    what was asked for from the request, the rest from lakeFS's fields.

Rules: streaming, one row is kept at a time, so that rows stay in lakeFS's order (common prefixes
first; S3 writes them last, and no reader depends on it); what is cut must say where it goes on, or
it is broken off; where lakeFS cannot say it, it is said at the end, of V1 as well without a
delimiter; nothing of a key is lost that lakeFS wrote.

Not here: what was asked for (`list_requests`), reading XML (`documents`).
"""

from __future__ import annotations

from hashlib import sha256

from fastpath.dialects.lakefs.documents import DocumentReader, Event, Row, unreadable
from fastpath.dialects.lakefs.list_requests import Listing
from fastpath.dialects.lakefs.positions import Progress, is_told
from fastpath.dialects.lakefs.tokens import wrap
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element, url_encoded

_CONTENTS, _PREFIXES = "Contents", "CommonPrefixes"
# lakeFS has no owners: one for everything, of the form of AWS's canonical ids.
OWNER = element("ID", sha256(b"lakefs").hexdigest()) + element("DisplayName", "lakefs")


class ListAnswer:
    """Rewrites the answer to one list."""

    def __init__(self, listing: Listing) -> None:
        self.status: int | None = None
        self._listing = listing
        self._reader = DocumentReader("ListBucketResult", [(_CONTENTS,), (_PREFIXES,)])
        self._fields: dict[str, str] = {}
        self._head_is_out = False
        self._is_cut = False
        self._says_next = False
        self._last_name = ""
        self._progress = Progress(listing.begin)

    def feed(self, data: bytes) -> bytes:
        """Translate a piece. Raises S3Error ServiceUnavailable."""
        return self._write(self._reader.feed(data))

    def finish(self) -> bytes:
        """The end. Raises S3Error ServiceUnavailable if a list does not say how it goes on."""
        self._reader.finish()
        out = "" if self._head_is_out else self._head()
        if self._is_cut and not self._says_next:
            out += self._next_at_the_end()
        return (out + "</ListBucketResult>").encode()

    def _write(self, events: list[Event]) -> bytes:
        out = []
        for event in events:
            if isinstance(event, Row):
                if not self._head_is_out:
                    out.append(self._head())
                if not self._listing.nothing:
                    out.append(self._row(event))
            else:
                self._fields[event.name] = event.text
                if self._head_is_out:
                    out.append(self._next())
        return "".join(out).encode()

    # --- what stands above the rows ---

    def _head(self) -> str:
        self._head_is_out = True
        listing, fields = self._listing, self._fields
        if fields.get("IsTruncated") not in ("true", "false"):
            raise unreadable()
        self._is_cut = fields["IsTruncated"] == "true" and not listing.nothing
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
        parts.append(element("IsTruncated", "true" if self._is_cut else "false"))
        return "".join(parts)

    def _head_of_v2(self) -> list[str]:
        listing = self._listing
        parts = [element("ContinuationToken", listing.token)] if listing.token else []
        parts.append(self._next())
        if listing.after:
            parts.append(self._name("StartAfter", listing.after))
        count = "0" if listing.nothing else self._fields.get("KeyCount", "")
        if not count.isdecimal():
            raise unreadable()
        shown = max(0, int(count) - sum(listing.begin[1:]))
        return [*parts, element("KeyCount", str(shown))]

    def _head_of_v1(self) -> list[str]:
        return [self._name("Marker", self._listing.after), self._next()]

    # --- where it goes on ---

    def _next(self) -> str:
        """What lakeFS said of the next page, once it did, if that can be gone on from."""
        mark = self._fields.get(self._next_name)
        if not (self._is_cut and mark) or self._says_next or self._listing.of_branches:
            return ""
        if not is_told(mark):
            return ""
        self._says_next = True
        return self._named_next(mark)

    def _next_at_the_end(self) -> str:
        """Of branches it is the last common prefix, as of S3; lakeFS names the branch, or none."""
        listing, last = self._listing, self._last_name
        if listing.of_branches and last:
            return self._named_next(last)
        if last and not is_told(self._fields.get(self._next_name) or last):
            sealed = wrap(listing.bucket, self._progress.position.text)
            return element(self._next_name, sealed)
        if listing.is_v2 or listing.delimiter:
            raise unreadable()
        return ""  # V1 without a delimiter: the last key is the marker

    @property
    def _next_name(self) -> str:
        return "NextContinuationToken" if self._listing.is_v2 else "NextMarker"

    def _named_next(self, mark: str) -> str:
        if self._listing.is_v2:
            return element(self._next_name, wrap(self._listing.bucket, mark))
        return self._name(self._next_name, mark)

    # --- rows ---

    def _row(self, row: Row) -> str:
        fields = row.fields
        name, passed = "Key", self._progress.pass_key
        if row.name == _PREFIXES:
            name, passed = "Prefix", self._progress.pass_prefix
        self._last_name = fields.get(name, "")
        if not self._last_name:
            raise unreadable()
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
        """A name of S3: encoded if that was asked for."""
        return element(name, url_encoded(text) if self._listing.encoded else text)


def empty_list(listing: Listing) -> bytes:
    """The list of a branch that does not exist: as of any prefix without keys."""
    answer = ListAnswer(listing)
    fields = element("IsTruncated", "false") + element("KeyCount", "0")
    document = f"<ListBucketResult>{fields}</ListBucketResult>"
    return answer.feed(document.encode()) + answer.finish()
