"""Replaces the target's address by the client's where a response of S3 holds a URL.

    CompleteMultipartUpload    <Location> of the document      the URL that the client used
    CreateBucket               the Location header             the same, if it names a host

Rules: streaming; white space and the declaration before a document are relayed at once, because a
target sends them while it works, to keep the connection open; every other byte stays as it is, and
so does a document without a Location (an error in a 200). The URL is the one that reached the
gateway: behind a proxy that terminates TLS it begins with http.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

from fastpath.dialects.translation import ClientRequest, Translation
from fastpath.http.head import ResponseHead
from fastpath.response.filters import HeadChange, Step

MAX_DOCUMENT = 65536  # bytes; a CompleteMultipartUploadResult has a key and less than 1 KiB besides

_PROLOG = re.compile(rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?")
_LOCATION = re.compile(rb"(<(?:[\w.-]+:)?Location(?:\s[^>]*)?>)[^<]*(?=</)")


class LocationAnswer:
    """Rewrites the result of one CompleteMultipartUpload."""

    def __init__(self, location: bytes) -> None:
        self.status: int | None = None
        self._location = escape(location.decode("latin-1")).encode("latin-1")
        self._kept = b""
        self._is_relaying = False  # it is too long for a result: the rest is relayed

    def feed(self, data: bytes) -> bytes:
        """Return what may be sent now."""
        if self._is_relaying:
            return data
        self._kept += data
        prolog = _PROLOG.match(self._kept)
        is_too_long = len(self._kept) > MAX_DOCUMENT
        if is_too_long or (prolog is not None and prolog.end() == len(self._kept)):
            self._is_relaying = is_too_long
            return self._take()
        return b""

    def finish(self) -> bytes:
        """Return the rest."""
        return self._take()

    def _take(self) -> bytes:
        kept, self._kept = self._kept, b""
        return _LOCATION.sub(lambda found: found[1] + self._location, kept, count=1)


def location_of(client_request: ClientRequest, *, secure: bool) -> bytes:
    """Return the URL of a request as its client used it; without a Host, its path."""
    host = client_request.fields.get(b"host", b"")
    if not host:
        return client_request.sent
    return b"%b://%b%b" % (b"https" if secure else b"http", host, client_request.sent)


class _Complete(Translation):
    """A CompleteMultipartUpload."""

    def __init__(self, client_request: ClientRequest) -> None:
        self._asked = client_request

    def answer(self, head: ResponseHead) -> Step:
        if head.status != 200:
            return None
        return LocationAnswer(location_of(self._asked, secure=self.secure))


class _Create(Translation):
    """A CreateBucket."""

    def __init__(self, client_request: ClientRequest) -> None:
        self._asked = client_request

    def answer(self, head: ResponseHead) -> Step:
        if head.status != 200 or b"//" not in head.fields.get(b"location", b""):
            return None
        place = location_of(self._asked, secure=self.secure)
        return HeadChange(drop=(b"location",), add=((b"Location", place),))


OPERATIONS: Mapping[str, Callable[[ClientRequest], Translation]] = {
    "CompleteMultipartUpload": _Complete,
    "CreateBucket": _Create,
}
