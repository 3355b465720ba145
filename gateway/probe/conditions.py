"""Which conditions and other headers does the target ignore, so that it carries out a request
that it must not?

Rules: a trial is a request that must not be carried out: its condition does not hold, or what it
asks for is not there. Ignored conditions of reads are only reported: a complete answer instead of
304 or 412 is no reason to refuse every read.
"""

from __future__ import annotations

from urllib.parse import quote

from gateway.probe.findings import Findings
from gateway.probe.store import Answer, Store

_NO_ETAG = '"00000000000000000000000000000000"'
_NO_VERSION = "00000000000000000000000000000001"
_LONG_AGO = "Mon, 01 Jan 2001 00:00:00 GMT"
_SOURCE = "x-amz-copy-source"

_ON_WRITE = {"if-none-match": "*", "if-match": _NO_ETAG}
_ON_DELETE = {
    "if-match": _NO_ETAG,
    "x-amz-if-match-last-modified-time": _LONG_AGO,
    "x-amz-if-match-size": "1",
}
_VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def try_conditions(store: Store, findings: Findings) -> None:
    """Fills in which conditions of writes, deletes and copies the target ignores."""
    for name, value in {**_ON_WRITE, "x-amz-write-offset-bytes": "3"}.items():
        _look(store, findings, "PutObject", name, value)
    for name, value in _ON_WRITE.items():
        _look(store, findings, "CompleteMultipartUpload", name, value)
    for name, value in _ON_DELETE.items():
        _look(store, findings, "DeleteObject", name, value)
    _try_copies(store, findings)
    _tell_of_reads(store, findings)


def _look(store: Store, findings: Findings, operation: str, name: str, value: str) -> None:
    """Tries whether an object changes although the request says that it must not."""
    key, body = store.an_object("condition")
    answer = _DO[operation](store, key, {name: value})
    ignored = store.stored(key) != body
    findings.overlook(operation, name, ignored, f"{answer.code}, and it was done")


def _put(store: Store, key: str, headers: dict[str, str]) -> Answer:
    return store.put(key, b"other", headers)


def _delete(store: Store, key: str, headers: dict[str, str]) -> Answer:
    return store.ask("DELETE", key, headers=headers)


def _complete(store: Store, key: str, headers: dict[str, str]) -> Answer:
    upload = store.begin_upload(key)
    query = f"partNumber=1&uploadId={quote(upload, safe='')}"
    part = store.ask("PUT", key, query, body=b"other")
    return store.complete_upload(key, upload, part.headers.get("etag", ""), headers)


_DO = {"PutObject": _put, "DeleteObject": _delete, "CompleteMultipartUpload": _complete}


def _try_copies(store: Store, findings: Findings) -> None:
    key, _ = store.an_object("source")
    source = quote(f"/{store.bucket}/{key}")
    etag = store.ask("HEAD", key).headers.get("etag", "")
    recently = store.ask("HEAD", key).headers.get("last-modified", "")
    conditions = {
        "if-match": _NO_ETAG,
        "if-none-match": etag,
        "if-modified-since": recently,
        "if-unmodified-since": _LONG_AGO,
    }
    for operation, copy in {"CopyObject": _copy, "UploadPartCopy": _copy_part}.items():
        if not copy(store, {_SOURCE: source}).good:
            findings.say(f"overlooks: {operation}: not tried, a plain one is refused")
            continue
        for name, value in conditions.items():
            header = f"{_SOURCE}-{name}"
            answer = copy(store, {_SOURCE: source, header: value})
            findings.overlook(operation, header, answer.good, f"{answer.code}, and it was done")


def _copy(store: Store, headers: dict[str, str]) -> Answer:
    return store.ask("PUT", store.new_key("copy"), headers=headers)


def _copy_part(store: Store, headers: dict[str, str]) -> Answer:
    key = store.new_key("copied-part")
    upload = store.begin_upload(key)
    return store.ask("PUT", key, f"partNumber=1&uploadId={quote(upload, safe='')}", headers)


def _tell_of_reads(store: Store, findings: Findings) -> None:
    key, _ = store.an_object("read")
    etag = store.ask("HEAD", key).headers.get("etag", "")
    for name, value, wanted in (("if-none-match", etag, 304), ("if-match", _NO_ETAG, 412)):
        status = store.ask("GET", key, headers={name: value}).status
        if status != wanted:
            findings.say(f"note: GetObject: {name} answers {status} instead of {wanted}")


def try_versions(bucket: Store, findings: Findings) -> None:
    """Tries whether the target reads the version, in an empty bucket of the probe's own."""
    bucket.ask("PUT", query="versioning=", body=_VERSIONING)
    key, first = bucket.an_object("versions", b"first")
    version = bucket.ask("HEAD", key).headers.get("x-amz-version-id", "")
    bucket.put(key, b"second")
    kept = version and bucket.ask("GET", key, f"versionId={quote(version, safe='')}").body == first
    findings.say(f"note: buckets {'can' if kept else 'cannot'} keep versions")
    query = f"versionId={_NO_VERSION}"
    for method, operation in (("GET", "GetObject"), ("HEAD", "HeadObject")):
        answer = bucket.ask(method, key, query)
        how = f"{answer.code} for a version that is not there"
        findings.overlook(operation, "versionId", answer.good, how)
    bucket.ask("DELETE", key, query)
    gone = bucket.stored(key) is None
    how = "the object was deleted for a version that is not there"
    findings.overlook("DeleteObject", "versionId", gone, how)
