"""Verifying and signing against botocore, for arbitrary keys, queries and headers.

botocore's own `add_auth` reads the clock, so the requests are signed now and verified now.
"""

from __future__ import annotations

import string
import time
from collections.abc import Callable
from urllib.parse import quote, unquote_to_bytes

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.http.head import RequestHead, parse_request_head
from fastpath.http.query import parse_query, upstream_query
from fastpath.limits import Limits
from fastpath.signing.sigv4.canonical import (
    canonical_headers,
    canonical_path,
    canonical_query,
    canonical_raw_query,
    signed_names,
)
from fastpath.signing.sigv4.dates import parse_basic
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.sign import Credentials, Signer
from fastpath.signing.sigv4.verify import Proof, authenticate
from tests.property.depth import DEPTH

KEY, SECRET, REGION, HOST = "AKIDPROPERTYEXAMPLE0", "property/secret+EXAMPLE", "eu-west-1", "h:8000"
BOTO = BotoCredentials(KEY, SECRET)
IDENTITIES = {KEY.encode(): Identity("property", KEY.encode(), SECRET.encode())}
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
# botocore sends a head line to line: nothing to do with sockets, so no deadline per example.
quick = settings(
    max_examples=50 * DEPTH, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

Pairs = list[tuple[str, str]]

keys = st.text(min_size=1, max_size=60).filter(lambda key: _encodable(key))
words = st.text(max_size=20).filter(lambda word: _encodable(word))
queries = st.lists(st.tuples(words.filter(bool), words), max_size=5).filter(
    lambda pairs: (
        not any(name.lower().startswith("x-amz-") or name == "Signature" for name, _ in pairs)
    )
)
visible = string.ascii_letters + string.digits + string.punctuation
values = st.text(visible + "  \t", max_size=30).map(lambda value: value.strip(" \t"))
amz_headers = st.dictionaries(
    st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=12).map(
        lambda name: "x-amz-meta-" + name
    ),
    values,
    max_size=4,
)
methods = st.sampled_from(("GET", "PUT", "HEAD", "DELETE", "POST"))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False  # lone surrogates
    return True


def url_of(key: str, query: Pairs) -> str:
    """The URL as botocore's serializer writes it."""
    url = f"http://{HOST}/bucket/" + quote(key, safe="/~")
    if query:
        url += "?" + "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in query)
    return url


def raw_of(request: AWSRequest) -> bytes:
    target = request.url.removeprefix(f"http://{HOST}")
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def head_of(request: AWSRequest) -> RequestHead:
    return parse_request_head(raw_of(request), Limits())


def verify(head: RequestHead, now: float) -> Proof:
    return authenticate(head, parse_query(head.query), IDENTITIES, now)


def signed_by_botocore(method: str, key: str, query: Pairs, headers: dict[str, str]) -> AWSRequest:
    request = AWSRequest(method, url_of(key, query), headers=headers)
    S3SigV4Auth(BOTO, "s3", REGION).add_auth(request)
    return request


def presigned_by_botocore(
    method: str, key: str, query: Pairs, headers: dict[str, str]
) -> AWSRequest:
    request = AWSRequest(method, url_of(key, query), headers=headers)
    S3SigV4QueryAuth(BOTO, "s3", REGION, expires=300).add_auth(request)
    return request


@quick
@given(methods, keys, queries, amz_headers)
def test_botocore_header_signatures_are_believed(
    method: str, key: str, query: Pairs, headers: dict[str, str]
) -> None:
    proof = verify(head_of(signed_by_botocore(method, key, query, headers)), time.time())
    assert (proof.payload, proof.presigned) == (EMPTY.encode(), False)


@quick
@given(methods, keys, queries, amz_headers)
def test_botocore_presigned_urls_are_believed(
    method: str, key: str, query: Pairs, headers: dict[str, str]
) -> None:
    request = presigned_by_botocore(method, key, query, headers)
    head = head_of(request)
    proof = verify(head, time.time())
    assert (proof.payload, proof.presigned) == (b"UNSIGNED-PAYLOAD", True)
    kept = parse_query(upstream_query(head.query))
    first: dict[str, str] = {}  # botocore's presigner keeps the first of repeated parameters
    for name, value in query:
        first.setdefault(name, value)
    assert kept == [(name.encode(), value.encode()) for name, value in first.items()]


@quick
@given(methods, keys, queries, amz_headers)
def test_signer_and_botocore_sign_alike(
    method: str, key: str, query: Pairs, headers: dict[str, str]
) -> None:
    request = signed_by_botocore(method, key, query, headers)
    head = head_of(request)
    now = parse_basic(head.fields[b"x-amz-date"])
    assert now is not None
    mine = [(n, v) for n, v in head.headers if n.startswith(b"x-amz-meta-")]
    lines = sign(head, mine, now)
    ours = lines[0].removeprefix(b"authorization: ").removesuffix(b"\r\n")
    theirs = head.fields[b"authorization"]
    assert ours == theirs.replace(b", ", b",")


def sign(head: RequestHead, amz: list[tuple[bytes, bytes]], now: float) -> list[bytes]:
    signer = Signer(Credentials(KEY.encode(), SECRET.encode()), REGION.encode())
    return signer.sign(head.method, head.path, head.query, HOST.encode(), amz, EMPTY.encode(), now)


# What may be on a request line that no SDK wrote: every visible byte, escapes good and bad.
raw_paths = st.text(visible.replace("?", "").replace("#", ""), max_size=40).map(lambda t: "/b/" + t)
raw_queries = st.text(visible.replace("#", ""), max_size=40).filter(
    lambda text: "Amz" not in text and "Signature" not in text and "%" not in text
)
repeated = st.lists(
    st.tuples(st.sampled_from(("x-amz-meta-a", "x-amz-meta-b", "x-amz-acl")), values), max_size=4
)


@quick
@given(methods, raw_paths, raw_queries, repeated)
def test_what_signer_signs_is_believed(
    method: str, path: str, query: str, amz: list[tuple[str, str]]
) -> None:
    now = 1_756_744_908.5
    verify(parse_request_head(signed_by_signer(method, path, query, amz, now), Limits()), now)


def signed_by_signer(
    method: str, path: str, query: str, amz: list[tuple[str, str]], now: float
) -> bytes:
    headers = [(name.encode(), value.encode()) for name, value in amz]
    signer = Signer(Credentials(KEY.encode(), SECRET.encode()), REGION.encode())
    lines = signer.sign(
        method.encode(),
        path.encode(),
        query.encode(),
        HOST.encode(),
        headers,
        EMPTY.encode(),
        now,
    )
    target = f"{path}?{query}" if query else path
    start = f"{method} {target} HTTP/1.1\r\nhost: {HOST}\r\n".encode()
    sent = [b"%b: %b\r\n" % pair for pair in headers]
    return start + b"".join(sent) + b"".join(lines) + b"\r\n"


@pytest.mark.parametrize("make", [signed_by_botocore, presigned_by_botocore])
def test_any_flipped_bit_of_a_signed_part_is_refused(
    make: Callable[[str, str, Pairs, dict[str, str]], AWSRequest],
) -> None:
    """Each bit of the request line and of every signed header value, one at a time.

    A head that no longer parses is refused as well; what stays good must be the same request, spelt
    in another way (`%2B` and `%2b`).
    """
    request = make("GET", "a b/k+é", [("prefix", "x/y")], {"x-amz-meta-a": "Value 1"})
    raw, now = raw_of(request), time.time()
    good = parse_request_head(raw, Limits())
    verify(good, now)
    refused = 0
    for position in range(raw.index(b"\r\n\r\n")):
        for bit in range(8):
            flipped = bytearray(raw)
            flipped[position] ^= 1 << bit
            try:
                head = parse_request_head(bytes(flipped), Limits())
                verify(head, now)
            except S3Error:
                refused += 1
                continue
            assert meaning(head) == meaning(good), bytes(flipped)
    assert refused > 7 * raw.index(b"\r\n\r\n")


def meaning(head: RequestHead) -> tuple[object, ...]:
    """All that can be done with a request; names of headers are the same in any case."""
    fields = {
        name: b" ".join(v.split()) for name, v in head.fields.items() if name != b"user-agent"
    }
    if b"authorization" in fields:
        # scheme: compared without case; `, ` or `,\t` between components
        fields[b"authorization"] = b"".join(fields[b"authorization"].lower().split())
    query = canonical_query(parse_query(head.query))
    return (head.method, canonical_path(head.path), query, fields)


@quick
@given(st.binary(max_size=40).map(lambda tail: b"/" + tail))
def test_canonical_path_is_stable(raw: bytes) -> None:
    once = canonical_path(raw)
    assert canonical_path(once) == once


@quick
@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=6), st.randoms())
def test_canonical_query_does_not_depend_on_order(
    pairs: list[tuple[bytes, bytes]], random: object
) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    once = canonical_query(pairs)
    assert canonical_query(shuffled) == once
    assert sorted(parse_query(once)) == sorted(pairs)  # nothing is left unsigned


@quick
@given(st.binary(max_size=60))
def test_parse_query_takes_anything(raw: bytes) -> None:
    parse_query(raw)
    assert upstream_query(raw) in (raw, upstream_query(upstream_query(raw)))


signed_texts = st.lists(
    st.sampled_from([b"host", b"x-amz-date", b"a%b", b"", b"x-%b-%%", b"x" * 300]),
    min_size=1,
    max_size=4,
).map(b";".join)
signed_fields = st.dictionaries(
    st.sampled_from([b"host", b"x-amz-date", b"a%b", b"x-%b-%%", b"x" * 300]),
    st.sampled_from([b"", b"v", b"a b", b"a  b", b"a\tb", b"%b", b"%", b"\xff"]),
)


@given(text=signed_texts, fields=signed_fields)
def test_kept_names_make_the_lines_of_names(text: bytes, fields: dict[bytes, bytes]) -> None:
    assert signed_names(text).lines(fields) == canonical_headers(text.split(b";"), fields)


raw_queries = st.lists(
    st.text("ab=%2F0+&", max_size=8).map(str.encode) | st.just(b"prefix=data%2F&a=b"), max_size=5
).map(b"&".join)


@given(raw=raw_queries)
def test_a_raw_query_is_decoded_pair_by_pair(raw: bytes) -> None:
    parts = [part.partition(b"=") for part in raw.replace(b"+", b" ").split(b"&") if part]
    pairs = [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in parts]
    assert parse_query(raw) == pairs
    plain = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs)
    assert canonical_raw_query(raw) == "&".join("=".join(pair) for pair in plain).encode()
