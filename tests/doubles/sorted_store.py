"""Owns a store in memory that lists keys in the order of their bytes and keeps every request.

    store = SortedStore("bucket")
    store.answer(Recorded(head, body))    -> the answer, byte for byte
    store.buckets["bucket"][b"key"]       -> what it holds

Rules: no sockets, no time and no chance, so that the same requests are always answered alike; it
looks at no signature. What it has of S3 is one case of `_of_object`, `_of_bucket` or `_of_upload`;
everything else is 501, so that no request is taken for another. With `markers`, a DELETE leaves a
delete marker, as in a bucket with versions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote_plus, unquote_to_bytes
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.doubles.enforcing import Refused
from tests.doubles.recording import Recorded

MAX_KEYS = 1000
_DATE = "Sun, 29 Nov 2026 00:00:00 GMT"
_ISO_DATE = "2026-11-29T00:00:00.000Z"
_XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@dataclass(frozen=True, slots=True)
class Held:
    """An object."""

    data: bytes
    content_type: str = "binary/octet-stream"
    metadata: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    parts: int = 0

    @property
    def etag(self) -> str:
        digest = hashlib.md5(self.data, usedforsecurity=False).hexdigest()
        return f'"{digest}-{self.parts}"' if self.parts else f'"{digest}"'


@dataclass(slots=True)
class Begun:
    """An upload in parts."""

    bucket: str
    key: bytes
    made: Held  # the object, without its bytes
    parts: dict[int, Held] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, taken apart."""

    request: Recorded
    method: str
    bucket: str
    key: bytes
    query: Mapping[str, str]

    def field(self, name: str) -> str:
        return (self.request.value(name.encode()) or b"").decode()


class SortedStore:
    """The store; `requests` in the order in which they were answered."""

    def __init__(self, *buckets: str, markers: bool = False) -> None:
        self.buckets: dict[str, dict[bytes, Held]] = {name: {} for name in buckets}
        self.uploads: dict[str, Begun] = {}
        self.requests: list[Recorded] = []
        self._markers: set[tuple[str, bytes]] | None = set() if markers else None
        self._begun = 0

    def answer(self, request: Recorded) -> bytes:
        """Keep the request and answer it."""
        self.requests.append(request)
        asked = _taken_apart(request)
        try:
            return self._answer(asked)
        except Refused as refusal:
            text = f"<Code>{refusal.code}</Code><Message>{refusal.message or 'Said.'}</Message>"
            fields = {"content-type": "application/xml"}
            if refusal.message == "deleted":
                fields |= {"x-amz-delete-marker": "true"}
            body = f"<Error>{text}</Error>".encode()
            return _response(asked, refusal.status, fields, body)

    def _answer(self, asked: _Asked) -> bytes:
        if asked.bucket not in self.buckets:
            raise Refused(404, "NoSuchBucket")
        if not asked.key:
            return self._of_bucket(asked)
        if "uploads" in asked.query or "uploadId" in asked.query:
            return self._of_upload(asked)
        return self._of_object(asked)

    # Objects

    def _of_object(self, asked: _Asked) -> bytes:
        known = set(asked.query) - {"x-id", "tagging"}
        if known:
            raise Refused(501, "NotImplemented", f"{known}")
        if "tagging" in asked.query:
            return self._tagging(asked)
        match asked.method:
            case "GET" | "HEAD":
                return self._read(asked)
            case "PUT":
                return self._write(asked)
            case "DELETE":
                if asked.field("if-match"):
                    self._check_conditions(asked)
                self._remove(asked.bucket, asked.key)
                return _response(asked, 204)
        raise Refused(501, "NotImplemented")

    def _remove(self, bucket: str, key: bytes) -> None:
        if self.buckets[bucket].pop(key, None) is not None and self._markers is not None:
            self._markers.add((bucket, key))

    def _found(self, asked: _Asked) -> Held:
        found = self.buckets[asked.bucket].get(asked.key)
        if found is None:
            is_marked = (asked.bucket, asked.key) in (self._markers or ())
            raise Refused(404, "NoSuchKey", "deleted" if is_marked else "")
        return found

    def _read(self, asked: _Asked) -> bytes:
        found = self._found(asked)
        if asked.field("if-match") not in ("", "*", found.etag):
            raise Refused(412, "PreconditionFailed")
        fields = {
            "etag": found.etag,
            "last-modified": _DATE,
            "content-type": found.content_type,
            "accept-ranges": "bytes",
            **{f"x-amz-meta-{name}": value for name, value in found.metadata},
        }
        if found.tags:
            fields["x-amz-tagging-count"] = str(len(found.tags))
        if asked.field("if-none-match") in ("*", found.etag):
            return _response(asked, 304, {"etag": found.etag})
        wanted = asked.field("range")
        if not wanted:
            return _response(asked, 200, fields, found.data)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        if int(first) >= len(found.data):
            raise Refused(416, "InvalidRange")
        end = min(int(last or len(found.data)), len(found.data) - 1)
        fields["content-range"] = f"bytes {first}-{end}/{len(found.data)}"
        return _response(asked, 206, fields, found.data[int(first) : end + 1])

    def _write(self, asked: _Asked) -> bytes:
        self._check_conditions(asked)
        if source := asked.field("x-amz-copy-source"):
            made = self._copied(asked, source)
        else:
            made = replace(_described(asked), data=asked.request.body)
        self._keep(asked.bucket, asked.key, made)
        if not source:
            return _response(asked, 200, {"etag": made.etag})
        body = f"<ETag>{made.etag}</ETag><LastModified>{_ISO_DATE}</LastModified>"
        return _document(asked, "CopyObjectResult", body)

    def _copied(self, asked: _Asked, source: str) -> Held:
        bucket, _, key = source.removeprefix("/").partition("?")[0].partition("/")
        found = self.buckets.get(bucket, {}).get(unquote_to_bytes(key))
        if found is None:
            raise Refused(404, "NoSuchKey")
        if asked.field("x-amz-copy-source-if-match") not in ("", found.etag):
            raise Refused(412, "PreconditionFailed")
        made = replace(found, parts=0)
        if asked.field("x-amz-metadata-directive") == "REPLACE":
            made = replace(_described(asked), data=found.data, tags=found.tags)
        return made

    def _check_conditions(self, asked: _Asked) -> None:
        """If-Match, If-None-Match: * of writes; If-Match of a DELETE."""
        held = self.buckets[asked.bucket].get(asked.key)
        wanted = asked.field("if-match")
        if wanted and held is None:
            raise Refused(404, "NoSuchKey")
        if wanted and held is not None and wanted not in ("*", held.etag):
            raise Refused(412, "PreconditionFailed")
        if asked.field("if-none-match") == "*" and held is not None:
            raise Refused(412, "PreconditionFailed")

    def _keep(self, bucket: str, key: bytes, made: Held) -> None:
        self.buckets[bucket][key] = made
        if self._markers is not None:
            self._markers.discard((bucket, key))

    def _tagging(self, asked: _Asked) -> bytes:
        found = self._found(asked)
        if asked.method == "GET":
            rows = "".join(
                f"<Tag><Key>{escape(name)}</Key><Value>{escape(value)}</Value></Tag>"
                for name, value in found.tags
            )
            return _document(asked, "Tagging", f"<TagSet>{rows}</TagSet>")
        tags: tuple[tuple[str, str], ...] = ()
        if asked.method == "PUT":
            rows_sent = _all(ElementTree.fromstring(asked.request.body), "Tag")
            tags = tuple((_text(row, "Key"), _text(row, "Value")) for row in rows_sent)
        self.buckets[asked.bucket][asked.key] = replace(found, tags=tags)
        return _response(asked, 200 if asked.method == "PUT" else 204)

    # Buckets

    def _of_bucket(self, asked: _Asked) -> bytes:
        names = set(asked.query)
        match asked.method:
            case "HEAD" if not names:
                return _response(asked, 200)
            case "GET" if names == {"location"}:
                return _document(asked, "LocationConstraint", "")
            case "GET" if names <= _LIST_PARAMETERS:
                return self._list(asked)
            case "POST" if names == {"delete"}:
                return self._delete_batch(asked)
        raise Refused(501, "NotImplemented", f"{asked.method} {names}")

    def _delete_batch(self, asked: _Asked) -> bytes:
        rows = ""
        for entry in _all(ElementTree.fromstring(asked.request.body), "Object"):
            key = _text(entry, "Key")
            self._remove(asked.bucket, key.encode())
            rows += f"<Deleted><Key>{escape(key)}</Key></Deleted>"
        return _document(asked, "DeleteResult", rows)

    def _list(self, asked: _Asked) -> bytes:
        query = asked.query
        is_v2 = query.get("list-type") == "2"
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("start-after", "") if is_v2 else query.get("marker", "")
        if is_v2:
            after = query.get("continuation-token", "") or after
        size = min(int(query.get("max-keys") or MAX_KEYS), MAX_KEYS)
        rows, is_cut = _page(
            sorted(self.buckets[asked.bucket]), _raw(prefix), _raw(delimiter), _raw(after), size
        )
        is_url = query.get("encoding-type") == "url"
        shown: Callable[[str | bytes], str] = _quoted if is_url else _escaped
        last = rows[-1][0] if rows else b""
        text = f"<Name>{asked.bucket}</Name><Prefix>{shown(prefix)}</Prefix>"
        if is_v2:
            text += f"<KeyCount>{len(rows)}</KeyCount>"
            if is_cut:
                token = escape(last.decode("utf-8", "surrogateescape"))
                text += f"<NextContinuationToken>{token}</NextContinuationToken>"
        else:
            text += f"<Marker>{shown(after)}</Marker>"
            if is_cut and delimiter:
                text += f"<NextMarker>{shown(last)}</NextMarker>"
        text += f"<MaxKeys>{size}</MaxKeys><IsTruncated>{str(is_cut).lower()}</IsTruncated>"
        if delimiter:
            text += f"<Delimiter>{shown(delimiter)}</Delimiter>"
        if is_url:
            text += "<EncodingType>url</EncodingType>"
        text += "".join(
            f"<CommonPrefixes><Prefix>{shown(name)}</Prefix></CommonPrefixes>"
            if is_group
            else self._row(asked.bucket, name, shown)
            for name, is_group in rows
        )
        return _document(asked, "ListBucketResult", text)

    def _row(self, bucket: str, key: bytes, shown: Callable[[str | bytes], str]) -> str:
        held = self.buckets[bucket][key]
        return (
            f"<Contents><Key>{shown(key)}</Key><LastModified>{_ISO_DATE}</LastModified>"
            f"<ETag>{escape(held.etag)}</ETag><Size>{len(held.data)}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )

    # Uploads in parts

    def _of_upload(self, asked: _Asked) -> bytes:
        if "uploads" in asked.query:
            if asked.method != "POST":
                raise Refused(501, "NotImplemented")
            return self._begin(asked)
        begun = self.uploads.get(asked.query["uploadId"])
        if begun is None or (begun.bucket, begun.key) != (asked.bucket, asked.key):
            raise Refused(404, "NoSuchUpload")
        match asked.method:
            case "PUT":
                part = Held(asked.request.body)
                begun.parts[int(asked.query["partNumber"])] = part
                return _response(asked, 200, {"etag": part.etag})
            case "GET":
                rows = "".join(
                    f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(part.etag)}</ETag>"
                    f"<Size>{len(part.data)}</Size></Part>"
                    for number, part in sorted(begun.parts.items())
                )
                return _document(asked, "ListPartsResult", rows)
            case "DELETE":
                del self.uploads[asked.query["uploadId"]]
                return _response(asked, 204)
        return self._complete(asked, begun)

    def _begin(self, asked: _Asked) -> bytes:
        self._begun += 1
        name = f"begun-{self._begun}"
        self.uploads[name] = Begun(asked.bucket, asked.key, _described(asked))
        key = _escaped(asked.key)
        text = f"<Bucket>{asked.bucket}</Bucket><Key>{key}</Key><UploadId>{name}</UploadId>"
        return _document(asked, "InitiateMultipartUploadResult", text)

    def _complete(self, asked: _Asked, begun: Begun) -> bytes:
        self._check_conditions(asked)
        parts = []
        for entry in _all(ElementTree.fromstring(asked.request.body), "Part"):
            part = begun.parts.get(int(_text(entry, "PartNumber")))
            if part is None or _text(entry, "ETag").strip('"') != part.etag.strip('"'):
                raise Refused(400, "InvalidPart")
            parts.append(part)
        data = b"".join(part.data for part in parts)
        made = replace(begun.made, data=data, parts=len(parts))
        self._keep(asked.bucket, asked.key, made)
        del self.uploads[asked.query["uploadId"]]
        text = (
            f"<Bucket>{asked.bucket}</Bucket><Key>{_escaped(asked.key)}</Key>"
            f"<ETag>{escape(made.etag)}</ETag>"
        )
        return _document(asked, "CompleteMultipartUploadResult", text)


_LIST_PARAMETERS = frozenset(
    {
        "continuation-token",
        "delimiter",
        "encoding-type",
        "fetch-owner",
        "list-type",
        "marker",
        "max-keys",
        "prefix",
        "start-after",
        "x-id",
    }
)


def _taken_apart(request: Recorded) -> _Asked:
    path, _, query = request.target.partition(b"?")
    bucket, _, key = path.removeprefix(b"/").partition(b"/")
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
    method = request.method.decode()
    return _Asked(request, method, bucket.decode(), unquote_to_bytes(key), dict(pairs))


def _described(asked: _Asked) -> Held:
    """An object as the headers of a write describe it, without its bytes."""
    names = dict.fromkeys(
        line.partition(b":")[0].decode().lower() for line in asked.request.head.split(b"\r\n")
    )
    metadata = tuple(
        (name.removeprefix("x-amz-meta-"), asked.field(name))
        for name in names
        if name.startswith("x-amz-meta-")
    )
    tags = tuple(parse_qsl(asked.field("x-amz-tagging"), keep_blank_values=True))
    return Held(b"", asked.field("content-type") or "binary/octet-stream", metadata, tags)


def _page(
    keys: Iterable[bytes], prefix: bytes, delimiter: bytes, after: bytes, size: int
) -> tuple[list[tuple[bytes, bool]], bool]:
    """The rows of a list, each with whether it is a group; and whether there are more."""
    rows: dict[bytes, bool] = {}
    for key in keys:
        if not key.startswith(prefix):
            continue
        head, found, _ = key.removeprefix(prefix).partition(delimiter or b"\xff")
        name = prefix + head + found if delimiter and found else key
        if name <= after or (name in rows):
            continue
        if len(rows) == size:
            return list(rows.items()), size > 0
        rows[name] = bool(delimiter and found)
    return list(rows.items()), False


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _quoted(value: str | bytes) -> str:
    """As S3 encodes keys on demand: a space is a plus."""
    return quote_plus(_raw(value) if isinstance(value, str) else value, safe="/")


def _escaped(value: str | bytes) -> str:
    return escape(value if isinstance(value, str) else value.decode("utf-8", "surrogateescape"))


def _all(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [node for node in root.iter() if node.tag.rpartition("}")[2] == name]


def _text(row: ElementTree.Element, name: str) -> str:
    return next((node.text or "" for node in row if node.tag.rpartition("}")[2] == name), "")


def _document(asked: _Asked, root: str, text: str) -> bytes:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} {_XMLNS}>{text}</{root}>'
    fields = {"content-type": "application/xml"}
    return _response(asked, 200, fields, body.encode("utf-8", "surrogateescape"))


def _response(
    asked: _Asked, status: int, fields: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", "x-amz-request-id: SORTED"]
    lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
    if status not in (204, 304):
        lines.append(f"content-length: {len(body)}")
    sent = b"" if asked.method == "HEAD" or status == 304 else body
    return "\r\n".join([*lines, "", ""]).encode() + sent
