"""Upload ids as clients get them: sealed with the key of the snapshot of `wire.document`."""

from __future__ import annotations

import re
from urllib.parse import unquote
from xml.sax.saxutils import escape

from fastpath.payload.checksum_support import drops_checksums_of_parts
from fastpath.routing.profiles import PROFILES
from fastpath.routing.sealed_ids import Sealer, UploadOrigin
from tests.doubles.wire import SEAL_KEY

_ID = re.compile(r"(?<=[?&]uploadId=)[^&#]+")


def sealed(
    upload_id: str = "u1",
    bucket: str = "b-b",
    key: str = "k",
    *,
    target: str = "first",
    checksum_dropped: bool = False,
    seal_key: str = SEAL_KEY,
) -> str:
    """The client's id of an upload; `bucket` and `key` are the client's, the id the target's."""
    origin = UploadOrigin(target, bucket.encode(), None, checksum_dropped)
    sealer = Sealer([bytes.fromhex(seal_key)])
    return sealer.seal(origin, upload_id.encode(), bucket.encode(), key.encode()).decode()


def initiated(upload_id: str = "u1", bucket: str = "b-b", key: str = "k") -> bytes:
    """What a target answers to CreateMultipartUpload."""
    names = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{upload_id}</UploadId>"
    root = "InitiateMultipartUploadResult"
    return f'<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{names}</{root}>'.encode()


def begun(document: bytes) -> str:
    """The upload id in an answer to CreateMultipartUpload."""
    found = re.search(rb"<UploadId>([^<]+)</UploadId>", document)
    assert found, document
    return found[1].decode()


def with_sealed_id(path: str, profile: str = "s3", *, bucket: str | None = None) -> str:
    """A path and query with the target's upload id sealed, as the client of that upload asks.

    `profile` is that of the target `first`. `bucket`: the one that is in the host, not in the path.
    """
    raw_path = path.partition("?")[0][1:]
    if bucket is None:
        bucket, _, raw_path = raw_path.partition("/")
    place, kind = ("generic", "generic") if bucket.startswith("g-") else ("first", profile)
    dropped = drops_checksums_of_parts(PROFILES[kind], secure=False)

    def seal(found: re.Match[str]) -> str:
        upload_id, key = unquote(found[0]), unquote(raw_path)
        return sealed(upload_id, bucket, key, target=place, checksum_dropped=dropped)

    return _ID.sub(seal, path)
