"""The request head that goes up: what crosses, what does not, what is signed."""

from __future__ import annotations

import re
import time

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fastpath.http.head import parse_request_head
from fastpath.limits import Limits
from fastpath.request.upstream_head import upstream_head
from fastpath.routing.snapshot import load_snapshot
from tests.doubles.admitted import admitted_of
from tests.doubles.http1 import get
from tests.doubles.rules import Rewriting, Rule
from tests.doubles.wire import TARGET_KEY, document

OWN = {"host", "authorization", "x-amz-date", "x-amz-content-sha256", "via", "content-length"}


def forwarded(raw: bytes, **options: object) -> bytes:
    """The head that goes up, whole."""
    head = parse_request_head(raw, Limits())
    snapshot = load_snapshot(1, document(**options))  # type: ignore[arg-type]
    return upstream_head(raw, head, admitted_of(head, snapshot), b"rig", time.time())


def lines(up: bytes) -> list[tuple[str, str]]:
    assert up.endswith(b"\r\n\r\n")
    text = up[:-4].decode("latin-1").split("\r\n")[1:]
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in text)]


def kept(up: bytes) -> list[tuple[str, str]]:
    """The lines that are the client's."""
    return [(name, value) for name, value in lines(up) if name.lower() not in OWN]


def field(up: bytes, name: str) -> str:
    (value,) = [value for have, value in lines(up) if have.lower() == name]
    return value


@pytest.mark.parametrize(
    "target",
    [
        "/bucket/key",
        "/bucket/a//b/./c%2Fd%2fe%2B%20~%7E'()*!",
        "/bucket/%E2%98%83?versionId=%2B%20x&y",
        "/bucket?list-type=2&prefix=&encoding-type=url",
        "/bucket/?prefix=a%20b&x-id=ListObjects",
        "/",
    ],
)
def test_path_and_query_are_the_clients_byte_for_byte(target: str) -> None:
    assert forwarded(get(target)).startswith(b"GET %b HTTP/1.1\r\n" % target.encode())


def test_an_empty_query_loses_its_mark_only() -> None:
    assert forwarded(get("/bucket/key?")).startswith(b"GET /bucket/key HTTP/1.1\r\n")


def test_a_virtual_host_becomes_a_path() -> None:
    raw = get("/a%20b?x-id=GetObject").replace(b"gateway.test", b"bucket.s3.example.com")
    up = forwarded(raw, domains=["s3.example.com"])
    assert up.startswith(b"GET /bucket/a%20b?x-id=GetObject HTTP/1.1\r\nhost: first.test:9000\r\n")


def test_lines_that_cross_keep_order_spelling_and_bytes() -> None:
    mine = [
        "uSER-agent: x/1  y",
        "X-Amz-Meta-B:  two  spaces ",
        "Range: bytes=0-1",
        "X-Amz-Meta-A: \xe9",
        "If-Match: \"a\", 'b'",
        "Accept-Encoding: identity",
        "X-Amz-Meta-B: again",
    ]
    up = forwarded(get("/b-b/k", *mine))
    positions = [up.index(b"\r\n" + line.encode("latin-1") + b"\r\n") for line in mine]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Basic abc",
        "Connection: keep-alive",
        "Keep-Alive: timeout=5",
        "Proxy-Authorization: Basic abc",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
        "Trailer: x-amz-checksum-crc32",
        "Upgrade: h2c",
        "Cookie: a=b",
        "Date: Mon, 01 Sep 2025 16:21:48 GMT",
        "X-Amz-Date: 20250901T162148Z",
        "x-AMZ-security-token: token",
        "Expect: 100-continue",
    ],
)
def test_lines_that_stay_behind(line: str) -> None:
    name, _, value = line.partition(": ")
    up = forwarded(get("/b-b/k", "A: 1", line, "B: 2"))
    assert kept(up) == [("A", "1"), ("B", "2")]
    assert value.encode() not in up
    assert len([have for have, _ in lines(up) if have.lower() == name.lower()]) <= 1


def test_names_that_only_begin_alike_cross() -> None:
    mine = ["Hosting: 1", "X-Hosted: 2", "Date-X: 3", "Ten: 4", "Viable: 5", "X-Amz-Dated: 6"]
    assert [f"{name}: {value}" for name, value in kept(forwarded(get("/b-b/k", *mine)))] == mine


def test_lines_that_connection_lists_stay_behind() -> None:
    up = forwarded(
        get("/b-b/k", "Connection: x-hop, X-Other", "x-hop: 1", "X-OTHER: 2", "x-hop2: 3")
    )
    assert kept(up) == [("x-hop2", "3")]
    odd = forwarded(get("/b-b/k", "Connection: x.hop", "xahop: 1", "x.hop: 2"))
    assert kept(odd) == [("xahop", "1")]


@pytest.mark.parametrize("mode", ["open", "sigv4"])
def test_presign_parameters_stay_behind(mode: str) -> None:
    request = AWSRequest("GET", "http://gateway.test/b-b/k?x-id=GetObject&a=%2F")
    from botocore.auth import S3SigV4QueryAuth

    S3SigV4QueryAuth(Credentials("AKIDCLIENT", "client-secret"), "s3", "eu", 60).add_auth(request)
    target = request.url.partition("gateway.test")[2]
    up = forwarded(get(target), mode=mode)
    assert up.startswith(b"GET /b-b/k?x-id=GetObject&a=%2F HTTP/1.1\r\n")
    assert b"AKIDCLIENT" not in up
    assert field(up, "x-amz-content-sha256") == "UNSIGNED-PAYLOAD"


def test_the_signature_is_botocores() -> None:
    """And covers host, content-md5 and every x-amz-* line, and nothing else."""
    mine = {
        "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==",
        "x-amz-meta-a": "two  spaces",
        "x-amz-acl": "private",
        "user-agent": "x",
        "range": "bytes=0-1",
    }
    raw = get("/b-b/a%20b?versionId=1", *(f"{name}: {value}" for name, value in mine.items()))
    up = forwarded(raw)
    authorization = field(up, "authorization")
    found = re.search("SignedHeaders=([^,]*)", authorization)
    assert found
    signed = found[1].split(";")
    assert signed == [
        "content-md5",
        "host",
        "x-amz-acl",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-meta-a",
    ]
    request = AWSRequest("GET", "http://first.test:9000/b-b/a%20b?versionId=1")
    for name in signed:
        request.headers[name] = field(up, name)
    request.context["timestamp"] = field(up, "x-amz-date")
    auth = S3SigV4Auth(Credentials(*TARGET_KEY), "s3", "us-east-1")
    canonical = auth.canonical_request(request)
    expected = auth.signature(auth.string_to_sign(request, canonical), request)
    assert authorization.endswith(f"Signature={expected}")


def test_a_session_token_of_the_target_goes_up_instead_of_the_clients() -> None:
    credentials = document()["credentials"]
    credentials["first"]["token"] = "ours"
    up = forwarded(get("/b-b/k", "X-Amz-Security-Token: theirs"), credentials=credentials)
    assert field(up, "x-amz-security-token") == "ours"
    assert "x-amz-security-token" in field(up, "authorization")


def test_the_length_goes_up_once_and_only_if_there_was_one() -> None:
    assert (
        field(forwarded(get("/b-b/k", "Content-Length: 007", method="PUT")), "content-length")
        == "7"
    )
    assert b"content-length" not in forwarded(get("/b-b/k")).lower()


def test_via_is_continued() -> None:
    assert field(forwarded(get("/b-b/k")), "via") == "1.1 s3gateway-rig"
    up = forwarded(get("/b-b/k", "Via: 1.0 a", "Via: 1.1 b"))
    assert field(up, "via") == "1.0 a,1.1 b, 1.1 s3gateway-rig"


@pytest.mark.parametrize(
    ("path", "goes_up"),
    [
        ("/r-b?list-type=2", False),
        ("/b-b?uploads", False),  # its upload ids are sealed
        ("/r-b/k", True),  # the object is the client's to decode
        ("/b-b?list-type=2", True),
    ],
)
def test_the_codings_that_a_client_accepts_go_up_if_the_gateway_reads_nothing(
    path: str, goes_up: bool
) -> None:
    """Browsers accept br and zstd, which the gateway cannot read."""
    rules = (Rule(1, 1, "r-b", "first", rewrite=Rewriting("new-b", "main/")),)
    up = forwarded(get(path, "Accept-Encoding: gzip, deflate, br, zstd"), rules=rules)
    assert (b"\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" in up) == goes_up
