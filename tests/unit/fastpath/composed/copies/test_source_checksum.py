"""Which checksum of a source is one of all its bytes."""

from __future__ import annotations

import pytest

from fastpath.composed.calls import Place
from fastpath.composed.copies.source import SourceObject
from fastpath.routing.chain import Decision

WHOLE, OF_PARTS = b'"59e4abccf541d671db9c206cbbc37bfe"', b'"59e4abccf541d671db9c206cbbc37bfe-2"'


@pytest.mark.parametrize(
    ("etag", "value", "kind", "is_of_all"),
    [
        (WHOLE, b"cmg2GQ==", b"", True),
        (WHOLE, b"cmg2GQ==", b"FULL_OBJECT", True),
        (OF_PARTS, b"cmg2GQ==", b"FULL_OBJECT", True),
        (OF_PARTS, b"cmg2GQ==-2", b"COMPOSITE", False),
        (OF_PARTS, b"cmg2GQ==-2", b"", False),
        # moto's answer to a HEAD: neither the number of parts nor the type.
        (OF_PARTS, b"cmg2GQ==", b"", False),
        (OF_PARTS.strip(b'"'), b"cmg2GQ==", b"", False),
    ],
)
def test_a_checksum_of_checksums_is_none_of_all_bytes(
    etag: bytes, value: bytes, kind: bytes, is_of_all: bool
) -> None:
    fields = {b"etag": etag, b"x-amz-checksum-crc32": value}
    if kind:
        fields[b"x-amz-checksum-type"] = kind
    source = SourceObject(Place(b"b-b", b"k", Decision("s3", 1)), [], [], fields, 9 << 20)
    assert source.checksum == ((b"crc32", value) if is_of_all else None)
