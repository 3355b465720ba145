"""Owns the script of S3 calls that is played straight at a store and through the gateway.

Rules: a call is data: the boto3 method, its parameters, and what later calls take from its answer;
`$name` in a parameter stands for a value taken before. A store may refuse a call: a refusal is an
answer like any other, and is compared like one. `Bucket` is filled in by the player.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MIB = 1024 * 1024
TEXT = b"The quick brown fox jumps over the lazy dog.\n" * 20


@dataclass(frozen=True, slots=True)
class Call:
    """One call: `learn` names values of the answer by their path in it (`Versions.0.VersionId`)."""

    method: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    learn: Mapping[str, str] = field(default_factory=dict)


def call(method: str, learn: Mapping[str, str] | None = None, **parameters: Any) -> Call:
    return Call(method, parameters, learn or {})


def _rule(**parts: Any) -> dict[str, Any]:
    return {"ID": "rule", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, **parts}


BUCKET = [
    call("create_bucket"),
    call("create_bucket"),  # again: what the store says about an own bucket
    call("create_bucket", Bucket="ab"),
    call("head_bucket"),
    call("head_bucket", Bucket="missing-bucket-of-nobody"),
    call("get_bucket_location"),
    call("get_bucket_acl"),
    call("put_bucket_acl", ACL="private"),
    call("get_bucket_versioning"),
    call("get_bucket_tagging"),
    call("put_bucket_tagging", Tagging={"TagSet": [{"Key": "team", "Value": "a b&c<d>"}]}),
    call("get_bucket_tagging"),
    call("delete_bucket_tagging"),
    call("get_bucket_policy"),
    call("get_bucket_policy_status"),
    call("put_bucket_policy", Policy="{not json"),
    call(
        "put_bucket_policy",
        Policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
        '"Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/public/*"}]}',
    ),
    call("get_bucket_policy"),
    call("delete_bucket_policy"),
    call("get_bucket_lifecycle_configuration"),
    call(
        "put_bucket_lifecycle_configuration",
        LifecycleConfiguration={"Rules": [_rule(Expiration={"Days": 3})]},
    ),
    call("get_bucket_lifecycle_configuration"),
    call("delete_bucket_lifecycle"),
    call("get_bucket_cors"),
    call(
        "put_bucket_cors",
        CORSConfiguration={
            "CORSRules": [
                {
                    "AllowedMethods": ["GET", "PUT"],
                    "AllowedOrigins": ["https://app.example.com"],
                    "AllowedHeaders": ["*"],
                    "ExposeHeaders": ["ETag"],
                    "MaxAgeSeconds": 600,
                }
            ]
        },
    ),
    call("get_bucket_cors"),
    call("delete_bucket_cors"),
    call("get_bucket_encryption"),
    call("get_bucket_website"),
    call("get_bucket_logging"),
    call("get_bucket_notification_configuration"),
    call("get_bucket_replication"),
    call("get_bucket_request_payment"),
    call("get_bucket_accelerate_configuration"),
    call("get_bucket_ownership_controls"),
    call("get_public_access_block"),
    call("list_bucket_inventory_configurations"),
    call("get_object_lock_configuration"),
]

OBJECT = [
    call("put_object", Key="empty", Body=b""),
    call(
        "put_object",
        Key="text",
        Body=TEXT,
        ContentType="text/plain; charset=utf-8",
        CacheControl="max-age=60",
        ContentDisposition='attachment; filename="a b.txt"',
        ContentEncoding="identity",
        ContentLanguage="de",
        Metadata={"Mixed-Case": "a  b", "plain": "x"},
    ),
    call("put_object", Key="folder/a b+c=d%e", Body=b"odd name", ChecksumAlgorithm="SHA256"),
    call("put_object", Key="folder/grüße", Body=b"u", StorageClass="STANDARD"),
    call("put_object", Key="folder/deep/one", Body=b"1"),
    call("put_object", Key="large", Body=b"0123456789abcdef" * (MIB // 16)),
    call("put_object", Bucket="missing-bucket-of-nobody", Key="a", Body=b"text"),
    call("head_object", Key="text"),
    call("head_object", Key="empty"),
    call("head_object", Key="missing"),
    call("head_object", Key="text", ChecksumMode="ENABLED"),
    call("get_object", Key="text", learn={"etag": "ETag"}),
    call("get_object", Key="empty"),
    call("get_object", Key="folder/a b+c=d%e"),
    call("get_object", Key="folder/grüße"),
    call("get_object", Key="large"),
    call("get_object", Key="missing"),
    call("get_object", Bucket="missing-bucket-of-nobody", Key="a"),
    call(
        "get_object",
        Key="text",
        ResponseContentType="x/y",
        ResponseCacheControl="no-store",
        ResponseContentDisposition="inline",
    ),
    call("get_object_attributes", Key="text", ObjectAttributes=["ETag", "ObjectSize"]),
    call("get_object_attributes", Key="missing", ObjectAttributes=["ETag"]),
    call(
        "select_object_content",
        Key="text",
        Expression="SELECT * FROM S3Object",
        ExpressionType="SQL",
        InputSerialization={"CSV": {}},
        OutputSerialization={"CSV": {}},
    ),
]

RANGES = [
    call("get_object", Key="text", Range="bytes=0-9"),
    call("get_object", Key="text", Range="bytes=10-"),
    call("get_object", Key="text", Range="bytes=-7"),
    call("get_object", Key="text", Range="bytes=0-999999"),
    call("get_object", Key="text", Range="bytes=999999-"),
    call("get_object", Key="text", Range="nonsense"),
    call("get_object", Key="empty", Range="bytes=0-0"),
    call("head_object", Key="text", Range="bytes=0-9"),
    call("get_object", Key="text", PartNumber=1),
]

CONDITIONS = [
    call("get_object", Key="text", IfMatch="$etag"),
    call("get_object", Key="text", IfMatch='"other"'),
    call("get_object", Key="text", IfNoneMatch="$etag"),
    call("get_object", Key="text", IfNoneMatch='"other"'),
    call("get_object", Key="text", IfModifiedSince="Sat, 01 Jan 2000 00:00:00 GMT"),
    call("get_object", Key="text", IfUnmodifiedSince="Sat, 01 Jan 2000 00:00:00 GMT"),
    call("head_object", Key="text", IfNoneMatch="$etag"),
    call("head_object", Key="text", IfMatch='"other"'),
    call("put_object", Key="text", Body=b"no", IfNoneMatch="*"),
    call("put_object", Key="new", Body=b"yes", IfNoneMatch="*"),
    call("put_object", Key="text", Body=b"no", IfMatch='"other"'),
]

LISTS = [
    call("list_objects_v2"),
    call("list_objects_v2", Prefix="folder/"),
    call("list_objects_v2", Prefix="folder/", Delimiter="/"),
    call("list_objects_v2", Delimiter="/"),
    call("list_objects_v2", StartAfter="folder/grüße"),
    call("list_objects_v2", EncodingType="url", Prefix="folder/a b+"),
    call("list_objects_v2", FetchOwner=True, MaxKeys=1),
    call("list_objects_v2", MaxKeys=2, learn={"token": "NextContinuationToken"}),
    call("list_objects_v2", MaxKeys=2, ContinuationToken="$token"),
    call("list_objects_v2", MaxKeys=0),
    call("list_objects_v2", Prefix="nothing-here"),
    call("list_objects_v2", OptionalObjectAttributes=["RestoreStatus"]),
    call("list_objects_v2", Bucket="missing-bucket-of-nobody"),
    call("list_objects"),
    call("list_objects", Prefix="folder/", Delimiter="/"),
    call("list_objects", Marker="folder/grüße"),
    call("list_objects", MaxKeys=2, Delimiter="/"),
    call("list_objects", EncodingType="url", Prefix="folder/"),
    call("list_objects", Bucket="missing-bucket-of-nobody"),
]

OBJECT_EXTRAS = [
    call("get_object_tagging", Key="text"),
    call("put_object_tagging", Key="text", Tagging={"TagSet": [{"Key": "k", "Value": "v w"}]}),
    call("get_object_tagging", Key="text"),
    call("delete_object_tagging", Key="text"),
    call("get_object_tagging", Key="missing"),
    call("get_object_acl", Key="text"),
    call("put_object_acl", Key="text", ACL="private"),
    call("get_object_acl", Key="missing"),
    call("get_object_retention", Key="text"),
    call("get_object_legal_hold", Key="text"),
    call("restore_object", Key="text", RestoreRequest={"Days": 1}),
    call("copy_object", Key="copy", CopySource={"Bucket": "BUCKET", "Key": "text"}),
    call(
        "copy_object",
        Key="copy-renamed",
        CopySource={"Bucket": "BUCKET", "Key": "folder/a b+c=d%e"},
        MetadataDirective="REPLACE",
        Metadata={"new": "value"},
        ContentType="x/z",
    ),
    call("copy_object", Key="copy", CopySource={"Bucket": "BUCKET", "Key": "missing"}),
    call("head_object", Key="copy"),
    call("head_object", Key="copy-renamed"),
]

MULTIPART = [
    call(
        "create_multipart_upload",
        Key="parts",
        ContentType="x/parts",
        learn={"upload": "UploadId"},
    ),
    call(
        "upload_part",
        Key="parts",
        UploadId="$upload",
        PartNumber=1,
        Body=b"p" * (5 * MIB),
        learn={"one": "ETag"},
    ),
    call(
        "upload_part",
        Key="parts",
        UploadId="$upload",
        PartNumber=2,
        Body=b"last",
        learn={"two": "ETag"},
    ),
    call(
        "upload_part_copy",
        Key="parts",
        UploadId="$upload",
        PartNumber=3,
        CopySource={"Bucket": "BUCKET", "Key": "text"},
        CopySourceRange="bytes=0-9",
    ),
    call("list_parts", Key="parts", UploadId="$upload"),
    call("list_parts", Key="parts", UploadId="$upload", MaxParts=1),
    call("list_multipart_uploads"),
    call("list_multipart_uploads", Prefix="par", Delimiter="/", MaxUploads=1),
    call(
        "complete_multipart_upload",
        Key="parts",
        UploadId="$upload",
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"0"'}]},
    ),
    call(
        "complete_multipart_upload",
        Key="parts",
        UploadId="$upload",
        MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": "$one"}, {"PartNumber": 2, "ETag": "$two"}]
        },
    ),
    call("head_object", Key="parts"),
    call("get_object", Key="parts", Range="bytes=5242878-5242881"),
    call("get_object", Key="parts", PartNumber=2),
    call("create_multipart_upload", Key="aborted", learn={"aborted": "UploadId"}),
    call("abort_multipart_upload", Key="aborted", UploadId="$aborted"),
    # The store does not know it any more; the gateway gave it, and lets it by.
    call("upload_part", Key="aborted", UploadId="$aborted", PartNumber=1, Body=b"x"),
    call("list_parts", Key="aborted", UploadId="$aborted"),
    call("abort_multipart_upload", Key="aborted", UploadId="$aborted"),
]

VERSIONS = [
    call("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"}),
    call("get_bucket_versioning"),
    call("put_object", Key="versioned", Body=b"one", learn={"first": "VersionId"}),
    call("put_object", Key="versioned", Body=b"two", learn={"second": "VersionId"}),
    call("get_object", Key="versioned"),
    call("get_object", Key="versioned", VersionId="$first"),
    call("head_object", Key="versioned", VersionId="$second"),
    call("get_object", Key="versioned", VersionId="unknown"),
    call("delete_object", Key="versioned", learn={"marker": "VersionId"}),
    call("get_object", Key="versioned"),
    call("list_object_versions", Prefix="versioned"),
    call("list_object_versions", Prefix="versioned", MaxKeys=1),
    call("delete_object", Key="versioned", VersionId="$marker"),
    call("delete_object", Key="versioned", VersionId="$first"),
    call("delete_object", Key="versioned", VersionId="$second"),
    call("put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"}),
]

DELETES = [
    call("delete_bucket"),  # refused: it is not empty
    call("delete_object", Key="empty"),
    call("delete_object", Key="never there"),
    call("delete_objects", Delete={"Objects": [{"Key": "text"}, {"Key": "missing"}]}),
    call("delete_objects", Delete={"Objects": [{"Key": "large"}], "Quiet": True}),
    call("get_object", Key="text"),
    call("delete_bucket", Bucket="missing-bucket-of-nobody"),
]

SCRIPT = [
    *BUCKET,
    *OBJECT,
    *RANGES,
    *CONDITIONS,
    *LISTS,
    *OBJECT_EXTRAS,
    *MULTIPART,
    *VERSIONS,
    *DELETES,
]

# What the gateway refuses by itself, before the target could: a name that could become another
# path, and bodies that are not what the client announced. Compared by status and code.
REFUSED_HERE = [
    call("create_bucket"),
    call("create_bucket", Bucket="Not_A_Bucket!"),
    call("put_object", Key="md5", Body=b"text", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA=="),
    call("put_object", Key="crc", Body=b"text", ChecksumCRC32="AAAAAA=="),
    call("upload_part", Key="parts", UploadId="unknown", PartNumber=1, Body=b"x"),
    call("list_parts", Key="parts", UploadId="unknown"),
    call("abort_multipart_upload", Key="parts", UploadId="unknown"),
]
