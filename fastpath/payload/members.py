"""The checksums of parts in a CompleteMultipartUpload, blanked where they stay here.

    <Part><ETag>..</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>
    <Part><ETag>..</ETag>                                       </Part>

Rules: a blanked element becomes as many spaces, which mean nothing between elements, so that the
length of the document, which goes up before it, stays true; incremental: pieces may be cut anywhere
and no more is kept than one element; all else stays byte for byte, what cannot be read included.

Not here: which algorithms those are (`crossing`), what else a document must be (`completions`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from fastpath.errors import MALFORMED_XML, S3Error
from fastpath.payload.checks import Check
from fastpath.signing.sigv4.chain import Chain

# The longest known, of SHA-512 with its names, has 121 bytes.
_MAX_ELEMENT = 1024
_ELEMENT = re.compile(
    rb"<((?:[\w.-]+:)?Checksum(\w+))(?:\s[^<>]*)?(?:/>|(?<!/)>[^<]*</\1\s*>)", re.ASCII
)
# What may be the beginning of one: the name, or all of it, is still to come.
_BEGINNING = re.compile(
    rb"<(?:[\w.:-]*|(?:[\w.-]+:)?Checksum\w+[^<>]*(?:>[^<]*(?:</?[\w.:-]*\s*)?)?)\Z", re.ASCII
)


class BlankedMembers:
    """A document whose body filter blanks the checksums that its target is not to see."""

    __slots__ = ("_checks", "_crosses", "_kept")

    def __init__(self, checks: Sequence[Check], crosses: Callable[[bytes], bool]) -> None:
        """`crosses`: whether a checksum of this algorithm goes up."""
        self._checks = checks
        self._crosses = crosses
        self._kept = b""

    def begin(self, chain: Chain) -> None:
        """Never in chunks."""

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
        return element[0] if self._crosses(element[2].lower()) else b" " * len(element[0])
