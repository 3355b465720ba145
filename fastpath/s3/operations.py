"""Classifies a request as one of a closed list of S3 operations.

Rules: only the level (service, bucket, object), the method, the one sub-resource in the query and a
refining parameter or header decide. Names in the query are compared decoded and by exact case; a
name that is in no table makes the request `Unclassified`, of class admin, because a target may know
a sub-resource that this gateway does not. What AWS refuses before it checks credentials is refused
here with AWS's error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fastpath.errors import (
    BAD_REQUEST,
    INVALID_ARGUMENT,
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    S3Error,
)
from fastpath.s3.addressing import Address

ACTIONS = frozenset(("read", "write", "list", "delete", "admin"))
METHODS = frozenset((b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"OPTIONS"))
# Methods whose requests have a body in S3, except for these operations (botocore's model).
BODY_METHODS = frozenset((b"PUT", b"POST"))
_BODILESS = frozenset(("CopyObject", "CreateMultipartUpload", "RenameObject", "UploadPartCopy"))


@dataclass(slots=True, eq=False)
class Operation:
    """One S3 operation; compared by identity, there is one object for each."""

    name: str
    action: str  # read, write, list, delete or admin
    method: str  # the HTTP method that rules match it by; a DeleteObjects is a DELETE
    routed_as: Operation = field(init=False, repr=False)
    is_translated: bool = field(init=False, repr=False, default=False)  # for every target
    has_upload_ids: bool = field(init=False, repr=False, default=False)  # asked for, or answered
    needs_more: bool = field(init=False, repr=False, default=False)  # than its bucket, to be routed

    def __post_init__(self) -> None:
        self.routed_as = self


# name, class, and its requests: method, level, sub-resource ("-": none), refinement if any.
# Classes: objects are read, written, listed, deleted; what changes who may do what, or how a bucket
# behaves, and every setting of a bucket that clients need not know, is admin.
_TABLE = """
ListBuckets                       list    GET     service -
ListObjects                       list    GET     bucket  -
ListObjectsV2                     list    GET     bucket  -                     list-type=2
ListObjectVersions                list    GET     bucket  versions
ListMultipartUploads              list    GET     bucket  uploads
HeadBucket                        read    HEAD    bucket  -
GetBucketLocation                 read    GET     bucket  location
GetBucketVersioning               read    GET     bucket  versioning
CreateBucket                      admin   PUT     bucket  -
DeleteBucket                      admin   DELETE  bucket  -
PostObject                        write   POST    bucket  -
DeleteObjects                     delete  POST    bucket  delete
CreateSession                     admin   GET     bucket  session

GetObject                         read    GET     object  -
HeadObject                        read    HEAD    object  -
GetObjectAcl                      read    GET     object  acl
GetObjectAttributes               read    GET     object  attributes
GetObjectLegalHold                read    GET     object  legal-hold
GetObjectRetention                read    GET     object  retention
GetObjectTagging                  read    GET     object  tagging
GetObjectTorrent                  read    GET     object  torrent
ListObjectAnnotations             list    GET     object  annotation
GetObjectAnnotation               read    GET     object  annotation            annotationName
SelectObjectContent               read    POST    object  select
PutObject                         write   PUT     object  -
CopyObject                        write   PUT     object  -                     x-amz-copy-source
PutObjectTagging                  write   PUT     object  tagging
DeleteObjectTagging               write   DELETE  object  tagging
PutObjectAnnotation               write   PUT     object  annotation
DeleteObjectAnnotation            write   DELETE  object  annotation
RenameObject                      write   PUT     object  renameObject
RestoreObject                     write   POST    object  restore
DeleteObject                      delete  DELETE  object  -
PutObjectAcl                      admin   PUT     object  acl
PutObjectLegalHold                admin   PUT     object  legal-hold
PutObjectRetention                admin   PUT     object  retention
UpdateObjectEncryption            admin   PUT     object  encryption

CreateMultipartUpload             write   POST    object  uploads
UploadPartCopy                    write   PUT     object  uploadId  partNumber+x-amz-copy-source
UploadPart                        write   PUT     object  uploadId              partNumber
CompleteMultipartUpload           write   POST    object  uploadId
AbortMultipartUpload              write   DELETE  object  uploadId
ListParts                         write   GET     object  uploadId

GetBucketAbac                     admin   GET     bucket  abac
PutBucketAbac                     admin   PUT     bucket  abac
GetBucketAccelerateConfiguration  admin   GET     bucket  accelerate
PutBucketAccelerateConfiguration  admin   PUT     bucket  accelerate
GetBucketAcl                      admin   GET     bucket  acl
PutBucketAcl                      admin   PUT     bucket  acl
GetBucketCors                     admin   GET     bucket  cors
PutBucketCors                     admin   PUT     bucket  cors
DeleteBucketCors                  admin   DELETE  bucket  cors
GetBucketEncryption               admin   GET     bucket  encryption
PutBucketEncryption               admin   PUT     bucket  encryption
DeleteBucketEncryption            admin   DELETE  bucket  encryption
GetBucketLifecycleConfiguration   admin   GET     bucket  lifecycle
PutBucketLifecycleConfiguration   admin   PUT     bucket  lifecycle
DeleteBucketLifecycle             admin   DELETE  bucket  lifecycle
GetBucketLogging                  admin   GET     bucket  logging
PutBucketLogging                  admin   PUT     bucket  logging
GetBucketNotificationConfiguration admin  GET     bucket  notification
PutBucketNotificationConfiguration admin  PUT     bucket  notification
GetObjectLockConfiguration        admin   GET     bucket  object-lock
PutObjectLockConfiguration        admin   PUT     bucket  object-lock
GetBucketOwnershipControls        admin   GET     bucket  ownershipControls
PutBucketOwnershipControls        admin   PUT     bucket  ownershipControls
DeleteBucketOwnershipControls     admin   DELETE  bucket  ownershipControls
GetBucketPolicy                   admin   GET     bucket  policy
PutBucketPolicy                   admin   PUT     bucket  policy
DeleteBucketPolicy                admin   DELETE  bucket  policy
GetBucketPolicyStatus             admin   GET     bucket  policyStatus
GetPublicAccessBlock              admin   GET     bucket  publicAccessBlock
PutPublicAccessBlock              admin   PUT     bucket  publicAccessBlock
DeletePublicAccessBlock           admin   DELETE  bucket  publicAccessBlock
GetBucketReplication              admin   GET     bucket  replication
PutBucketReplication              admin   PUT     bucket  replication
DeleteBucketReplication           admin   DELETE  bucket  replication
GetBucketRequestPayment           admin   GET     bucket  requestPayment
PutBucketRequestPayment           admin   PUT     bucket  requestPayment
GetBucketTagging                  admin   GET     bucket  tagging
PutBucketTagging                  admin   PUT     bucket  tagging
DeleteBucketTagging               admin   DELETE  bucket  tagging
PutBucketVersioning               admin   PUT     bucket  versioning
GetBucketWebsite                  admin   GET     bucket  website
PutBucketWebsite                  admin   PUT     bucket  website
DeleteBucketWebsite               admin   DELETE  bucket  website

ListBucketAnalyticsConfigurations admin   GET     bucket  analytics
GetBucketAnalyticsConfiguration   admin   GET     bucket  analytics             id
PutBucketAnalyticsConfiguration   admin   PUT     bucket  analytics
DeleteBucketAnalyticsConfiguration admin  DELETE  bucket  analytics
ListBucketIntelligentTieringConfigurations admin GET bucket intelligent-tiering
GetBucketIntelligentTieringConfiguration admin GET bucket intelligent-tiering   id
PutBucketIntelligentTieringConfiguration admin PUT bucket intelligent-tiering
DeleteBucketIntelligentTieringConfiguration admin DELETE bucket intelligent-tiering
ListBucketInventoryConfigurations admin   GET     bucket  inventory
GetBucketInventoryConfiguration   admin   GET     bucket  inventory             id
PutBucketInventoryConfiguration   admin   PUT     bucket  inventory
DeleteBucketInventoryConfiguration admin  DELETE  bucket  inventory
ListBucketMetricsConfigurations   admin   GET     bucket  metrics
GetBucketMetricsConfiguration     admin   GET     bucket  metrics               id
PutBucketMetricsConfiguration     admin   PUT     bucket  metrics
DeleteBucketMetricsConfiguration  admin   DELETE  bucket  metrics

CreateBucketMetadataConfiguration admin   POST    bucket  metadataConfiguration
GetBucketMetadataConfiguration    admin   GET     bucket  metadataConfiguration
DeleteBucketMetadataConfiguration admin   DELETE  bucket  metadataConfiguration
CreateBucketMetadataTableConfiguration admin POST bucket  metadataTable
GetBucketMetadataTableConfiguration admin GET     bucket  metadataTable
DeleteBucketMetadataTableConfiguration admin DELETE bucket metadataTable
UpdateBucketMetadataAnnotationTableConfiguration admin PUT bucket metadataAnnotationTable
UpdateBucketMetadataInventoryTableConfiguration admin PUT bucket metadataInventoryTable
UpdateBucketMetadataJournalTableConfiguration admin PUT bucket metadataJournalTable

WriteGetObjectResponse            admin   POST    bucket  -                     x-amz-request-route
"""

# The same requests on the wire under an older or a sibling name.
ALIASES = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}

_MULTIPART = (
    "UploadPart",
    "UploadPartCopy",
    "CompleteMultipartUpload",
    "AbortMultipartUpload",
    "ListParts",
    "ListMultipartUploads",
)

# Operations that are translated for every target: responses that hold an address
# (`dialects.location`), batches with keys that must not be sent.
_TRANSLATED = ("CompleteMultipartUpload", "CreateBucket", "DeleteObjects")

# Operations that rules match by another method than their own.
_MATCHED_BY = {"DeleteObjects": "DELETE", "SelectObjectContent": "GET"}

# Parameters that change how an operation is done, not which one it is. X-Amz-* and other x-*
# parameters are never sub-resources (AWS documents x-* as ignored, for access logs).
_NEUTRAL = frozenset(
    b"AWSAccessKeyId Expires Signature annotation-prefix bucket-region continuation-token "
    b"delimiter encoding-type fetch-owner key-marker list-type marker max-annotation-results "
    b"max-buckets max-directory-buckets max-keys "
    b"max-parts max-uploads part-number-marker prefix response-cache-control "
    b"response-content-disposition response-content-encoding response-content-language "
    b"response-content-type response-expires select-type start-after upload-id-marker "
    b"version-id-marker versionId partNumber id annotationName "
    b"X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires X-Amz-Security-Token "
    b"X-Amz-Signature X-Amz-SignedHeaders x-id "
    b"content-md5 content-type".split()  # botocore repeats the headers that SigV2 signs
)

_SOURCES = (b"x-amz-copy-source", b"x-amz-rename-source")
_SERVICE, _BUCKET, _OBJECT, _NONE = b"service", b"bucket", b"object", b"-"

_Key = tuple[bytes, bytes, bytes]  # level, method, sub-resource
_Refinement = tuple[tuple[bytes, ...], Operation]  # all of these are there -> it is this one
_Query = Sequence[tuple[bytes, bytes]]

OPERATIONS: dict[str, Operation] = {}
_PLAIN: dict[_Key, Operation] = {}
_REFINED: dict[_Key, list[_Refinement]] = {}
_SHAPES: dict[str, tuple[_Key, tuple[bytes, ...]]] = {}  # by name: how requests of it look
_SUB_RESOURCES: dict[bytes, set[bytes]] = {}  # name -> levels where it exists
_WORDS: dict[str, frozenset[str]] = {}  # what rules may say -> operation names


def _build() -> None:
    for line in filter(None, _TABLE.split("\n")):
        name, action, method, level, sub, *refinement = line.split()
        operation = Operation(name, action, _MATCHED_BY.get(name, method))
        OPERATIONS[name] = operation
        key = (level.encode(), method.encode(), sub.encode())
        needed: tuple[bytes, ...] = ()
        if refinement:
            needed = tuple(refinement[0].encode().split(b"+"))
            _REFINED.setdefault(key, []).append((needed, operation))
        else:
            _PLAIN[key] = operation
        _SHAPES[name] = key, needed
        if key[2] != _NONE:
            _SUB_RESOURCES.setdefault(key[2], set()).add(key[0])
    for name in _MULTIPART:
        OPERATIONS[name].routed_as = OPERATIONS["CreateMultipartUpload"]
    for name in ("CreateMultipartUpload", *_MULTIPART):
        OPERATIONS[name].has_upload_ids = OPERATIONS[name].needs_more = True
    OPERATIONS["ListBuckets"].needs_more = True  # all targets
    for name in _TRANSLATED:
        OPERATIONS[name].is_translated = True
    OPERATIONS["Preflight"] = Operation("Preflight", "read", "OPTIONS")
    OPERATIONS["Unclassified"] = Operation("Unclassified", "admin", "")
    for operation in tuple(OPERATIONS.values()):
        for word in (operation.name, operation.action, operation.method):
            _WORDS[word] = _WORDS.get(word, frozenset()) | {operation.name}
    del _WORDS[""]
    for alias, name in ALIASES.items():
        OPERATIONS[alias] = OPERATIONS[name]
        _WORDS[alias] = _WORDS[name]


_build()
_UNCLASSIFIED = OPERATIONS["Unclassified"]
_PREFLIGHT = OPERATIONS["Preflight"]


class MethodNotAllowed(S3Error):
    """405 MethodNotAllowed; `allow` is the value of the response's Allow header."""

    __slots__ = ("allow",)

    def __init__(self, method: bytes, resource: str, allow: str) -> None:
        super().__init__(
            METHOD_NOT_ALLOWED, ("Method", method.decode()), ("ResourceType", resource)
        )
        self.allow = allow


def expand(word: str) -> frozenset[str]:
    """Return the operations that a rule's word means: an HTTP method, an operation or a class.

    Raises KeyError for any other word.
    """
    return _WORDS[word]


def classify(
    method: bytes, address: Address, query: _Query, fields: Mapping[bytes, bytes]
) -> Operation:
    """Return the operation of a request; `query` are its decoded pairs.

    Raises S3Error: BadRequest for a method S3 does not have, InvalidArgument for two sub-resources,
    InvalidRequest and MethodNotAllowed for what the resource does not offer.
    """
    level = _OBJECT if address.key else _BUCKET if address.bucket else _SERVICE
    sub: bytes | None = _sub_resource(query) if query else _NONE
    if sub is not None:
        key = (level, method, sub)
        for needed, operation in _REFINED.get(key, ()):
            if _matches(needed, query, fields):
                return operation
        found = _PLAIN.get(key)
        if found is not None:
            if query and method == b"PUT" and level is _OBJECT:
                _refuse_lone_part_number(query)
            return found
    return _classify_rest(method, level, sub, fields)


def request_shape(operation: Operation) -> tuple[_Key, tuple[bytes, ...]]:
    """Return level, method and sub-resource of an operation's requests, and what refines them.

    Raises KeyError for an operation that is not in the table.
    """
    return _SHAPES[operation.name]


def is_ignored_parameter(name: bytes) -> bool:
    """Whether a parameter does not affect which operation a request is.

    A copy source in the query is not one of them: nobody would check it.
    """
    if name in _NEUTRAL:
        return True
    return name[:2] in (b"x-", b"X-") and not name.lower().startswith(_SOURCES)


def _sub_resource(query: _Query) -> bytes | None:
    """Return the one sub-resource in the query, b"-" without one, None for an unknown name.

    Raises S3Error when there are two (aws-auth-errors 4.41).
    """
    sub = _NONE
    unknown = False
    for name, _ in query:
        if name in _NEUTRAL:
            continue
        if name in _SUB_RESOURCES:
            if sub is _NONE:
                sub = name
            elif sub != name:
                raise _conflict(query)
        elif not is_ignored_parameter(name):
            unknown = True
    return None if unknown else sub


def _conflict(query: _Query) -> S3Error:
    names = sorted({name.decode() for name, _ in query if name in _SUB_RESOURCES})
    return S3Error(
        INVALID_ARGUMENT,
        ("ArgumentName", "ResourceType"),
        ("ArgumentValue", names[0]),
        message=f"Conflicting query string parameters: {', '.join(names)}",
    )


def has_request_body(operation: Operation, method: bytes) -> bool:
    """Whether S3 reads the body of such a request; a target may not read any other."""
    return method in BODY_METHODS and operation.name not in _BODILESS


def _matches(needed: tuple[bytes, ...], query: _Query, fields: Mapping[bytes, bytes]) -> bool:
    """Whether a request has every header (`x-...`), `name` and `name=value` of a refinement."""
    for word in needed:
        if word.startswith(b"x-"):
            if word not in fields:
                return False
            continue
        name, equals, value = word.partition(b"=")
        # Of a repeated parameter AWS takes the first (aws-auth-errors 2.23).
        first = next((have for known, have in query if known == name), None)
        if first is None or (equals and first != value):
            return False
    return True


def _refuse_lone_part_number(query: _Query) -> None:
    """Refuse a PutObject with a part number but no upload (aws-auth-errors 4.27)."""
    if any(name == b"partNumber" for name, _ in query):
        raise S3Error(
            INVALID_ARGUMENT, message="This operation does not accept partNumber without uploadId"
        )


def _classify_rest(
    method: bytes, level: bytes, sub: bytes | None, fields: Mapping[bytes, bytes]
) -> Operation:
    """Classify what is not in the tables: preflights, unknown sub-resources; or refuse it."""
    if method not in METHODS:
        raise S3Error(BAD_REQUEST)  # aws-auth-errors 4.43
    if method == b"OPTIONS":
        if b"origin" not in fields:  # aws-auth-errors 4.44
            raise S3Error(
                BAD_REQUEST, message="Insufficient information. Origin request header needed."
            )
        return _PREFLIGHT
    if sub is None:
        return _UNCLASSIFIED
    if level is _OBJECT and sub != _NONE and _OBJECT not in _SUB_RESOURCES[sub]:
        # aws-auth-errors 4.42
        name = sub.decode()
        raise S3Error(
            INVALID_REQUEST, message=f"There is no such thing as the ?{name} sub-resource for a key"
        )
    if (method, level, sub) == (b"GET", _OBJECT, b"uploads"):
        raise S3Error(
            INVALID_REQUEST,
            message="Key is not expected for the GET method ?uploads subresource",
        )
    allow = {
        known.decode()
        for at, known, name in (*_PLAIN, *_REFINED)
        if (at, name) == (level, sub) and known != method
    }
    raise MethodNotAllowed(method, _resource_type(level, sub), ", ".join(sorted(allow)))


def _resource_type(level: bytes, sub: bytes) -> str:
    """Return AWS's name of the resource in a 405 (aws-auth-errors 4.40 lists those seen)."""
    if sub == _NONE:
        return level.decode().upper()
    if sub == b"uploadId":
        return "UPLOAD"
    if sub == b"tagging" and level is _OBJECT:
        return "OBJECT_TAGGING"
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", sub.decode()).upper().replace("-", "_")
