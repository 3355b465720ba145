"""What every request to lakeFS has in common: what of it crosses, and what an error of it means.

Rules: a parameter that the operation has goes up, once, decoded and encoded anew, because lakeFS
signs only the first of a name and drops one with a `;`; any other stays behind. So do header lines
that lakeFS would trust (who the client is) or obey (a redirect to its block store), and what asks a
proxy before it for a coding of documents that are read here. Lines of one name become one, because
lakeFS signs only the first.

Not here: the operations (`reads`, `writes`, `buckets`, `lists`, `uploads`, `deletes`).
"""

from __future__ import annotations

from collections import Counter
from urllib.parse import quote_from_bytes

from fastpath.dialects.lakefs.faults import FaultAnswer
from fastpath.dialects.lakefs.metadata import strange_lines
from fastpath.dialects.translation import Answer, Asked, Fields, Translation
from fastpath.http.head import ResponseHead

# Parameters that lakeFS reads, by operation; those of lists are in `list_requests`.
_PARAMETERS: dict[str, tuple[bytes, ...]] = {
    "AbortMultipartUpload": (b"uploadId",),
    "CompleteMultipartUpload": (b"uploadId",),
    "CreateMultipartUpload": (b"uploads",),
    "DeleteObjects": (b"delete",),
    "GetBucketLocation": (b"location",),
    "GetBucketVersioning": (b"versioning",),
    "GetObjectTagging": (b"tagging",),
    "ListMultipartUploads": (b"uploads", b"max-uploads", b"key-marker", b"upload-id-marker"),
    "UploadPart": (b"partNumber", b"uploadId"),
    "UploadPartCopy": (b"partNumber", b"uploadId"),
}

# lakeFS's policies take the client's address from the first, proxies before it from the others.
_WHO_ASKS = frozenset({b"forwarded", b"true-client-ip", b"x-client-ip", b"x-real-ip"})
_FORWARDED = b"x-forwarded-"
# A User-Agent with this word is sent to the block store, whatever it asked for.
_REDIRECTED = b"s3redirectionsupport"


class Request(Translation):
    """One request to lakeFS."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.query = _parameters(asked)
        self.drop, self.add = _lines(asked)
        for line in strange_lines(asked.fields):
            self.put_line(*line)

    def put_line(self, name: bytes, value: bytes) -> None:
        """Have this line go up instead of the client's of the same name."""
        self.drop = (*self.drop, name)
        self.add = (*(field for field in self.add if field[0] != name), (name, value))

    def forget(self, names: tuple[bytes, ...]) -> None:
        """Leave headers out that lakeFS would forget."""
        if names:
            self.dropped = (*self.dropped, *names)
            self.drop = (*self.drop, *names)
            self.add = tuple(field for field in self.add if field[0] not in names)

    def answer(self, head: ResponseHead) -> Answer:
        if head.status >= 400:
            return FaultAnswer(self.asked, head)
        return self.success(head)

    def success(self, head: ResponseHead) -> Answer:
        """How an answer that is no error is rewritten. Raises S3Error."""
        return None


def _parameters(asked: Asked) -> bytes:
    if not asked.query:
        return b""
    values: dict[bytes, bytes] = {}
    for name, value in asked.query:
        values.setdefault(name, value)
    names = _PARAMETERS.get(asked.operation, ())
    pairs = [(name, quote_from_bytes(values[name], safe="")) for name in names if name in values]
    return "&".join(f"{name.decode()}={value}" for name, value in pairs).encode()


def _lines(asked: Asked) -> tuple[tuple[bytes, ...], Fields]:
    fields = asked.fields
    drop = [name for name in fields if name in _WHO_ASKS or name.startswith(_FORWARDED)]
    if _REDIRECTED in fields.get(b"user-agent", b"").lower():
        drop.append(b"user-agent")
    if asked.operation != "GetObject" and b"accept-encoding" in fields:
        drop.append(b"accept-encoding")
    if len(asked.headers) == len(fields):
        return tuple(drop), ()
    counted = Counter(name for name, _ in asked.headers if name.startswith(b"x-amz-"))
    repeated = tuple(name for name, count in counted.items() if count > 1)
    return (*drop, *repeated), tuple((name, fields[name]) for name in repeated)
