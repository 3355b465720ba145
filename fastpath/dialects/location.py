"""Answers of S3 that say where something is: the client's address instead of the target's.

    CompleteMultipartUpload    <Location> of the document      the URL that the client used
    CreateBucket               the header line Location        the same, if it names a host

Rules: streaming; white space and the declaration before a document pass at once, because a target
sends them while it works, to keep the connection alive; every other byte stays as it is, and so
does a document without a Location (an error in a 200). The URL is the one that reached the gateway:
behind something that ends TLS before it, it begins with http.

Not here: redirects (`verdict`), forms, which are answered by the gateway itself (`forms.answer`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

from fastpath.dialects.translation import Amendment, Answer, Asked, Translation
from fastpath.http.head import ResponseHead

MAX_DOCUMENT = 65536  # bytes; a CompleteMultipartUploadResult has a key and less than 1 KiB besides

_AHEAD = re.compile(rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?")
_LOCATION = re.compile(rb"(<(?:[\w.-]+:)?Location(?:\s[^>]*)?>)[^<]*(?=</)")


class LocationAnswer:
    """Rewrites the document of one CompleteMultipartUpload."""

    def __init__(self, location: bytes) -> None:
        self.status: int | None = None
        self._location = escape(location.decode("latin-1")).encode("latin-1")
        self._kept = b""
        self._has_passed = False  # it is longer than any: the rest is passed on

    def feed(self, data: bytes) -> bytes:
        """What may go down now."""
        if self._has_passed:
            return data
        self._kept += data
        ahead = _AHEAD.match(self._kept)
        if (ahead is not None and ahead.end() == len(self._kept)) or len(self._kept) > MAX_DOCUMENT:
            self._has_passed = len(self._kept) > MAX_DOCUMENT
            return self._take()
        return b""

    def finish(self) -> bytes:
        """The rest."""
        return self._take()

    def _take(self) -> bytes:
        kept, self._kept = self._kept, b""
        return _LOCATION.sub(lambda found: found[1] + self._location, kept, count=1)


def location_of(asked: Asked, *, secure: bool) -> bytes:
    """The URL of a request, as its client used it; without a Host, its path."""
    host = asked.fields.get(b"host", b"")
    if not host:
        return asked.sent
    return b"%b://%b%b" % (b"https" if secure else b"http", host, asked.sent)


class _Complete(Translation):
    """A CompleteMultipartUpload."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def answer(self, head: ResponseHead) -> Answer:
        if head.status != 200:
            return None
        return LocationAnswer(location_of(self._asked, secure=self.secure))


class _Create(Translation):
    """A CreateBucket."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def answer(self, head: ResponseHead) -> Answer:
        if head.status != 200 or b"//" not in head.fields.get(b"location", b""):
            return None
        place = location_of(self._asked, secure=self.secure)
        return Amendment(drop=(b"location",), add=((b"Location", place),))


OPERATIONS: Mapping[str, Callable[[Asked], Translation]] = {
    "CompleteMultipartUpload": _Complete,
    "CreateBucket": _Create,
}
