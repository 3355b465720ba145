"""Blanks the checksums of parts in a CompleteMultipartUpload that the target must not get.

    <Part><ETag>..</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>
    <Part><ETag>..</ETag>                                       </Part>

Rules: spaces replace an element, which mean nothing between elements, so that the length of the
document, which is sent before it, stays true; pieces may be cut anywhere, and no more is kept than
one element; every other byte stays as it is, also in a document that cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from fastpath.errors import MALFORMED_XML, S3Error
from fastpath.payload.body_checks import Check
from fastpath.signing.sigv4.chain import Chain

# The longest known, of SHA-512 with its names, has 121 bytes.
_MAX_ELEMENT = 1024
_ELEMENT = re.compile(
    rb"<((?:[\w.-]+:)?Checksum(\w+))(?:\s[^<>]*)?(?:/>|(?<!/)>[^<]*</\1\s*>)", re.ASCII
)
# What may be the beginning of one whose rest is still to come.
_BEGINNING = re.compile(
    rb"<(?:[\w.:-]*|(?:[\w.-]+:)?Checksum\w+[^<>]*(?:>[^<]*(?:</?[\w.:-]*\s*)?)?)\Z", re.ASCII
)


class BlankedChecksums:
    """A BodyFilter that blanks the checksums that the target must not get."""

    __slots__ = ("_checks", "_is_sent", "_kept")

    def __init__(self, checks: Sequence[Check], is_sent: Callable[[bytes], bool]) -> None:
        """`is_sent`: whether the target gets a checksum of this algorithm."""
        self._checks = checks
        self._is_sent = is_sent
        self._kept = b""

    def begin(self, chain: Chain) -> None:
        """No chunks are made."""

    def feed(self, data: bytes, last: bool) -> bytes:
        for check in self._checks:
            check.update(data)
        document = _ELEMENT.sub(self._blanked, self._kept + data)
        if last:
            for check in self._checks:
                check.confirm()
            return document
        beginning = _BEGINNING.search(document)
        cut = len(document) if beginning is None else beginning.start()
        self._kept = document[cut:]
        if len(self._kept) > _MAX_ELEMENT:
            raise S3Error(MALFORMED_XML)
        return document[:cut]

    def _blanked(self, element: re.Match[bytes]) -> bytes:
        return element[0] if self._is_sent(element[2].lower()) else b" " * len(element[0])
