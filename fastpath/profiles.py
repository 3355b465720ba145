"""What each kind of target can and cannot do, as data.

Rules: code asks a profile, never compares its name.

Not here: probing a live target, per-target overrides, how a dialect is translated (`dialects`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# The operations lakeFS has. Anything else must not reach it: a sub-resource it does not know falls
# through to the plain operation, so `PUT ?legal-hold` would overwrite the object.
_LAKEFS_OPERATIONS = frozenset(
    {
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "DeleteObject",
        "DeleteObjects",
        "GetBucketLocation",
        "GetBucketVersioning",
        "GetObject",
        "HeadBucket",
        "HeadObject",
        "ListBuckets",
        "ListMultipartUploads",
        "ListObjects",
        "ListObjectsV2",
        "ListParts",
        "PutObject",
        "UploadPart",
        "UploadPartCopy",
    }
)

# What lakeFS does not see, though it makes the request another one: without the version the current
# object is deleted or read instead, without the condition it is deleted or overwritten all the
# same, and a rename or an append is a plain overwrite.
_COPY_CONDITIONS = frozenset(
    {
        b"x-amz-copy-source-if-match",
        b"x-amz-copy-source-if-modified-since",
        b"x-amz-copy-source-if-none-match",
        b"x-amz-copy-source-if-unmodified-since",
    }
)
_LAKEFS_OVERLOOKS: Mapping[str, frozenset[bytes]] = {
    "CopyObject": _COPY_CONDITIONS | {b"if-match", b"if-none-match"},
    "DeleteObject": frozenset(
        {b"versionId", b"if-match", b"x-amz-if-match-last-modified-time", b"x-amz-if-match-size"}
    ),
    "GetObject": frozenset({b"versionId"}),
    "HeadObject": frozenset({b"versionId"}),
    "PutObject": frozenset({b"x-amz-rename-source", b"x-amz-write-offset-bytes"}),
    "UploadPartCopy": _COPY_CONDITIONS,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of target.

    verifies_digest: refuses a body whose SHA-256 is not the signed one, with the error of S3, so
        the gateway need not hash it on the way.
    verifies_checksums: refuses a body that is not what Content-MD5 or x-amz-checksum-* say.
    streaming: the values of x-amz-content-sha256 it takes for aws-chunked bodies; to others such a
        body goes without its framing.
    operations: all it has, or None for no list.
    overlooks: by operation, query parameters and headers that change its meaning and that the
        target ignores, so that a request with one must not reach it.
    mistakes_deletes: in a DeleteObjects, cuts a key at its line break and deletes another object,
        and for a key without a path reports a whole batch as deleted that it did not touch.
    dialect: what translates its differences from S3 (`dialects`), or None.
    has_regions: redirects to the region of a bucket; these redirects are followed.
    """

    name: str
    verifies_digest: bool
    verifies_checksums: bool = False
    streaming: frozenset[bytes] = frozenset()
    operations: frozenset[str] | None = None
    overlooks: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    mistakes_deletes: bool = False
    dialect: str | None = None
    has_regions: bool = False


PROFILES: dict[str, Profile] = {
    "s3": Profile(
        "s3",
        verifies_digest=True,
        verifies_checksums=True,
        streaming=frozenset(
            {
                b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                b"STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            }
        ),
        has_regions=True,
    ),
    "generic": Profile("generic", verifies_digest=False),
    "lakefs": Profile(
        "lakefs",
        verifies_digest=False,  # it does, but says 500, which SDKs try again
        operations=_LAKEFS_OPERATIONS,
        overlooks=_LAKEFS_OVERLOOKS,
        mistakes_deletes=True,
        dialect="lakefs",
    ),
}
