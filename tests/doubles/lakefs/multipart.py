"""Multipart uploads.

Rules: an upload id belongs to no repository, branch or key: the URL of Complete decides where the
object lands, and Abort looks at the path alone; the stored ETag drops the `-N` that Complete
answers; an unknown id is an InternalError everywhere but in Abort; the block store is done with an
upload before lakeFS looks at the branch, so that a Complete that fails then has consumed its parts.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime

from tests.doubles.lakefs import addressing, copying, metadata
from tests.doubles.lakefs.call import Call, asks_if_absent, check_branch, check_names, refusals
from tests.doubles.lakefs.errors import ReadFault, Refusal
from tests.doubles.lakefs.objects import byte_range, md5, refuse_read_only
from tests.doubles.lakefs.store import Blob, Upload
from tests.doubles.lakefs.wire import Answer
from tests.doubles.lakefs.xml import element, parse

MAX_PART = 10000
MIN_PART_BYTES = 5 << 20  # of an S3 block store, but for the last part


def create(call: Call) -> Answer:
    refuse_read_only(call)
    check_branch(call)
    check_names(call)
    upload_id = uuid.uuid4().hex
    request = call.request
    call.store.uploads[upload_id] = Upload(
        call.repository.name,
        call.ref,
        call.key,
        metadata.content_type(request),
        metadata.read(request),
    )
    return call.xml(
        element(
            "InitiateMultipartUploadResult",
            element("Bucket", call.repository.name),
            element("Key", f"{call.ref}/{call.key}"),
            element("UploadId", upload_id),
        )
    )


def upload_part(call: Call) -> Answer:
    check_branch(call)
    number = call.query.get("partNumber", "")
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", number):
        raise Refusal("InvalidArgument")
    upload = _upload(call)
    is_copy = call.request.has_header("x-amz-copy-source")
    data = _copied(call) if is_copy else call.body()
    if call.blocks.checks_parts and not 1 <= int(number) <= MAX_PART:
        raise Refusal("InternalError")
    with call.store.lock:
        upload.parts[int(number)] = data
    if is_copy:
        return call.xml(copying.result(md5(data), datetime.now(UTC)))
    answer = Answer(200, headers={"ETag": f'"{md5(data)}"'})
    if call.blocks.kind == "s3":
        answer.headers["X-Amz-Server-Side-Encryption"] = "AES256"
    return answer


def _copied(call: Call) -> bytes:
    """The bytes of the source; all of them if the range makes no sense or is beyond the end."""
    try:
        data = copying.source(call).data
    except Refusal:
        raise Refusal("InvalidArgument") from None
    try:
        wanted = byte_range(call.request.header("x-amz-copy-source-range"), len(data))
    except Refusal:
        return data
    return data if wanted is None else data[wanted.start : wanted.stop]


def complete(call: Call) -> Answer:
    refuse_read_only(call)
    upload = _upload(call)
    if_absent = asks_if_absent(call)
    parts = _listed(call, upload)
    upload.is_consumed = True
    data = b"".join(parts)
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        digest.update(bytes.fromhex(md5(part)))
    etag = digest.hexdigest()
    blob = Blob(data, upload.content_type, upload.metadata, etag)
    _link(call, blob, only_if_absent=if_absent)
    call.store.uploads.pop(call.query["uploadId"], None)
    count = f"-{len(parts)}" if call.blocks.counts_parts else ""
    return call.xml(
        element(
            "CompleteMultipartUploadResult",
            element("Location", call.location),
            element("Bucket", call.repository.name),
            element("Key", f"{call.ref}/{call.key}"),
            element("ETag", f'"{etag}{count}"'),
        )
    )


def _link(call: Call, blob: Blob, *, only_if_absent: bool) -> None:
    """As for a put, but a branch that went away since Create is an InternalError."""
    if not addressing.is_branch_name(call.ref) or call.ref not in call.repository.branches:
        raise Refusal("InternalError")
    check_names(call)
    with refusals():
        call.store.write(call.repository, call.ref, call.key, blob, only_if_absent=only_if_absent)


def _listed(call: Call, upload: Upload) -> list[bytes]:
    """The parts that Complete names; the block store decides whether the list is looked at."""
    try:
        root = "CompleteMultipartUpload" if call.blocks.checks_parts else ""
        tree = parse(call.read(), root)
        listed = [
            (int(node.findtext("PartNumber") or ""), (node.findtext("ETag") or "").strip('"'))
            for node in tree.findall("Part")
        ]
    except (ReadFault, ValueError):
        raise Refusal("InternalError") from None
    with call.store.lock:
        parts = dict(upload.parts)
    if not call.blocks.checks_parts:
        return [parts[number] for number in sorted(parts)]
    for number, etag in listed:
        if number not in parts or md5(parts[number]) != etag:
            raise Refusal("InternalError", "InvalidPart")
    chosen = [parts[number] for number, _ in listed]
    if not chosen or any(len(part) < MIN_PART_BYTES for part in chosen[:-1]):
        raise Refusal("InternalError", "EntityTooSmall")
    return chosen


def abort(call: Call) -> Answer:
    upload = call.store.uploads.get(call.query["uploadId"])
    if upload is None or upload.key != call.key:
        raise Refusal("NoSuchKey")
    if upload.is_consumed:
        raise Refusal("InternalError")
    call.store.uploads.pop(call.query["uploadId"], None)
    return Answer(204)


def list_parts(call: Call) -> Answer:
    if not call.blocks.lists_parts:
        raise Refusal("InternalError")
    upload = _upload(call)
    with call.store.lock:
        parts = sorted(upload.parts.items())
    after = int(call.query.get("part-number-marker") or "0")
    limit = int(call.query.get("max-parts") or "1000")
    left = [(number, data) for number, data in parts if number > after]
    shown = left[:limit]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return call.xml(
        element(
            "ListPartsResult",
            element("Bucket", call.repository.name),
            element("Key", f"{call.ref}/{call.key}"),
            element("PartNumberMarker", str(after)),
            element("NextPartNumberMarker", str(shown[-1][0] if shown else 0)),
            element("MaxParts", str(limit)),
            element("IsTruncated", "true" if len(left) > limit else "false"),
            *(_part(number, data, now) for number, data in shown),
        )
    )


def _part(number: int, data: bytes, now: str) -> bytes:
    return element(
        "Part",
        element("PartNumber", str(number)),
        element("LastModified", now),
        element("ETag", md5(data)),
        element("Size", str(len(data))),
    )


def list_uploads(call: Call) -> Answer:
    if not call.blocks.lists_uploads or call.is_asked_for("prefix delimiter encoding-type"):
        raise Refusal("NotImplemented")
    limit = call.query.get("max-uploads") or "1000"
    if not limit.isdecimal():
        raise Refusal("InvalidArgument")
    after = call.query.get("key-marker", "")
    with call.store.lock:
        uploads = sorted(
            (upload_id, upload)
            for upload_id, upload in call.store.uploads.items()
            if _address(upload_id) > after
            and not upload.is_consumed
            and (call.blocks.kind == "mem" or upload.repository == call.repository.name)
        )
    shown = uploads[: int(limit)]
    marker = _address(shown[-1][0]) if shown else ""
    return call.xml(
        element(
            "ListMultipartUploadsResult",
            element("Bucket", call.repository.name),
            element("KeyMarker", after),
            element("NextKeyMarker", marker),
            element("NextUploadIdMarker", shown[-1][0] if shown else ""),
            element("MaxUploads", limit),
            element("IsTruncated", "true" if len(uploads) > len(shown) else "false"),
            *(
                element("Upload", element("Key", upload.key), element("UploadId", upload_id))
                for upload_id, upload in shown
            ),
        )
    )


def _address(upload_id: str) -> str:
    """The physical key: what markers of a listing name."""
    return f"data/{upload_id}"


def _upload(call: Call) -> Upload:
    upload = call.store.uploads.get(call.query["uploadId"])
    if upload is None or upload.is_consumed:
        raise Refusal("InternalError")
    return upload
