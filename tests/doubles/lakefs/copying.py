"""CopyObject, and the source of a copied part.

Rules: the copy source is query-unescaped as a whole, so a raw `+` is a space and `?versionId=` is
part of the key; one that does not unescape is taken as it is; the content type is always the
source's; conditions are not looked at.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import unquote_plus

from tests.doubles.lakefs import addressing, metadata, store
from tests.doubles.lakefs.call import Call, check_branch, in_milliseconds
from tests.doubles.lakefs.errors import Refusal
from tests.doubles.lakefs.objects import refuse_read_only
from tests.doubles.lakefs.store import Blob
from tests.doubles.lakefs.wire import Answer
from tests.doubles.lakefs.xml import element


def copy(call: Call) -> Answer:
    refuse_read_only(call)
    check_branch(call)
    blob = source(call)
    if call.request.header("x-amz-metadata-directive") == "REPLACE":
        blob = replace(blob, metadata=metadata.read(call.request))
    made = replace(blob, modified=datetime.now(UTC), address=uuid.uuid4().hex)
    if not addressing.is_key(call.key):
        raise _invalid_value()
    try:
        call.store.write(call.repository, call.ref, call.key, made, only_if_absent=False)
    except store.Protected:
        raise Refusal("InvalidRequest", "cannot write to protected branch") from None
    return call.xml(result(made.etag, made.modified))


def result(etag: str, modified: datetime) -> bytes:
    """Of a copied part as well: lakeFS has no CopyPartResult."""
    return element(
        "CopyObjectResult",
        element("LastModified", in_milliseconds(modified)),
        element("ETag", f'"{etag}"'),
    )


def source(call: Call) -> Blob:
    """The object to copy. Raises Refusal InvalidArgument, NoSuchKey, InvalidRequest."""
    value = call.request.header("x-amz-copy-source")
    if not re.search(r"%(?![0-9a-fA-F]{2})", value):
        value = unquote_plus(value, errors="surrogateescape")
    parts = value.lstrip("/").split("/", 2)
    if len(parts) != 3:
        raise Refusal("InvalidArgument")
    name, ref, key = parts
    if not (addressing.is_repository_name(name) and ref and addressing.is_key(key)):
        raise _invalid_value()
    repository = call.store.repositories.get(name)
    try:
        if repository is None:
            raise store.Missing(name)
        return call.store.read(repository, ref, key)
    except store.Missing:
        raise Refusal("NoSuchKey") from None
    except store.BadRef:
        raise Refusal("InvalidRequest", "bad reference") from None


def _invalid_value() -> Refusal:
    return Refusal("InvalidRequest", "validation error: invalid value")
