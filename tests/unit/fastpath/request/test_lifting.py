"""Headers that a presigner moved into the query: found, checked as headers, sent on as headers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import botocore.session
import pytest

from fastpath.errors import S3Error
from fastpath.http.head import RequestHead, parse_request_head
from fastpath.http.query import parse_query, presigned_headers, upstream_query
from fastpath.limits import Limits
from fastpath.request.upstream_head import upstream_head
from fastpath.routing.snapshot import load_snapshot
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.verify import authenticate
from tests.corpus import signatures, sigv2
from tests.doubles.admitted import admitted_of
from tests.doubles.http1 import get
from tests.doubles.wire import KEY, TARGET_KEY, document

HOST = "gateway.test:8080"
_MODEL: Any = botocore.session.get_session().get_service_model("s3")
CHECKSUM_ALGORITHMS: list[str] = _MODEL.shape_for("ChecksumAlgorithm").enum
TARGET = Identity("target", TARGET_KEY[0].encode(), TARGET_KEY[1].encode())


def presigned_v4(query: str, headers: list[list[str]] | None = None, **changes: Any) -> bytes:
    recipe = signatures.Recipe(form="query", query=query, headers=headers or [], **changes)
    return signatures.Case("", "", recipe, {}).render(HOST, time.time(), *KEY).raw


def presigned_v2(query: str, amz: list[str], **changes: Any) -> bytes:
    recipe = sigv2.Recipe(query=query, amz=amz, access_key_id=KEY[0], secret=KEY[1], **changes)
    return sigv2.Case("", "", recipe, {}).render(HOST, time.time())[0]


def upstream(raw: bytes, **options: Any) -> RequestHead:
    """The head as the target gets it; its signature is good."""
    snapshot = load_snapshot(1, document(**{"mode": "sigv4", **options}))
    head, now = parse_request_head(raw, Limits()), time.time()
    admitted = admitted_of(head, snapshot, now)
    sent = parse_request_head(upstream_head(raw, head, admitted, b"rig", now), Limits())
    authenticate(sent, parse_query(sent.query), {TARGET.access_key_id: TARGET}, now)
    return sent


QUERY = "versionId=%7E1&x-amz-meta-a=%201%20%C3%A9%20&X-Amz-Checksum-Mode=ENABLED&x-id=GetObject"
LINES = ["x-amz-checksum-mode:ENABLED", "x-amz-meta-a: 1 é "]


@pytest.mark.parametrize(
    "sign",
    [
        lambda: presigned_v4(QUERY),
        lambda: presigned_v2(QUERY, LINES, resource="/corpus-bucket/some/key?versionId=~1"),
    ],
    ids=["sigv4", "sigv2"],
)
@pytest.mark.parametrize("mode", ["sigv4", "open"])
def test_lifted_headers_go_upstream_signed_and_leave_the_query(
    sign: Callable[[], bytes], mode: str
) -> None:
    sent = upstream(sign(), mode=mode)
    assert sent.query == b"versionId=%7E1&x-id=GetObject"
    assert sent.fields[b"x-amz-meta-a"] == "1 é".encode()
    assert sent.fields[b"x-amz-checksum-mode"] == b"ENABLED"
    signed = sent.fields[b"authorization"].partition(b"SignedHeaders=")[2].partition(b",")[0]
    assert {b"x-amz-meta-a", b"x-amz-checksum-mode"} <= set(signed.split(b";"))


def test_a_header_that_was_sent_as_well_is_sent_once() -> None:
    headers = [["x-amz-acl", "private"]]
    for raw in (
        presigned_v4("x-amz-acl=private", headers),
        presigned_v2("x-amz-acl=private", ["x-amz-acl:private"], headers=headers),
    ):
        sent = upstream(raw)
        assert (sent.query, sent.fields[b"x-amz-acl"]) == (b"", b"private")


def test_a_request_that_is_signed_in_its_headers_keeps_its_query() -> None:
    raw = get("/b-b/k?x-amz-acl=private&Expires=1&content-type=a&AWSAccessKey=1&signature=2")
    sent = upstream(raw, mode="open")
    assert sent.query == (b"x-amz-acl=private&Expires=1&content-type=a&AWSAccessKey=1&signature=2")
    assert b"x-amz-acl" not in sent.fields


def test_no_signature_goes_upstream_in_open_mode() -> None:
    raw = get("/b-b/k?Expires=1&Signature=2&content-md5=3&AWSAccessKeyId=4&prefix=5")
    assert upstream(raw, mode="open").query == b"prefix=5"
    assert upstream(get("/b-b/k?AWSAccessKeyI%64=4&a=%2f"), mode="open").query == b"a=%2f"


def grants(*buckets: str) -> list[dict[str, Any]]:
    operations = ["GetObject", "PutObject", "CopyObject"]
    allow = [{"buckets": list(buckets), "operations": operations}]
    return [{**document()["identities"][0], "allow": allow}]


COPY = "x-amz-copy-source=%2Fsecret-bucket%2Fk%2520ey"
COPIES: list[Callable[[], bytes]] = [
    lambda: presigned_v4(COPY, method="PUT", unsigned=[["content-length", "0"]]),
    lambda: presigned_v2(
        COPY,
        ["x-amz-copy-source:/secret-bucket/k%20ey"],
        method="PUT",
        headers=[["content-length", "0"]],
    ),
]


@pytest.mark.parametrize("sign", COPIES, ids=["sigv4", "sigv2"])
def test_a_copy_source_in_the_query_is_checked_and_copied_from(sign: Callable[[], bytes]) -> None:
    raw = sign()
    sent = upstream(raw, identities=grants("corpus-bucket", "secret-bucket"))
    assert sent.fields[b"x-amz-copy-source"] == b"/secret-bucket/k%20ey"
    with pytest.raises(S3Error) as caught:
        upstream(raw, identities=grants("corpus-bucket"))
    assert caught.value.kind.code == "AccessDenied"


@pytest.mark.parametrize(
    ("query", "presigned"),
    [
        (b"x-amz-acl=private", []),  # nobody presigned this
        (b"Signature=1&x-amz-acl=private", [(b"x-amz-acl", b"private")]),
        (b"X-Amz-Signature=1&X-AMZ-Acl=a&x-amz-acl=b", [(b"x-amz-acl", b"a")]),
        (b"Signature=1&x-amz-a=%0d%0ahost:%20x", []),
        (b"Signature=1&x-amz-a%3a=1&x-amz-=2&xx-amz-b=3", []),
        (b"Signature=1&x-amz-a=%09%20", [(b"x-amz-a", b"")]),
        (
            b"X-Amz-Signature=1&X-Amz-Date=2&X-Amz-Security-Token=3&X-Amz-Content-Sha256=4"
            b"&x-amz-trailer=5&x-amz-decoded-content-length=6",
            [],
        ),
    ],
)
def test_what_is_lifted(query: bytes, presigned: list[tuple[bytes, bytes]]) -> None:
    assert presigned_headers(parse_query(query)) == presigned


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b"AWSAccessKeyId=a&Expires=1&Signature=b%3D", b""),
        (b"acl&%53ignature=b&Expires=1&x=%7e", b"acl&x=%7e"),
        (b"Signature=b&response-content-type=c&content-type=d", b"response-content-type=c"),
        (b"Expires=1&content-type=d&content-md5=e", b"Expires=1&content-type=d&content-md5=e"),
        (b"expires=1&signature=2&Signature", b"expires=1&signature=2"),
    ],
)
def test_sigv2_leaves_the_query(raw: bytes, kept: bytes) -> None:
    assert upstream_query(raw) == kept


# Every name of a value (the SDKs' model), in S3's spelling and another; then what is no value.
VALUES = [f"x-amz-checksum-{name.lower()}" for name in CHECKSUM_ALGORITHMS]
VALUES += ["x-amz-checksum-new", "X-Amz-Checksum-Crc32", "x-amz-sdk-checksum-algorithm"]
NO_VALUES = ["x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"]


def signers(name: str, value: str, **changes: Any) -> list[bytes]:
    """The same parameter presigned by each version of signature."""
    query = f"{name}={quote(value, safe='')}"
    line = f"{name.lower()}:{value}"
    return [presigned_v4(query, **changes), presigned_v2(query, [line], **changes)]


@pytest.mark.parametrize("mode", ["sigv4", "open"])
@pytest.mark.parametrize("name", VALUES)
def test_a_checksum_in_the_query_is_not_enforced_and_goes_no_further(name: str, mode: str) -> None:
    """C1: neither as a header, which AWS enforces, nor as a parameter, which others refuse."""
    for method in ("PUT", "HEAD"):
        for raw in signers(name, "AAAAAA==", method=method):
            sent = upstream(raw, mode=mode)
            assert sent.query == b""
            assert name.lower().encode() not in sent.fields


@pytest.mark.parametrize("name", NO_VALUES)
def test_what_is_no_value_is_a_header_in_the_query_as_well(name: str) -> None:
    """C1: which algorithm an upload has, or that a checksum is asked for, means something."""
    for raw in signers(name, "CRC32"):
        sent = upstream(raw)
        assert (sent.query, sent.fields[name.encode()]) == (b"", b"CRC32")


def test_a_checksum_that_was_sent_as_a_header_is_enforced() -> None:
    """C1: the header counts, whatever the query says."""
    name = "x-amz-checksum-crc32"
    raw = presigned_v4(f"{name}=AAAAAA%3D%3D", [[name, "NhCmhg=="]])
    sent = upstream(raw)
    assert (sent.query, sent.fields[name.encode()]) == (b"", b"NhCmhg==")


def test_a_checksum_in_the_query_that_nobody_presigned_stays_where_it_is() -> None:
    """C1: it is a parameter as any other, which means nothing to S3."""
    raw = get("/b-b/k?x-amz-checksum-crc32=AAAAAA==", method="PUT")
    assert upstream(raw, mode="open").query == b"x-amz-checksum-crc32=AAAAAA=="
