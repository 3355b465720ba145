"""Query strings: decoding, and taking a presigned signature off."""

from __future__ import annotations

import pytest

from fastpath.http.query import parse_query, upstream_query


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        (b"", []),
        (b"acl", [(b"acl", b"")]),
        (b"acl=", [(b"acl", b"")]),
        (b"a=1&b=2&a=3", [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]),
        (b"&&a=1&&", [(b"a", b"1")]),
        (b"a=b=c", [(b"a", b"b=c")]),
        (b"=v", [(b"", b"v")]),
        (b"prefix=a+b", [(b"prefix", b"a b")]),
        (b"prefix=a%20b%2Bc%26d%3de", [(b"prefix", b"a b+c&d=e")]),
        (b"%61cl&x=%zz%4", [(b"acl", b""), (b"x", b"%zz%4")]),
        (b"a;b=c", [(b"a;b", b"c")]),
        (b"k=%00%ff", [(b"k", b"\x00\xff")]),
        (b"k=%2525", [(b"k", b"%25")]),
    ],
)
def test_parse_query(raw: bytes, pairs: list[tuple[bytes, bytes]]) -> None:
    assert parse_query(raw) == pairs


SIGNATURE = (
    b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20250101%2Fr%2Fs3%2Faws4_request"
    b"&X-Amz-Date=20250101T000000Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host"
    b"&X-Amz-Security-Token=abc&X-Amz-Signature=00&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"", b""),
        (b"acl", b"acl"),
        (b"a=%7e+b&&c", b"a=%7e%20b&&c"),
        (SIGNATURE, b""),
        (b"versionId=%7E+1&" + SIGNATURE + b"&acl", b"versionId=%7E%201&acl"),
        (b"X%2DAmz%2dSignature=1&b", b"b"),
        (b"x-amz-security-token=1&b=%zz", b"b=%zz"),
        (b"X-Amz-Signature", b""),
        (b"x-amz-acl=private&x-amz-checksum-crc32=AAAA&X-Amz-Meta-A=1", None),
        (b"prefix=X-Amz-Signature=1", None),
        (b"x-id=GetObject", None),
    ],
)
def test_upstream_query(raw: bytes, kept: bytes | None) -> None:
    assert upstream_query(raw) == (raw if kept is None else kept)
