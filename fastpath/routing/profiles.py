"""Describes as data what each kind of target can do.

Rules: code asks a profile, never compares its name; a capability is here only if code uses it; the
shipped profiles follow the stores' documentation or measurements (docs/profiles.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fastpath.signing.sigv4.verify import STREAMING_MODES, STREAMING_SIGNED_TRAILER

# The operations lakeFS has. Anything else must not reach it: a sub-resource it does not know falls
# through to the plain operation, so `PUT ?legal-hold` would overwrite the object.
_LAKEFS_OPERATIONS = frozenset(
    {
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateBucket",  # never sent: only whether the repository exists is asked
        "CreateMultipartUpload",
        "DeleteObject",
        "DeleteObjects",
        "GetBucketLocation",
        "GetBucketVersioning",
        "GetObject",
        "GetObjectTagging",
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

# Parameters and headers that change a request and that lakeFS ignores: it deletes or reads the
# current object instead of the version, deletes or overwrites it whatever the condition, and
# overwrites it instead of renaming or appending.
_LAKEFS_OVERLOOKS: Mapping[str, frozenset[bytes]] = {
    "CopyObject": frozenset({b"if-match", b"if-none-match"}),
    "DeleteObject": frozenset(
        {b"versionId", b"if-match", b"x-amz-if-match-last-modified-time", b"x-amz-if-match-size"}
    ),
    "GetObject": frozenset({b"versionId"}),
    "GetObjectTagging": frozenset({b"versionId"}),
    "HeadObject": frozenset({b"versionId"}),
    "PutObject": frozenset({b"x-amz-rename-source", b"x-amz-write-offset-bytes"}),
}


# Measured with SeaweedFS 4.48. It does not know these sub-resources, and acts on the object or the
# bucket itself: a PUT overwrites the object or creates the bucket, a DELETE deletes it.
_SEAWEEDFS_LACKS = frozenset(
    {
        "DeleteBucketAnalyticsConfiguration",
        "DeleteBucketIntelligentTieringConfiguration",
        "DeleteBucketInventoryConfiguration",
        "DeleteBucketMetadataConfiguration",
        "DeleteBucketMetadataTableConfiguration",
        "DeleteBucketMetricsConfiguration",
        "DeleteBucketReplication",
        "DeleteBucketWebsite",
        "DeleteObjectAnnotation",
        "GetObjectAnnotation",
        "GetObjectTorrent",
        "ListObjectAnnotations",
        "PutBucketAbac",
        "PutBucketAccelerateConfiguration",
        "PutBucketAnalyticsConfiguration",
        "PutBucketIntelligentTieringConfiguration",
        "PutBucketInventoryConfiguration",
        "PutBucketLogging",
        "PutBucketMetricsConfiguration",
        "PutBucketNotificationConfiguration",
        "PutBucketReplication",
        "PutBucketWebsite",
        "PutObjectAnnotation",
        "UpdateBucketMetadataAnnotationTableConfiguration",
        "UpdateBucketMetadataInventoryTableConfiguration",
        "UpdateBucketMetadataJournalTableConfiguration",
        "UpdateObjectEncryption",
    }
)
_SEAWEEDFS_OVERLOOKS: Mapping[str, frozenset[bytes]] = {
    "DeleteObject": frozenset({b"x-amz-if-match-last-modified-time", b"x-amz-if-match-size"}),
    "PutObject": frozenset({b"x-amz-write-offset-bytes"}),
}

# Algorithms of `x-amz-checksum-*`, as in the name; the first five are older than 2026.
_OLD_CHECKSUMS = frozenset({b"crc32", b"crc32c", b"crc64nvme", b"sha1", b"sha256"})
CHECKSUMS = _OLD_CHECKSUMS | {b"md5", b"sha512", b"xxhash128", b"xxhash3", b"xxhash64"}

# What to do with a header that a target would ignore, the default first: `targets.*.forgets`.
FORGETS = ("refuse", "drop")

# Features of a list of objects: keys in the order of their UTF-8 bytes, escaped keys on demand, a
# start after any key. Only sorted lists of several targets can be merged.
LIST_FEATURES = frozenset({"encoding-type", "sorted", "start-after"})


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of target.

    verifies_digest: refuses an upload whose SHA-256 is not the signed one, with the error of S3, so
        the gateway need not hash it. An upload is the body of a PutObject or UploadPart.
    verifies_md5: refuses an upload that does not match its Content-MD5.
    verifies_checksums: refuses an upload that does not match its x-amz-checksum-*, for each
        algorithm of `checksums`.
    verifies_documents: does the same for other bodies, above all the keys of a DeleteObjects.
    checksums: the algorithms whose checksums it keeps. The gateway verifies one of another
        algorithm and does not send it, nor the algorithm of a multipart upload.
    streaming: the values of x-amz-content-sha256 that it accepts for aws-chunked bodies; others are
        sent without their framing. Without a value for trailers, parts lose theirs, so that the
        target does not get the algorithm of a multipart upload.
    keeps_aws_chunked: would store `Content-Encoding: aws-chunked` with the object, and accepts
        those modes without that header, so the gateway does not send it.
    operations: all that it has, or None if there is no list.
    lacks: operations that it would take for others, so the gateway does not send them.
    overlooks: by operation, query parameters and headers that change its meaning and that the
        target ignores, so the gateway refuses a request with one, and makes such a copy itself.
    mistakes_keys: takes a key of only `/` and `\\` for the bucket itself: a DeleteObject of one
        deletes an empty bucket.
    mistakes_deletes: in a DeleteObjects, truncates a key at its line break and deletes another
        object, and reports a batch with a key without a path as deleted without deleting it.
    hides_parts: the ETag of an object that came in parts looks like the MD5 of one that did not, so
        that a reader who compares MD5s takes the object for a corrupted one.
    dialect: what translates its differences from S3 (`dialects`), or None.
    has_regions: redirects to the region of a bucket; the gateway follows these redirects.
    virtual_hosts: finds the bucket in the Host, for `addressing: auto`.
    lists: which of LIST_FEATURES it has.
    anonymous: decides itself what an unsigned request may do.
    assumed: nobody measured it: it may have capabilities that the profile does not list.
    """

    name: str
    verifies_digest: bool
    verifies_md5: bool = False
    verifies_checksums: bool = False
    verifies_documents: bool = False
    checksums: frozenset[bytes] = frozenset()
    streaming: frozenset[bytes] = frozenset()
    keeps_aws_chunked: bool = False
    operations: frozenset[str] | None = None
    lacks: frozenset[str] = frozenset()
    overlooks: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    mistakes_keys: bool = False
    mistakes_deletes: bool = False
    hides_parts: bool = False
    dialect: str | None = None
    has_regions: bool = False
    virtual_hosts: bool = False
    lists: frozenset[str] = frozenset()
    anonymous: bool = False
    assumed: bool = False

    def refuses(self, operation: str) -> bool:
        """Whether requests of this operation must not reach such a target."""
        if self.operations is not None and operation not in self.operations:
            return True
        return operation in self.lacks

    @property
    def keeps_every_checksum(self) -> bool:
        """Whether it gets all checksums: it keeps each algorithm, and accepts a trailer."""
        return len(self.checksums) == len(CHECKSUMS) and STREAMING_SIGNED_TRAILER in self.streaming

    @property
    def verifies_uploads(self) -> bool:
        """Whether it verifies everything that S3 verifies of an upload's body."""
        return (
            self.verifies_digest
            and self.verifies_md5
            and self.verifies_checksums
            and self.keeps_every_checksum
        )


def without_signature(profile: Profile) -> Profile:
    """Return the profile for unsigned requests, which have neither digest nor streaming mode."""
    return replace(profile, verifies_digest=False, streaming=frozenset())


PROFILES: dict[str, Profile] = {
    "s3": Profile(
        "s3",
        verifies_digest=True,
        verifies_md5=True,
        verifies_checksums=True,
        verifies_documents=True,
        checksums=CHECKSUMS,
        streaming=STREAMING_MODES,
        has_regions=True,
        virtual_hosts=True,
        lists=LIST_FEATURES,
        anonymous=True,
    ),
    # It may not accept a trailer, so no part can keep its checksum. A store that requires parts to
    # have a checksum of their upload's algorithm would refuse them all, so it does not get one.
    "generic": Profile(
        "generic",
        verifies_digest=False,
        checksums=_OLD_CHECKSUMS,
        anonymous=True,
        assumed=True,
    ),
    "seaweedfs": Profile(
        "seaweedfs",
        verifies_digest=False,
        verifies_md5=True,
        verifies_checksums=True,
        checksums=_OLD_CHECKSUMS,
        streaming=STREAMING_MODES,
        keeps_aws_chunked=True,
        lacks=_SEAWEEDFS_LACKS,
        overlooks=_SEAWEEDFS_OVERLOOKS,
        mistakes_keys=True,
        lists=frozenset({"encoding-type", "start-after"}),
        anonymous=True,
    ),
    "lakefs": Profile(
        "lakefs",
        verifies_digest=False,  # it does, but answers 500, which SDKs retry
        operations=_LAKEFS_OPERATIONS,
        overlooks=_LAKEFS_OVERLOOKS,
        mistakes_deletes=True,
        hides_parts=True,
        lists=frozenset({"sorted", "start-after"}),
        dialect="lakefs",
    ),
}


def with_overrides(profile: Profile, overrides: Mapping[str, Any]) -> Profile:
    """Replace capabilities of a profile; values are as in JSON (docs/snapshot.md)."""
    if not overrides:
        return profile
    return replace(profile, **{name: _value(name, value) for name, value in overrides.items()})


def _value(name: str, value: Any) -> Any:
    if name == "overlooks":
        return {operation: _encoded(names) for operation, names in value.items()}
    if name in ("checksums", "streaming"):
        return _encoded(value)
    return frozenset(value) if isinstance(value, list) else value


def _encoded(words: list[str]) -> frozenset[bytes]:
    return frozenset(word.encode() for word in words)
