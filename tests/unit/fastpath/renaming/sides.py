"""Writes S3's documents as one side of a renaming sees them, and renames the other side's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from fastpath.http.head import parse_response_head
from fastpath.renaming.answers import RenamedDocument, RenamedDocuments
from fastpath.renaming.names import Names
from fastpath.response.filters import Buffer
from fastpath.routing.rewrite import Rewrite
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element, url_encoded

Query = Sequence[tuple[bytes, bytes]]

HOSTILE = [
    "a/b",
    "&amp;<x>",
    "\"quoted\" 'name'",
    "line\nbreak",
    "carriage\rreturn",
    "smile \U0001f600/\u00e9",
    "100%2Fdone%",
    "a+b c",
    "]]>",
    "~tilde*star",
    "Key:Key!",
    "/",
    "k" * 1019,
    "main/",
]


class Ids:
    """Upload ids that show what they were sealed with."""

    def seal(self, upload_id: bytes, client_key: bytes, /) -> bytes:
        return b"sealed:%b:%b" % (upload_id, client_key.hex().encode())


OLD, NEW = b"old-bucket", b"lakefs-new"
REWRITE = Rewrite(NEW, b"main/")
MOVED = Rewrite(NEW, b"team a&b/", b"home/")


def names_of(
    key: bytes = b"",
    rewrite: Rewrite = REWRITE,
    upload: tuple[bytes, bytes] = (b"", b""),
    bucket: bytes = OLD,
) -> Names:
    """The names of a request for a key, or for the bucket."""
    upstream_key = rewrite.key_up(key) if key else b""
    upstream = rewrite.bucket_up(bucket)
    return Names(bucket, key, upstream, upstream_key, rewrite, Ids(), *upload)


@dataclass
class Side:
    """What one side sees: its bucket, how it names keys, and its upload ids."""

    bucket: str
    name: Callable[[str], str]
    upload_id: Callable[[str, str], str]  # id, client's key
    encoded: bool = False
    query: dict[str, str] = field(default_factory=dict)

    def key(self, name: str, text: str) -> str:
        """An element that holds a key."""
        text = self.name(text)
        return element(name, url_encoded(text) if self.encoded else text)

    def echo(self, name: str, parameter: str) -> str:
        """An element that repeats a parameter."""
        text = self.query.get(parameter, "")
        return element(name, url_encoded(text) if self.encoded else text)


def client_side(*, encoded: bool = False, query: dict[str, str] | None = None) -> Side:
    def sealed(upload_id: str, key: str) -> str:
        return Ids().seal(upload_id.encode(), key.encode()).decode()

    return Side(OLD.decode(), lambda key: key, sealed, encoded, query or {})


def target_side(
    rewrite: Rewrite, *, encoded: bool = False, query: dict[str, str] | None = None
) -> Side:
    def up(key: str) -> str:
        return rewrite.key_up(key.encode()).decode()

    bucket = rewrite.bucket_up(OLD).decode()
    return Side(bucket, up, lambda upload_id, _: upload_id, encoded, query or {})


def root(name: str, *inner: str) -> bytes:
    return f'{DECLARATION}<{name} xmlns="{NAMESPACE}">{"".join(inner)}</{name}>'.encode()


def encoding(side: Side) -> str:
    return element("EncodingType", "url") if side.encoded else ""


def rest_of_row() -> str:
    return (
        "<LastModified>2026-11-30T07:00:00.000Z</LastModified><ETag>&quot;d41d8c&quot;</ETag>"
        "<Size>5</Size><StorageClass>STANDARD</StorageClass>"
    )


def common(side: Side, prefixes: Iterable[str]) -> str:
    return "".join(
        f"<CommonPrefixes>{side.key('Prefix', one)}</CommonPrefixes>" for one in prefixes
    )


def list_objects(side: Side, keys: Sequence[str], prefixes: Sequence[str] = ()) -> bytes:
    next_marker = side.key("NextMarker", keys[-1]) if keys else ""
    return root(
        "ListBucketResult",
        element("Name", side.bucket),
        side.echo("Prefix", "prefix"),
        side.echo("Marker", "marker"),
        next_marker,
        "<MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter>",
        encoding(side),
        "<IsTruncated>true</IsTruncated>",
        *[
            f"<Contents>{side.key('Key', key)}{rest_of_row()}"
            f"<Owner><ID>1</ID><DisplayName>main/</DisplayName></Owner></Contents>"
            for key in keys
        ],
        common(side, prefixes),
    )


def list_objects_v2(side: Side, keys: Sequence[str], prefixes: Sequence[str] = ()) -> bytes:
    after = side.echo("StartAfter", "start-after") if "start-after" in side.query else ""
    return root(
        "ListBucketResult",
        element("Name", side.bucket),
        side.echo("Prefix", "prefix"),
        after,
        "<ContinuationToken>main/t</ContinuationToken>",
        "<NextContinuationToken>main/n</NextContinuationToken>",
        f"<KeyCount>{len(keys)}</KeyCount><MaxKeys>1000</MaxKeys>",
        encoding(side),
        "<IsTruncated>true</IsTruncated>",
        *[f"<Contents>{side.key('Key', key)}{rest_of_row()}</Contents>" for key in keys],
        common(side, prefixes),
    )


def list_versions(side: Side, keys: Sequence[str], prefixes: Sequence[str] = ()) -> bytes:
    rows = [
        f"<{name}>{side.key('Key', key)}<VersionId>main/v</VersionId></{name}>"
        for name, key in zip(["Version", "DeleteMarker"] * len(keys), keys, strict=False)
    ]
    return root(
        "ListVersionsResult",
        element("Name", side.bucket),
        side.echo("Prefix", "prefix"),
        side.echo("KeyMarker", "key-marker"),
        "<VersionIdMarker></VersionIdMarker>",
        side.key("NextKeyMarker", keys[-1]) if keys else "<NextKeyMarker/>",
        "<NextVersionIdMarker>main/v</NextVersionIdMarker><MaxKeys>1000</MaxKeys>",
        encoding(side),
        "<IsTruncated>true</IsTruncated>",
        *rows,
        common(side, prefixes),
    )


def list_uploads(side: Side, keys: Sequence[str], prefixes: Sequence[str] = ()) -> bytes:
    following = (
        side.key("NextKeyMarker", keys[-1])
        + element("NextUploadIdMarker", side.upload_id("n", keys[-1]))
        if keys
        else "<NextKeyMarker></NextKeyMarker><NextUploadIdMarker></NextUploadIdMarker>"
    )
    return root(
        "ListMultipartUploadsResult",
        element("Bucket", side.bucket),
        side.echo("KeyMarker", "key-marker"),
        element("UploadIdMarker", side.query.get("upload-id-marker", "")),
        following,
        side.echo("Prefix", "prefix"),
        "<Delimiter>/</Delimiter><MaxUploads>1000</MaxUploads>",
        encoding(side),
        "<IsTruncated>true</IsTruncated>",
        *[
            f"<Upload>{side.key('Key', key)}{element('UploadId', side.upload_id(f'u{at}', key))}"
            "<Initiator><ID>main/</ID></Initiator></Upload>"
            for at, key in enumerate(keys)
        ],
        common(side, prefixes),
    )


Writer = Callable[[Side, Sequence[str], Sequence[str]], bytes]
LIST_WRITERS: dict[str, Writer] = {
    "ListObjects": list_objects,
    "ListObjectsV2": list_objects_v2,
    "ListObjectVersions": list_versions,
    "ListMultipartUploads": list_uploads,
}


def rewriter(
    operation: str,
    names: Names,
    query: Query = (),
    upstream_query: Query = (),
    status: int = 200,
    more_errors: Callable[[], str] | None = None,
) -> RenamedDocument | None:
    """The filter's decision about a response with a body."""
    head = parse_response_head(
        b"HTTP/1.1 %d OK\r\nContent-Type: application/xml\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" % status
    )
    documents = RenamedDocuments(operation, names, query, upstream_query, more_errors)
    step = documents.head(head)
    if isinstance(step, Buffer):  # an error that is longer than that
        step = documents.whole(b"", complete=False)
    assert step is None or isinstance(step, RenamedDocument)
    return step


def rename(
    document: bytes,
    operation: str,
    names: Names,
    query: Query = (),
    upstream_query: Query = (),
    status: int = 200,
) -> bytes:
    """Rename a document that comes in one piece."""
    step = rewriter(operation, names, query, upstream_query, status)
    assert step is not None
    return step.feed(document) + step.finish()


def pairs(query: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in query.items()]
