"""Every member of S3's model that names something is renamed, refused, or listed with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator

import botocore.session
import pytest

from fastpath.errors import S3Error
from fastpath.renaming.members import (
    DOCUMENTS,
    LISTS,
    MARKERS,
    OF_A_PART,
    PREFIX,
    SLOW,
    UPLOAD_IDS,
    WITH_UPLOAD_IDS,
    WITHOUT_RENAMED_BUCKETS,
    Member,
    check_operation,
    is_about_whole_bucket,
)
from fastpath.routing.rewrite import Rewrite
from fastpath.s3.operations import ALIASES, OPERATIONS
from tests.unit.fastpath.renaming.sides import MOVED, REWRITE, names_of

NAMES_SOMETHING = re.compile(
    r"bucket|key|prefix|marker|token|location|upload-?id|startafter|start-after|source|arn|\AName\Z",
    re.IGNORECASE,
)
# Members that have the same meaning in every operation, by the name on the wire.
EXEMPT = {
    "x-amz-expected-bucket-owner": "an account",
    "x-amz-source-expected-bucket-owner": "an account",
    "x-amz-server-side-encryption-customer-key": "a key of a cipher",
    "x-amz-server-side-encryption-customer-key-MD5": "a key of a cipher",
    "x-amz-server-side-encryption-aws-kms-key-id": "a key of a cipher",
    "x-amz-server-side-encryption-bucket-key-enabled": "a key of a cipher",
    "x-amz-copy-source-server-side-encryption-customer-algorithm": "an algorithm of a cipher",
    "x-amz-copy-source-server-side-encryption-customer-key": "a key of a cipher",
    "x-amz-copy-source-server-side-encryption-customer-key-MD5": "a key of a cipher",
    "x-amz-copy-source-if-match": "a condition",
    "x-amz-copy-source-if-modified-since": "a condition",
    "x-amz-copy-source-if-none-match": "a condition",
    "x-amz-copy-source-if-unmodified-since": "a condition",
    "x-amz-rename-source-if-match": "a condition",
    "x-amz-rename-source-if-modified-since": "a condition",
    "x-amz-rename-source-if-none-match": "a condition",
    "x-amz-rename-source-if-unmodified-since": "a condition",
    "x-amz-copy-source-range": "a range",
    "x-amz-copy-source-version-id": "a version",
    "x-amz-bucket-object-lock-enabled": "a switch",
    "x-amz-bucket-object-lock-token": "a right",
    "x-amz-bucket-namespace": "one of two words",
    "x-amz-bucket-region": "a region",
    "x-amz-bucket-location-name": "a zone",
    "x-amz-bucket-location-type": "one of two words",
    "x-amz-client-token": "makes a request idempotent",
    "x-amz-website-redirect-location": "the client's text: what it stores comes back, and the "
    "gateway serves no website",
    "continuation-token": "the target's own, and goes back to it",
    "ContinuationToken": "the target's own, and goes back to it",
    "NextContinuationToken": "the target's own, and goes back to it",
    "version-id-marker": "a version",
    "VersionIdMarker": "a version",
    "NextVersionIdMarker": "a version",
    "part-number-marker": "a number",
    "x-amz-part-number-marker": "a number",
    "PartNumberMarker": "a number",
    "NextPartNumberMarker": "a number",
    "KeyCount": "a number",
    "max-keys": "a number",
    "MaxKeys": "a number",
    "x-amz-delete-marker": "a switch",
    "RestrictPublicBuckets": "a switch",
    "annotation-prefix": "of annotations, not of keys",
    "AnnotationPrefix": "of annotations, not of keys",
}
# By operation and path.
EXEMPT_HERE = {
    ("CompleteMultipartUpload", "Location"): "has the URL that the client used: `location_urls`",
    ("CreateBucket", "CreateBucketConfiguration/LocationConstraint"): "a region",
    ("CreateBucket", "CreateBucketConfiguration/Location/Name"): "a zone",
    ("CreateBucket", "CreateBucketConfiguration/Tags/[]/Key"): "of a tag",
    ("DeleteObjects", "Delete/Object/Key"): "`payload.delete_batch` renames it",
    ("DeleteObjects", "Deleted/DeleteMarkerVersionId"): "a version",
    ("DeleteObjects", "Deleted/DeleteMarker"): "a switch",
    ("GetBucketLocation", "LocationConstraint"): "a region",
    ("ListBuckets", "*"): "about no bucket: no rule applies to it",
}
# The names in paths: `addresses`. In headers: `addresses.upstream_source`, `answers`.
HANDLED_HEADERS = {
    ("CopyObject", "x-amz-copy-source"),
    ("UploadPartCopy", "x-amz-copy-source"),
    ("RenameObject", "x-amz-rename-source"),
    ("CreateBucket", "Location"),
    ("CreateBucket", "x-amz-bucket-arn"),
    ("HeadBucket", "x-amz-bucket-arn"),
}
# Operations of a whole bucket that a bucket with another name has: what their documents name is
# below the tags, ciphers, zones and prefixes of keys that such a bucket has unchanged.
WITHOUT_NAMES_OF_BUCKETS = {
    "CreateBucketMetadataConfiguration": "ciphers; buckets of tables are not S3's",
    "CreateBucketMetadataTableConfiguration": "ARNs of buckets of tables",
    "GetBucketEncryption": "ciphers",
    "GetBucketIntelligentTieringConfiguration": "prefixes of keys, tags",
    "GetBucketLifecycleConfiguration": "prefixes of keys, tags",
    "GetBucketMetadataConfiguration": "ARNs of buckets of tables",
    "GetBucketMetadataTableConfiguration": "ARNs of buckets of tables",
    "GetBucketMetricsConfiguration": "prefixes of keys, tags, access points",
    "GetBucketNotificationConfiguration": "prefixes of keys, ARNs of queues",
    "GetBucketTagging": "tags",
    "GetBucketWebsite": "keys, prefixes of keys",
    "ListBucketIntelligentTieringConfigurations": "prefixes of keys, tags",
    "ListBucketMetricsConfigurations": "prefixes of keys, tags, access points",
    "PutBucketEncryption": "ciphers",
    "PutBucketIntelligentTieringConfiguration": "prefixes of keys, tags",
    "PutBucketLifecycleConfiguration": "prefixes of keys, tags",
    "PutBucketMetricsConfiguration": "prefixes of keys, tags, access points",
    "PutBucketNotificationConfiguration": "prefixes of keys, ARNs of queues",
    "PutBucketTagging": "tags",
    "PutBucketWebsite": "keys, prefixes of keys",
    "UpdateBucketMetadataAnnotationTableConfiguration": "ciphers",
    "UpdateBucketMetadataInventoryTableConfiguration": "ciphers",
    "UpdateBucketMetadataJournalTableConfiguration": "ciphers",
}
# Objects have tags and ciphers too.
OF_OBJECTS = {
    ("GetObjectTagging", "TagSet/[]/Key"),
    ("PutObjectTagging", "Tagging/TagSet/[]/Key"),
    ("UpdateObjectEncryption", "ObjectEncryption/SSE-KMS/KMSKeyArn"),
    ("UpdateObjectEncryption", "ObjectEncryption/SSE-KMS/BucketKeyEnabled"),
}

Found = tuple[str, str, str, str]  # operation, in or out, location, path

MODEL = botocore.session.get_session().get_service_model("s3")


def walk(shape: object, path: tuple[str, ...], above: frozenset[str]) -> Iterator[tuple[str, str]]:
    kind = shape.type_name  # type: ignore[attr-defined]  # botocore has no types
    if kind == "structure" and shape.name not in above:  # type: ignore[attr-defined]
        for name, member in shape.members.items():  # type: ignore[attr-defined]
            wire = member.serialization.get("name", name)
            place = member.serialization.get("location", "")
            here = (*path, wire)
            yield place, "/".join(here)
            yield from walk(member, here, above | {shape.name})  # type: ignore[attr-defined]
    elif kind == "list":
        flat = shape.serialization.get("flattened")  # type: ignore[attr-defined]
        yield from walk(shape.member, path if flat else (*path, "[]"), above)  # type: ignore[attr-defined]


def members() -> list[Found]:
    found = []
    for operation in MODEL.operation_names:
        model = MODEL.operation_model(operation)
        for side, shape in (("in", model.input_shape), ("out", model.output_shape)):
            for place, path in walk(shape, (), frozenset()) if shape is not None else ():
                if NAMES_SOMETHING.search(path.rpartition("/")[2]):
                    found.append((ALIASES.get(operation, operation), side, place, path))
    return found


FOUND = members()
PARAMETERS = {name.decode() for name in (PREFIX, *MARKERS, *UPLOAD_IDS)}


def is_handled(operation: str, side: str, place: str, path: str) -> bool:
    name = path.rpartition("/")[2]
    if operation in WITHOUT_RENAMED_BUCKETS or name in EXEMPT:
        return True
    if {(operation, path), (operation, "*")} & set(EXEMPT_HERE) or (operation, path) in OF_OBJECTS:
        return True
    if place == "uri":
        return name in ("Bucket", "Key")
    if place == "querystring":
        return name in PARAMETERS and (operation in LISTS or name.encode() in UPLOAD_IDS)
    if place == "header":
        return (operation, name) in HANDLED_HEADERS
    if operation in WITHOUT_NAMES_OF_BUCKETS:
        return is_about_whole_bucket(operation)
    return side == "out" and path in DOCUMENTS.get(operation, {})


ALL_PATHS = [
    (ALIASES.get(operation, operation), side, path)
    for operation in MODEL.operation_names
    for side, shape in (
        ("in", MODEL.operation_model(operation).input_shape),
        ("out", MODEL.operation_model(operation).output_shape),
    )
    if shape is not None
    for _, path in walk(shape, (), frozenset())
]
# Structures hold members and say nothing themselves.
STRUCTURES = {(operation, side, path.rpartition("/")[0]) for operation, side, path in ALL_PATHS}


def test_every_member_that_names_something_is_renamed_refused_or_exempt() -> None:
    missing = {
        (operation, side, place, path)
        for operation, side, place, path in FOUND
        if (operation, side, path) not in STRUCTURES
        and not is_handled(operation, side, place, path)
    }
    assert not missing


def test_every_row_of_the_tables_is_a_member_of_the_model() -> None:
    known = set(ALL_PATHS)
    gone = {
        (operation, path)
        for operation, table in DOCUMENTS.items()
        for path in table
        if (operation, "out", path) not in known
    }
    assert not gone
    queries = {path for _, side, place, path in FOUND if place == "querystring"}
    assert queries >= PARAMETERS
    names = {path.rpartition("/")[2] for _, _, path in ALL_PATHS}
    assert not set(EXEMPT) - names
    paths = {(operation, path) for operation, _, path in known}
    assert not {row for row in EXEMPT_HERE if row[1] != "*"} - paths
    assert not {row for row in OF_OBJECTS | HANDLED_HEADERS if row[1]} - paths
    for table in (DOCUMENTS, LISTS, SLOW, WITH_UPLOAD_IDS, WITHOUT_NAMES_OF_BUCKETS):
        assert not set(table) - set(OPERATIONS)
    assert not (WITHOUT_RENAMED_BUCKETS | OF_A_PART) - set(OPERATIONS)


def test_every_document_with_an_upload_id_of_the_targets_is_read_without_a_rewrite() -> None:
    ids = {Member.UPLOAD_ID, Member.NEW_UPLOAD_ID, Member.LISTED_UPLOAD_ID}
    with_ids = {one for one, table in DOCUMENTS.items() if ids & set(table.values())}
    assert with_ids == WITH_UPLOAD_IDS


def refused(operation: str, rewrite: Rewrite) -> bool:
    try:
        check_operation(operation, names_of(rewrite=rewrite))
    except S3Error:
        return True
    return False


def test_a_refusal_says_what_is_refused() -> None:
    with pytest.raises(S3Error) as caught:
        check_operation("PutBucketPolicy", names_of())
    assert caught.value.kind.status == 501
    assert caught.value.message.startswith("PutBucketPolicy is not available")
    assert "its bucket is a part of another one at the target" in caught.value.note


@pytest.mark.parametrize("rewrite", [REWRITE, MOVED, Rewrite(b"", b"p"), Rewrite(b"", b"", b"s/")])
def test_a_part_of_a_bucket_has_no_settings_and_is_not_deleted(rewrite: Rewrite) -> None:
    for name, operation in OPERATIONS.items():
        if name.startswith(("PutBucket", "DeleteBucket", "GetBucketP", "GetBucketA")):
            assert refused(name, rewrite)
        if name not in WITHOUT_RENAMED_BUCKETS and (
            ("Object" in name and "Lock" not in name) or name in LISTS
        ):
            assert not refused(name, rewrite), operation
    for name in ("DeleteBucket", "PutObjectLockConfiguration", "Unclassified"):
        assert refused(name, rewrite)
    for name in ("HeadBucket", "CreateBucket", "Preflight", "UploadPart", "ListParts"):
        assert not refused(name, rewrite)


def test_a_bucket_with_another_name_has_what_names_no_bucket() -> None:
    only_bucket = Rewrite(b"lakefs-new")
    for name in ("CreateBucket", "DeleteBucket", "PutBucketTagging", "PutBucketWebsite"):
        assert not refused(name, only_bucket)
    for name in ("PutBucketPolicy", "GetBucketLogging", "PutBucketReplication", "Unclassified"):
        assert refused(name, only_bucket)


def test_without_a_rewrite_nothing_is_refused() -> None:
    assert not [name for name in OPERATIONS if refused(name, Rewrite())]
    assert not refused("PutBucketPolicy", Rewrite(b"old-bucket"))
