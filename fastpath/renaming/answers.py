"""Renames what a target answers: response filters for documents and for header lines.

    success     the documents of `members.DOCUMENTS`; every other body is relayed as it comes
    error       every XML document with a status from 300 on; an `<Error>` with the status 200

Rules: a document is kept until it is whole, and nothing of it is sent before every name in it was
found to be the client's, so that a key of somebody else makes an error and not half a list; only
what stands before the document of a slow operation is sent at once, because a target keeps the
connection open with white space; what repeats the request has the client's own values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fastpath.errors import S3Error
from fastpath.renaming.error_names import ELEMENTS, ErrorNames
from fastpath.renaming.leaves import (
    Leaf,
    Leaves,
    insert_before_end,
    is_wide,
    read_leaves,
    replace_texts,
)
from fastpath.renaming.list_rows import Rows, cut_rows, renamed_rows
from fastpath.renaming.members import (
    DOCUMENTS,
    PARAMETERS,
    SLOW,
    WITH_UPLOAD_IDS,
    Member,
)
from fastpath.renaming.names import Names
from fastpath.renaming.queries import first_value
from fastpath.renaming.texts import Texts, too_large_response, unreadable_response
from fastpath.response.filters import Buffer, HeadChange, ResponseFilter, Step
from fastpath.s3.xml_reader import Unexpected, XmlError

if TYPE_CHECKING:
    from fastpath.http.head import ResponseHead

Query = Sequence[tuple[bytes, bytes]]

# Bytes of a document; 1,000 of the longest keys, escaped, are 6 MiB (`upstream.filter_chain`).
MAX_DOCUMENT = 16 << 20

# Bytes of an error that is looked at before its head goes on; AWS's have less than 4 KiB.
MAX_ERROR = 65536

_NOT_MODIFIED = 304
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>\s*)?")
_ENCODING_TYPE = "EncodingType"
_ERROR = "Error"
# `ListPartsResult` is AWS's, `ListPartsResponse` moto's; clients do not look at it.
_ROOT_ENDINGS = ("Result", "Response", "Output")
_OF_UPLOADS = frozenset(
    (
        Member.UPLOAD_ID,
        Member.UPLOAD_ID_MARKER,
        Member.NEW_UPLOAD_ID,
        Member.LISTED_UPLOAD_ID,
        Member.NEXT_UPLOAD_ID,
    )
)
_KEYS_OF_ROWS = frozenset(("Error/Key", "Upload/Key"))  # that tell what else is in the row
_ROWS = frozenset(("ListObjects", "ListObjectsV2"))  # that have rows of Contents
_LISTED = re.compile(rb"<(?:Key|Prefix)>([^<]*)<")


class RenamedDocument:
    """A BodyRewriter that renames one document once it is whole."""

    def __init__(self, rename: Callable[[bytes], bytes], *, is_slow: bool = False) -> None:
        """`is_slow`: what stands before the document is sent at once."""
        self.status: int | None = None
        self._rename = rename
        self._waits_for_document = is_slow
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """Return what may be sent now. Raises S3Error ServiceUnavailable: it is too large."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MAX_DOCUMENT:
            raise too_large_response()
        return self._prolog() if self._waits_for_document else b""

    def finish(self) -> bytes:
        """Return the document. Raises S3Error ServiceUnavailable: it is not as it has to be."""
        return self._rename(b"".join(self._pieces))

    def _prolog(self) -> bytes:
        kept = b"".join(self._pieces)
        found = _PROLOG.match(kept)
        if found is None or found.end() < len(kept):
            self._waits_for_document = _is_beginning(kept)
            self._pieces = [kept]
            return b""
        self._pieces.clear()
        self._size = 0
        return kept


def _is_beginning(kept: bytes) -> bool:
    """Whether more bytes can make a declaration of this."""
    beginning = kept.lstrip()[:5]
    return b"<?xml".startswith(beginning) or (beginning == b"<?xml" and b"?>" not in kept)


class RenamedDocuments(ResponseFilter):
    """Renames the documents of one response.

    query, upstream_query: the decoded pairs of the client's query and of the target's.
    more_errors: writes entries to add to a DeleteResult, with the client's names.
    """

    def __init__(
        self,
        operation: str,
        names: Names,
        query: Query,
        upstream_query: Query,
        more_errors: Callable[[], str] | None = None,
    ) -> None:
        self._operation = operation
        self._names = names
        self._query = query
        self._upstream_query = upstream_query
        self._more_errors = more_errors

    def head(self, head: ResponseHead) -> Step:
        operation, names = self._operation, self._names
        if head.content_length == 0 or head.status in (204, _NOT_MODIFIED):
            return None
        renames = names.are_changed or bool(names.upload_id)
        if head.status >= 300:
            is_bodiless = operation in ("HeadBucket", "HeadObject")
            if not renames or is_bodiless:
                return None
            # What is read as it comes can also pass as it came.
            is_coded = b"content-encoding" in head.fields
            return RenamedDocument(self._error) if is_coded else Buffer(MAX_ERROR)
        if operation in DOCUMENTS and (renames or operation in WITH_UPLOAD_IDS):
            return RenamedDocument(self._success, is_slow=operation in SLOW)
        return None

    def whole(self, body: bytes, *, complete: bool) -> Step:
        """Decide about an error; one without a name of the target's passes as it came."""
        if complete and self._error(body) == body:
            return None
        return RenamedDocument(self._error)

    def _success(self, document: bytes) -> bytes:
        start = _start_of(document)
        if start == len(document):
            return document
        success = Success(self._operation, self._names, self._query)
        try:
            renamed = success.rename(document, start, self._more_errors)
        except XmlError:
            if self._must_be_read:
                raise unreadable_response() from None
            return document
        return self._error(document) if renamed is None else renamed

    @property
    def _must_be_read(self) -> bool:
        """Whether a document that cannot be read might show a name of the target's."""
        return self._names.are_changed or self._operation in WITH_UPLOAD_IDS

    def _error(self, document: bytes) -> bytes:
        start = _start_of(document)
        body = document[start:]
        if not body:
            return document
        names = ErrorNames(self._names, self._query, self._upstream_query)
        try:
            read = read_leaves(body, ELEMENTS)
            if _ERROR not in read.root:
                raise Unexpected  # a web page may be well-formed
        except XmlError:
            if is_wide(body) or names.holds_name(document):
                raise unreadable_response() from None
            return document

        def new_text(leaf: Leaf, _: bytes) -> bytes | None:
            new = names.renamed(leaf.path.rpartition("/")[2], leaf.text)
            return None if new == leaf.text else plain.written(new.encode())

        plain = Texts(self._names.rewrite, encoded=False)
        return document[:start] + b"".join(replace_texts(body, read.found, new_text))


def _start_of(document: bytes) -> int:
    """Return where a document begins, after white space and its declaration."""
    found = _PROLOG.match(document)
    return found.end() if found is not None else 0


class Success:
    """The document of one success."""

    def __init__(self, operation: str, names: Names, query: Query) -> None:
        self._operation = operation
        self._names = names
        self._query = query
        self._members = DOCUMENTS[operation]
        leaves = {path.rpartition("/")[2] for path in self._members}
        self._elements = frozenset((*leaves, _ENCODING_TYPE))
        self._texts: Texts
        self._keys: Mapping[int, str] = {}  # of each row
        self._next_key = ""
        self._key_of_id: Mapping[str, str] = {}
        self._document = b""

    def rename(
        self, document: bytes, start: int, more_errors: Callable[[], str] | None
    ) -> bytes | None:
        """Rename a document, without what stands before `start`; None: it is an error.

        Raises XmlError or S3Error.
        """
        prolog = document[:start]
        self._document = document
        if self._operation in _ROWS and (cut := cut_rows(document, start)) is not None:
            pieces = self._rename_around(cut)
            if pieces is not None:
                return b"".join((prolog, *pieces))
        body = document[start:]
        read = self._read(body)
        if read.root == _ERROR:
            return None
        renamed = b"".join(replace_texts(body, read.found, self._new_text))
        more = more_errors() if more_errors is not None else ""
        if more:
            renamed = insert_before_end(renamed, self._read(renamed), more.encode())
        return prolog + renamed

    def _rename_around(self, cut: Rows) -> list[bytes] | None:
        """Return a list with rows as AWS writes them, in pieces; None: it has others."""
        rest, at = cut.rest, cut.at
        try:
            read = self._read(rest, at)
        except XmlError:
            return None
        texts = self._texts
        rows = renamed_rows(cut.raw, texts.key_prefix, texts.strip_prefix)
        if rows is None:
            return None
        before = replace_texts(
            rest[:at], [leaf for leaf in read.found if leaf.end <= at], self._new_text
        )
        after = replace_texts(
            rest, [leaf for leaf in read.found if leaf.begin >= at], self._new_text, at
        )
        return [*before, rows, *after]

    def _read(self, body: bytes, cut_at: int = 0) -> Leaves:
        read = read_leaves(body, self._elements, cut_at)
        if read.root != _ERROR and not read.root.endswith(_ROOT_ENDINGS):
            raise Unexpected  # a web page, or another service
        texts = {leaf.path: leaf.text for leaf in read.found}
        encoded = texts.get(_ENCODING_TYPE, "").strip().lower() == "url"
        self._texts = Texts(self._names.rewrite, encoded=encoded)
        self._next_key = texts.get("NextKeyMarker", "")
        self._keys = {leaf.row: leaf.text for leaf in read.found if leaf.path in _KEYS_OF_ROWS}
        ids = [leaf for leaf in read.found if leaf.path == "Upload/UploadId"]
        self._key_of_id = {leaf.text: self._keys.get(leaf.row, "") for leaf in ids}
        return read

    def _new_text(self, leaf: Leaf, raw: bytes) -> bytes | None:
        """Return the raw text of a leaf for the client; None: it stays. Raises S3Error."""
        member = self._members.get(leaf.path)
        if member is None or (member not in _OF_UPLOADS and not self._names.are_changed):
            return None
        if member is Member.LISTED_KEY:
            return self._texts.renamed(leaf.text, raw)
        if member is Member.NEXT_KEY:
            return self._renamed_marker(leaf.text, raw) if leaf.text else None
        if member in (Member.LISTED_UPLOAD_ID, Member.NEXT_UPLOAD_ID):
            return self._sealed(leaf, member)
        if member is Member.MESSAGE:
            return self._message(leaf)
        value = self._value(member, leaf.text)
        encoded = member in PARAMETERS
        shown = self._texts.read(leaf.text) if encoded else leaf.text.encode()
        if shown == value:
            return None
        return self._texts.written(value) if encoded else Texts.plain(value)

    def _renamed_marker(self, text: str, raw: bytes) -> bytes:
        """Return the raw text of the client's marker. Raises S3Error.

        It is a key or a prefix of the list. SeaweedFS encodes those, and the marker not.
        """
        texts, rewrite = self._texts, self._names.rewrite
        if raw not in (listed := _LISTED.findall(self._document)):
            key = text.encode()
            if any(texts.read(one.decode("utf-8", "replace")) == key for one in listed):
                return texts.written(Texts(rewrite, encoded=False).key_down(text))
        return texts.renamed(text, raw)

    def _sealed(self, leaf: Leaf, member: Member) -> bytes | None:
        """Return the client's id of a listed upload, sealed with the client's name of its key."""
        if not leaf.text:
            return None
        key = self._keys.get(leaf.row, "")
        if member is Member.NEXT_UPLOAD_ID:  # SeaweedFS may leave NextKeyMarker out
            key = self._next_key or self._key_of_id.get(leaf.text, "")
        if not key:
            raise unreadable_response()
        sealed = self._names.upload_ids.seal(leaf.text.encode(), self._texts.key_down(key))
        return Texts.plain(sealed)

    def _message(self, leaf: Leaf) -> bytes | None:
        """Return the message of one error with the client's names of its key and bucket."""
        upstream_key = self._keys.get(leaf.row, "")
        key = self._texts.key_down(upstream_key) if upstream_key else b""
        names = replace(self._names, key=key, upstream_key=upstream_key.encode())
        text = ErrorNames(names, (), ()).exact("Message", leaf.text)
        return None if text == leaf.text else Texts.plain(text.encode())

    def _value(self, member: Member, text: str) -> bytes:
        """Return what the request says itself."""
        names = self._names
        if member is Member.BUCKET:
            return names.bucket
        if member is Member.KEY:
            return names.key
        if member is Member.NEW_UPLOAD_ID:
            return names.upload_ids.seal(text.encode(), names.key)
        if member in (Member.UPLOAD_ID, Member.UPLOAD_ID_MARKER):
            return names.upload_id
        return first_value(self._query, PARAMETERS[member])


class RenamedHeaders(ResponseFilter):
    """Renames the header lines that name a bucket.

    Location            of a new bucket its path; of a redirect a URL of the target's: dropped
    x-amz-bucket-arn    of a new bucket and of HeadBucket
    """

    def __init__(self, names: Names) -> None:
        self._names = names

    def head(self, head: ResponseHead) -> Step:
        names = self._names
        if not names.are_changed:
            return None
        drop: list[bytes] = []
        add: list[tuple[bytes, bytes]] = []
        location = head.fields.get(b"location")
        if location is not None and b"//" not in location:
            drop.append(b"location")
            if location.rstrip(b"/") == b"/" + names.upstream_bucket:
                add.append((b"Location", b"/" + names.bucket))
        elif location is not None and head.status >= 300:
            drop.append(b"location")
        arn = head.fields.get(b"x-amz-bucket-arn")
        if arn is not None:
            drop.append(b"x-amz-bucket-arn")
            if arn.endswith(b":" + names.upstream_bucket):
                own = arn[: -len(names.upstream_bucket)] + names.bucket
                add.append((b"x-amz-bucket-arn", own))
        return HeadChange(drop=drop, add=add) if drop else None


def error_for_client(
    error: S3Error, names: Names, query: Query = (), upstream_query: Query = ()
) -> S3Error:
    """Put the client's names into an error that was made with the target's; the same error."""
    return ErrorNames(names, query, upstream_query).rename(error)
