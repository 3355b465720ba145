"""Which sub-resources are unknown to the target, which then acts on the object or bucket itself?

Rules: the documents sent are not valid in S3, so that a target that knows the sub-resource refuses
them and sets nothing; objects are the probe's own; settings of a bucket are written and deleted
only in buckets of random names: a mistaken PUT creates such a bucket, a mistaken DELETE deletes it.
"""

from __future__ import annotations

from gateway.probe.findings import Findings
from gateway.probe.store import Answer, Store

# operation, method, query; a test checks how each is classified.
_OBJECT = """
GetObjectAcl                GET     acl
GetObjectAnnotation         GET     annotation&annotationName=a
GetObjectAttributes         GET     attributes
GetObjectLegalHold          GET     legal-hold
GetObjectRetention          GET     retention
GetObjectTagging            GET     tagging
GetObjectTorrent            GET     torrent
ListObjectAnnotations       GET     annotation
PutObjectAcl                PUT     acl
PutObjectAnnotation         PUT     annotation&annotationName=a
PutObjectLegalHold          PUT     legal-hold
PutObjectRetention          PUT     retention
PutObjectTagging            PUT     tagging
RenameObject                PUT     renameObject
UpdateObjectEncryption      PUT     encryption
DeleteObjectAnnotation      DELETE  annotation&annotationName=a
DeleteObjectTagging         DELETE  tagging
RestoreObject               POST    restore
SelectObjectContent         POST    select&select-type=2
"""
_BUCKET = """
GetBucketAbac                                    GET     abac
GetBucketAccelerateConfiguration                 GET     accelerate
GetBucketAcl                                     GET     acl
GetBucketAnalyticsConfiguration                  GET     analytics&id=a
GetBucketCors                                    GET     cors
GetBucketEncryption                              GET     encryption
GetBucketIntelligentTieringConfiguration         GET     intelligent-tiering&id=a
GetBucketInventoryConfiguration                  GET     inventory&id=a
GetBucketLifecycleConfiguration                  GET     lifecycle
GetBucketLogging                                 GET     logging
GetBucketMetadataConfiguration                   GET     metadataConfiguration
GetBucketMetadataTableConfiguration              GET     metadataTable
GetBucketMetricsConfiguration                    GET     metrics&id=a
GetBucketNotificationConfiguration               GET     notification
GetBucketOwnershipControls                       GET     ownershipControls
GetBucketPolicy                                  GET     policy
GetBucketPolicyStatus                            GET     policyStatus
GetBucketReplication                             GET     replication
GetBucketRequestPayment                          GET     requestPayment
GetBucketTagging                                 GET     tagging
GetBucketWebsite                                 GET     website
GetObjectLockConfiguration                       GET     object-lock
GetPublicAccessBlock                             GET     publicAccessBlock
ListBucketAnalyticsConfigurations                GET     analytics
ListBucketIntelligentTieringConfigurations       GET     intelligent-tiering
ListBucketInventoryConfigurations                GET     inventory
ListBucketMetricsConfigurations                  GET     metrics
PutBucketAbac                                    PUT     abac
PutBucketAccelerateConfiguration                 PUT     accelerate
PutBucketAcl                                     PUT     acl
PutBucketAnalyticsConfiguration                  PUT     analytics&id=a
PutBucketCors                                    PUT     cors
PutBucketEncryption                              PUT     encryption
PutBucketIntelligentTieringConfiguration         PUT     intelligent-tiering&id=a
PutBucketInventoryConfiguration                  PUT     inventory&id=a
PutBucketLifecycleConfiguration                  PUT     lifecycle
PutBucketLogging                                 PUT     logging
PutBucketMetricsConfiguration                    PUT     metrics&id=a
PutBucketNotificationConfiguration               PUT     notification
PutBucketOwnershipControls                       PUT     ownershipControls
PutBucketPolicy                                  PUT     policy
PutBucketReplication                             PUT     replication
PutBucketRequestPayment                          PUT     requestPayment
PutBucketTagging                                 PUT     tagging
PutBucketVersioning                              PUT     versioning
PutBucketWebsite                                 PUT     website
PutObjectLockConfiguration                       PUT     object-lock
PutPublicAccessBlock                             PUT     publicAccessBlock
UpdateBucketMetadataAnnotationTableConfiguration PUT     metadataAnnotationTable
UpdateBucketMetadataInventoryTableConfiguration  PUT     metadataInventoryTable
UpdateBucketMetadataJournalTableConfiguration    PUT     metadataJournalTable
DeleteBucketAnalyticsConfiguration               DELETE  analytics&id=a
DeleteBucketCors                                 DELETE  cors
DeleteBucketEncryption                           DELETE  encryption
DeleteBucketIntelligentTieringConfiguration      DELETE  intelligent-tiering&id=a
DeleteBucketInventoryConfiguration               DELETE  inventory&id=a
DeleteBucketLifecycle                            DELETE  lifecycle
DeleteBucketMetadataConfiguration                DELETE  metadataConfiguration
DeleteBucketMetadataTableConfiguration           DELETE  metadataTable
DeleteBucketMetricsConfiguration                 DELETE  metrics&id=a
DeleteBucketOwnershipControls                    DELETE  ownershipControls
DeleteBucketPolicy                               DELETE  policy
DeleteBucketReplication                          DELETE  replication
DeleteBucketTagging                              DELETE  tagging
DeleteBucketWebsite                              DELETE  website
DeletePublicAccessBlock                          DELETE  publicAccessBlock
"""
_NO_DOCUMENT = b"<Probe/>"


def rows(table: str) -> list[tuple[str, str, str]]:
    """Operation, method and query of each line."""
    return [
        (name, method, query) for name, method, query in map(str.split, table.split("\n")[1:-1])
    ]


OBJECT_ROWS = rows(_OBJECT)
BUCKET_ROWS = rows(_BUCKET)


def try_object_subresources(store: Store, findings: Findings) -> None:
    """Fill in what is lacking for objects."""
    for operation, method, query in OBJECT_ROWS:
        key, body = store.an_object("sub-resource")
        answer = store.ask(method, key, query, body=_document(method))
        if method == "GET":
            found, how = answer.good and answer.body == body, "the object itself was answered"
        else:
            found, how = store.stored(key) != body, "the object itself was changed"
        findings.lack(operation, found, f"{answer.code}, {how}")


def try_bucket_reads(store: Store, findings: Findings) -> None:
    """Fill in which settings of a bucket are answered with a list of its keys."""
    for operation, method, query in BUCKET_ROWS:
        if method == "GET":
            answer = store.ask("GET", query=query)
            findings.lack(operation, _is_list(answer), f"{answer.code}, a list of keys")


def _is_list(answer: Answer) -> bool:
    return b"<ListBucketResult" in answer.body[:200]


def try_bucket_writes(bucket: Store, findings: Findings) -> None:
    """Fill in what is lacking for buckets; `bucket` is empty, of the probe's own, and may go."""
    for operation, method, query in BUCKET_ROWS:
        if method == "PUT":
            other = bucket.another()
            answer = other.ask("PUT", query=query, body=_NO_DOCUMENT)
            made = other.exists()
            if made:
                other.ask("DELETE")
            findings.lack(operation, made, f"{answer.code}, a bucket was created")
        elif method == "DELETE":
            answer = bucket.ask("DELETE", query=query)
            gone = not bucket.exists()
            if gone:
                bucket.create()
            findings.lack(operation, gone, f"{answer.code}, the bucket was deleted")


def _document(method: str) -> bytes:
    return _NO_DOCUMENT if method in ("PUT", "POST") else b""
