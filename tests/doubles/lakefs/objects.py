"""GetObject, HeadObject, PutObject, DeleteObject and what falls through to them.

Rules: a sub-resource is refused only if it is listed here; one that is not, the version of an
object and every condition on a read are not looked at, and the plain operation is done.
"""

from __future__ import annotations

import hashlib
import re
from email.utils import format_datetime

from tests.doubles.lakefs import addressing, metadata, store
from tests.doubles.lakefs.call import (
    Call,
    asks_if_absent,
    check_branch,
    check_names,
    refusals,
    refuse_unsupported,
)
from tests.doubles.lakefs.errors import Bodyless, Refusal
from tests.doubles.lakefs.store import Blob
from tests.doubles.lakefs.wire import Answer
from tests.doubles.lakefs.xml import VERSIONING, element

UNSUPPORTED_GET = "torrent acl retention legal-hold lambdaArn"
UNSUPPORTED_PUT = "torrent acl tagging"
UNSUPPORTED_DELETE = "tagging acl torrent"
REDIRECTED_AGENT = "s3RedirectionSupport"

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")
_BROWSER = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "default-src 'none'",
}


def get(call: Call) -> Answer:
    refuse_unsupported(call, UNSUPPORTED_GET)
    if "versioning" in call.query:
        return call.xml(VERSIONING)
    if "tagging" in call.query:
        return call.xml(element("Tagging", element("TagSet"), namespace=True))
    blob = find(call)
    if REDIRECTED_AGENT in call.request.header("user-agent"):
        return _redirect(call, blob)
    if blob.address in call.store.lost:
        raise Refusal("NoSuchVersion")
    answer = _object(call, blob)
    answer.headers.update(_BROWSER)
    return answer


def head(call: Call) -> Answer:
    blob = find(call)
    try:
        return _object(call, blob)
    except Refusal as refusal:
        raise Bodyless(refusal.status) from None  # the range is beyond the end


def put(call: Call) -> Answer:
    if_absent = check_write(call)
    data = call.body()
    blob = Blob(data, metadata.content_type(call.request), metadata.read(call.request), md5(data))
    with refusals():
        call.store.write(call.repository, call.ref, call.key, blob, only_if_absent=if_absent)
    return Answer(200, headers={"ETag": f'"{blob.etag}"'})


def delete(call: Call) -> Answer:
    refuse_unsupported(call, UNSUPPORTED_DELETE)
    refuse_read_only(call)
    check_names(call)
    with call.store.lock:
        branch = call.repository.branches.get(call.ref)
        if branch:
            with refusals():
                call.repository.writable(call.ref).entries.pop(call.key, None)
    return Answer(204)


def check_write(call: Call) -> bool:
    """What is looked at before the body; whether the object must be absent. Raises Refusal."""
    refuse_read_only(call)
    check_branch(call)
    check_names(call)
    return asks_if_absent(call)


def refuse_read_only(call: Call) -> None:
    if call.repository.is_read_only:
        raise Refusal("ErrReadOnlyRepository")


def find(call: Call) -> Blob:
    """The object that is asked for. Raises Refusal."""
    if not addressing.is_key(call.key):
        raise Refusal("InternalError")
    try:
        return call.store.read(call.repository, call.ref, call.key)
    except store.Missing:
        raise Refusal("NoSuchKey") from None
    except store.BadRef:
        raise Refusal("InternalError") from None


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def byte_range(value: str, length: int) -> range | None:
    """The bytes a Range header asks for; None if it is to be ignored. Raises Refusal."""
    found = _RANGE.match(value)
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first and not length and int(last):
        return range(0)  # lakeFS looks at no end that is before the beginning
    if not first:
        start, stop = max(0, length - int(last)), length
    else:
        start, stop = int(first), min(int(last), length - 1) + 1 if last else length
        if last and int(last) < start:
            return None
    if start >= length:
        raise Refusal("InvalidRange")
    return range(start, stop)


def _object(call: Call, blob: Blob) -> Answer:
    headers = {
        "Last-Modified": format_datetime(blob.modified, usegmt=True),
        "ETag": f'"{blob.etag}"',
        "Content-Type": blob.content_type,
        "Accept-Ranges": "bytes",
        "Content-Length": str(len(blob.data)),
        **metadata.headers(blob.metadata),
    }
    wanted = byte_range(call.request.header("range"), len(blob.data))
    if wanted is None:
        return Answer(200, blob.data, headers)
    headers["Content-Length"] = str(len(wanted))
    headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(blob.data)}"
    return Answer(206, blob.data[wanted.start : wanted.stop], headers)


def _redirect(call: Call, blob: Blob) -> Answer:
    if not call.blocks.presigns:
        raise Refusal("InternalError")
    url = f"http://block-store.invalid/{blob.address}?X-Amz-Signature=presigned"
    return Answer(307, headers={"Location": url})
