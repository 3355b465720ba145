"""Addresses of arbitrary paths and hosts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote_from_bytes

from hypothesis import given
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.http.head import parse_request_head
from fastpath.http.query import parse_query
from fastpath.limits import Limits
from fastpath.s3.addressing import Address, checked_key, locate, percent_decode
from fastpath.s3.operations import OPERATIONS, classify

GRAMMAR = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
DOMAINS = (b"s3.test", b"deep.s3.test")
CODES = {"InvalidBucketName", "InvalidURI", "KeyTooLongError"}

segments = st.sampled_from(
    [b"", b".", b"..", b"a", b"bucket", b"%2e%2e", b"%2E.", b"%2F", b"%00", b"%", b"%C3%BC", b"%FF"]
)
paths = st.lists(segments | st.text("ab.%2Fe_-", max_size=6).map(str.encode), max_size=8).map(
    lambda parts: b"/" + b"/".join(parts)
)
hosts = st.sampled_from(
    [
        b"h",
        b"s3.test",
        b".s3.test",
        b"bucket.s3.test",
        b"..s3.test",
        b"b.deep.s3.test:80",
        b"a.b.s3.test.",
    ]
)
words = st.sampled_from(
    [b"acl", b"uploads", b"uploadId", b"partNumber", b"delete", b"id", b"new", b"list-type", b"x-a"]
)
queries = st.lists(words, max_size=4).map(b"&".join)
methods = st.sampled_from([b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"OPTIONS", b"PATCH", b"X"])


def address_of(path: bytes, host: bytes) -> Address | None:
    raw = b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    head = parse_request_head(raw, Limits())
    try:
        return locate(head, DOMAINS)
    except S3Error as error:
        if error.kind.code not in CODES:
            raise
        return None


@given(path=paths, host=hosts)
def test_a_bucket_is_in_the_grammar_or_is_none(path: bytes, host: bytes) -> None:
    address = address_of(path, host)
    if address is None:
        return
    if not address.bucket:
        assert (address.key, address.path) == (b"", b"/")
        return
    assert GRAMMAR.fullmatch(address.bucket)
    address.key.decode("utf-8")
    assert len(address.key) <= 1024


@given(path=paths, host=hosts)
def test_a_target_that_normalises_stays_in_the_bucket(path: bytes, host: bytes) -> None:
    address = address_of(path, host)
    if address is not None and address.bucket:
        seen = posixpath.normpath(percent_decode(address.path).replace(b"\0", b"?"))
        assert (seen + b"/").startswith(b"/" + address.bucket + b"/")


@given(path=paths, host=hosts)
def test_the_path_upstream_means_the_same(path: bytes, host: bytes) -> None:
    address = address_of(path, host)
    if address is not None:
        again = address_of(address.path, b"h")
        assert again is not None
        assert (again.bucket, again.key) == (address.bucket, address.key)
        assert address.path.endswith(path)


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_keys_survive_their_escapes(key: str) -> None:
    raw = key.encode()
    address = address_of(b"/bucket/" + quote_from_bytes(raw, safe="/").encode(), b"h")
    assert address is None or address.key == raw


@given(raw=st.binary(max_size=60))
def test_percent_round_trip(raw: bytes) -> None:
    assert percent_decode(quote_from_bytes(raw, safe="").encode()) == raw
    assert percent_decode(b"".join(b"%%%02x" % byte for byte in raw)) == raw


@given(method=methods, path=paths, query=queries, copy=st.booleans())
def test_every_request_is_an_operation_or_an_s3_error(
    method: bytes, path: bytes, query: bytes, copy: bool
) -> None:
    address = address_of(path, b"h")
    if address is None:
        return
    fields = {b"x-amz-copy-source": b"/b/k"} if copy else {}
    try:
        operation = classify(method, address, parse_query(query), fields)
    except S3Error as error:
        if error.kind.status not in (400, 405):
            raise
        return
    assert OPERATIONS[operation.name] is operation
    if b"new" in query.split(b"&"):
        assert operation.name == "Unclassified" or method == b"OPTIONS"


@given(raw=paths, more=st.sampled_from([b"", b"\xff", b"x" * 1023, b"x" * 1025]))
def test_a_key_that_is_taken_as_it_is_passes_every_check(raw: bytes, more: bytes) -> None:
    def outcome(found: Callable[[], bytes]) -> bytes | str:
        try:
            return found()
        except S3Error as error:
            return error.kind.code

    key = raw + more
    head = parse_request_head(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", Limits())
    head = replace(head, path=b"/bucket/" + key)
    plain = outcome(lambda: checked_key(percent_decode(key)))
    assert outcome(lambda: locate(head, ()).key) == plain
