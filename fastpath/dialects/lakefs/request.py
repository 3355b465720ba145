"""Translates what all requests to lakeFS have in common: parameters, headers and errors.

Rules: a parameter that the operation has is sent once, decoded and encoded anew, because lakeFS
signs only the first of a name and drops one with a `;`; any other is not sent. Nor are headers that
lakeFS would trust (the client's address) or obey (a redirect to its block store), nor, unless an
object is read, Accept-Encoding, because the response is read here. Headers of one name become one,
because lakeFS signs only the first.
"""

from __future__ import annotations

from collections import Counter
from urllib.parse import quote_from_bytes

from fastpath.dialects.lakefs.error_translation import ErrorAnswer
from fastpath.dialects.lakefs.metadata import rewritten_metadata
from fastpath.dialects.translation import ClientRequest, Fields, Translation
from fastpath.http.head import ResponseHead
from fastpath.response.filters import Step

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

# lakeFS's policies, and proxies before it, take the client's address from these.
_CLIENT_ADDRESS_HEADERS = frozenset({b"forwarded", b"true-client-ip", b"x-client-ip", b"x-real-ip"})
_FORWARDED_PREFIX = b"x-forwarded-"
# lakeFS redirects a User-Agent with this word to the block store, whatever it asked for.
_REDIRECT_WORD = b"s3redirectionsupport"


class Request(Translation):
    """One request to lakeFS."""

    def __init__(self, client_request: ClientRequest) -> None:
        self.client_request = client_request
        self.query = _parameters(client_request)
        self.drop, self.add = _lines(client_request)
        for line in rewritten_metadata(client_request.fields):
            self.set_header(*line)

    def set_header(self, name: bytes, value: bytes) -> None:
        """Send this header instead of the client's."""
        self.drop = (*self.drop, name)
        self.add = (*(field for field in self.add if field[0] != name), (name, value))

    def drop_headers(self, names: tuple[bytes, ...]) -> None:
        """Drop headers that lakeFS would ignore."""
        if names:
            self.dropped = (*self.dropped, *names)
            self.drop = (*self.drop, *names)
            self.add = tuple(field for field in self.add if field[0] not in names)

    def answer(self, head: ResponseHead) -> Step:
        if head.status >= 400:
            return ErrorAnswer(self.client_request, head)
        return self.success(head)

    def success(self, head: ResponseHead) -> Step:
        """Return how to change a response that is no error. Raises S3Error."""
        return None


def _parameters(client_request: ClientRequest) -> bytes:
    if not client_request.query:
        return b""
    values: dict[bytes, bytes] = {}
    for name, value in client_request.query:
        values.setdefault(name, value)
    names = _PARAMETERS.get(client_request.operation, ())
    pairs = [(name, quote_from_bytes(values[name], safe="")) for name in names if name in values]
    return "&".join(f"{name.decode()}={value}" for name, value in pairs).encode()


def _lines(client_request: ClientRequest) -> tuple[tuple[bytes, ...], Fields]:
    fields = client_request.fields
    drop = [
        name
        for name in fields
        if name in _CLIENT_ADDRESS_HEADERS or name.startswith(_FORWARDED_PREFIX)
    ]
    if _REDIRECT_WORD in fields.get(b"user-agent", b"").lower():
        drop.append(b"user-agent")
    if client_request.operation != "GetObject" and b"accept-encoding" in fields:
        drop.append(b"accept-encoding")
    if len(client_request.headers) == len(fields):
        return tuple(drop), ()
    counted = Counter(name for name, _ in client_request.headers if name.startswith(b"x-amz-"))
    repeated = tuple(name for name, count in counted.items() if count > 1)
    return (*drop, *repeated), tuple((name, fields[name]) for name in repeated)
