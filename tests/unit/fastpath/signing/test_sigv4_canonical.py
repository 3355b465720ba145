"""Canonical paths, queries and headers."""

from __future__ import annotations

import pytest

from fastpath.signing.sigv4.canonical import (
    canonical_headers,
    canonical_path,
    canonical_query,
    encode,
    string_to_sign,
)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        (b"", b"/"),
        (b"/", b"/"),
        (b"/bucket/key-._~0Az", b"/bucket/key-._~0Az"),
        (b"/b/a+b", b"/b/a%2Bb"),
        (b"/b/a%2bb", b"/b/a%2Bb"),
        (b"/b/a%2Bb", b"/b/a%2Bb"),
        (b"/b/a%20b", b"/b/a%20b"),
        (b"/b/%61%7E%2D", b"/b/a~-"),
        (b"/b/a%2Fb", b"/b/a/b"),
        (b"/b//a/./../", b"/b//a/./../"),
        (b"/b/%2E%2e/", b"/b/../"),
        (b"/b/k=v&x;y:z@*'()!$,", b"/b/k%3Dv%26x%3By%3Az%40%2A%27%28%29%21%24%2C"),
        (b"/b/%25", b"/b/%25"),
        (b"/b/%2525", b"/b/%2525"),
        (b"/b/100%", b"/b/100%25"),
        (b"/b/%zz", b"/b/%25zz"),
        (b"/b/%", b"/b/%25"),
        (b"/b/%2", b"/b/%252"),
        (b"/b/%C3%a4", b"/b/%C3%A4"),
        (b"/b/\xc3\xa4", b"/b/%C3%A4"),
        (b"/b/%00", b"/b/%00"),
    ],
)
def test_path(raw: bytes, canonical: bytes) -> None:
    assert canonical_path(raw) == canonical


@pytest.mark.parametrize(
    ("pairs", "canonical"),
    [
        ([], b""),
        ([(b"lifecycle", b"")], b"lifecycle="),
        ([(b"prefix", b"J"), (b"max-keys", b"2")], b"max-keys=2&prefix=J"),
        ([(b"b", b"2"), (b"a", b"2"), (b"a", b"10")], b"a=10&a=2&b=2"),
        # "-" sorts before "=", yet a name sorts before the longer ones that begin with it
        ([(b"a-b", b"1"), (b"a", b"2")], b"a=2&a-b=1"),
        # encoded names decide: "%" comes before letters, "~" after them
        ([(b"~", b""), (b"z", b""), ("ä".encode(), b"")], b"%C3%A4=&z=&~="),
        ([(b"", b"v"), (b"a", b"")], b"=v&a="),
        ([(b"k", b"a+b c/d=&")], b"k=a%2Bb%20c%2Fd%3D%26"),
    ],
)
def test_query(pairs: list[tuple[bytes, bytes]], canonical: bytes) -> None:
    assert canonical_query(pairs) == canonical


def test_query_leaves_one_name_out_wherever_it_is() -> None:
    pairs = [(b"s", b"1"), (b"b", b"2"), (b"s", b"3")]
    assert canonical_query(pairs, without=b"s") == b"b=2"


def test_headers() -> None:
    fields = {b"host": b"h", b"x-amz-meta-a": b"a   b \t c", b"x-amz-meta-b": b"d e"}
    names = [b"host", b"x-amz-gone", b"x-amz-meta-a", b"x-amz-meta-b"]
    assert canonical_headers(names, fields) == (
        b"host:h\nx-amz-gone:\nx-amz-meta-a:a b c\nx-amz-meta-b:d e\n"
    )
    assert canonical_headers([b"x-amz-meta-b"], fields) == b"x-amz-meta-b:d e\n"


def test_encode_covers_every_byte() -> None:
    unreserved = b"-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
    for byte in range(256):
        one = bytes((byte,))
        assert encode(one) == (one if one in unreserved else b"%%%02X" % byte)


def test_string_to_sign() -> None:
    assert string_to_sign(b"T", b"S", b"") == (
        b"AWS4-HMAC-SHA256\nT\nS\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
