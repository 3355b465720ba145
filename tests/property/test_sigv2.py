"""Signature Version 2 against botocore, for arbitrary keys, queries and headers.

botocore's own `add_auth` reads the clock, so the requests are signed now and verified now.
"""

from __future__ import annotations

import string
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.http.head import RequestHead, parse_request_head
from fastpath.http.query import (
    is_content_header,
    is_enforced_in_query,
    parse_query,
    presigned_headers,
    upstream_query,
)
from fastpath.limits import Limits
from fastpath.s3.addressing import locate
from fastpath.signing.authentication import Accepted, Sigv2, authenticate
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.verify import Proof
from tests.property.depth import DEPTH

KEY, SECRET, HOST, DOMAIN = "AKIDPROPERTYEXAMPLE2", "property/secret+TWO", "h.test:8000", "h.test"
BOTO = Credentials(KEY, SECRET)
IDENTITIES = {KEY.encode(): Identity("property", KEY.encode(), SECRET.encode())}
quick = settings(
    max_examples=50 * DEPTH, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

Pairs = list[tuple[str, str]]
Make = Callable[[str, str, Pairs, dict[str, str]], AWSRequest]


def _usable(text: str) -> bool:
    """Neither a lone surrogate nor a path that leaves its bucket."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return ".." not in text


keys = st.text(min_size=1, max_size=60).filter(_usable)
# A value with & and a signed name after it is refused: the corpus has it.
overrides = st.text(max_size=20).filter(lambda text: _usable(text) and "&" not in text)
SIGNED = ("uploadId", "partNumber", "versionId", "response-content-type", "response-expires")
FREE = ("prefix", "marker", "max-keys", "delimiter", "list-type", "x-id", "encoding-type")
queries = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(SIGNED), overrides.filter(bool)),
        st.tuples(st.sampled_from(FREE), overrides),
    ),
    max_size=5,
)
visible = string.ascii_letters + string.digits + string.punctuation
values = st.text(visible + " ", max_size=30).map(str.strip)
amz_headers = st.dictionaries(
    st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=12).map(
        lambda name: "x-amz-meta-" + name
    ),
    values,
    max_size=4,
)
plain_headers = st.fixed_dictionaries(
    {}, optional={"Content-Type": values.filter(bool), "Content-MD5": values.filter(bool)}
)
methods = st.sampled_from(("GET", "PUT", "HEAD", "DELETE", "POST"))


def url_of(key: str, query: Pairs) -> str:
    """The URL as botocore's serializer writes it."""
    url = f"http://{HOST}/bucket/" + quote(key, safe="/~")
    if query:
        url += "?" + "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in query)
    return url


def head_of(raw: bytes) -> RequestHead:
    return parse_request_head(raw, Limits())


def raw_of(request: AWSRequest) -> bytes:
    target = request.url.removeprefix(f"http://{HOST}")
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def verify(head: RequestHead, now: float) -> Proof:
    address = locate(head, (DOMAIN.encode(),))
    return authenticate(
        head, parse_query(head.query), address, IDENTITIES, Accepted(Sigv2.ALL), now
    )


def signed(method: str, key: str, query: Pairs, headers: dict[str, str]) -> AWSRequest:
    request = AWSRequest(method, url_of(key, query), headers=headers)
    HmacV1Auth(BOTO).add_auth(request)
    return request


def presigned(method: str, key: str, query: Pairs, headers: dict[str, str]) -> AWSRequest:
    """As botocore makes it, and sent as it means it: the two headers that are signed are sent."""
    request = AWSRequest(method, url_of(key, query), headers=headers)
    HmacV1QueryAuth(BOTO, expires=300).add_auth(request)
    for name in list(request.headers):
        if name.lower() not in ("content-type", "content-md5"):
            del request.headers[name]
    return request


@quick
@given(methods, keys, queries, amz_headers, plain_headers)
def test_botocore_headers_are_believed(
    method: str, key: str, query: Pairs, amz: dict[str, str], plain: dict[str, str]
) -> None:
    proof = verify(head_of(raw_of(signed(method, key, query, {**amz, **plain}))), time.time())
    assert (proof.payload, proof.presigned) == (b"UNSIGNED-PAYLOAD", False)


@quick
@given(methods, keys, queries, amz_headers, plain_headers)
def test_botocore_urls_are_believed_and_nothing_of_them_goes_upstream(
    method: str, key: str, query: Pairs, amz: dict[str, str], plain: dict[str, str]
) -> None:
    head = head_of(raw_of(presigned(method, key, query, {**amz, **plain})))
    proof = verify(head, time.time())
    assert (proof.payload, proof.presigned) == (b"UNSIGNED-PAYLOAD", True)
    moved = presigned_headers(parse_query(head.query))
    believed = {name: value for name, value in moved if is_enforced_in_query(name)}
    assert believed == {name.encode(): value.encode() for name, value in amz.items()}
    kept = parse_query(upstream_query(head.query, [name for name, _ in moved]))
    assert kept == [(name.encode(), value.encode()) for name, value in query]


@quick
@given(keys, queries)
def test_a_bucket_in_the_host_is_signed_before_the_path(key: str, query: Pairs) -> None:
    request = presigned("GET", key, query, {})
    target = request.url.removeprefix(f"http://{HOST}/bucket")
    raw = f"GET {target} HTTP/1.1\r\nHost: bucket.{HOST}\r\n\r\n".encode()
    verify(head_of(raw), time.time())


@pytest.mark.parametrize("make", [signed, presigned])
def test_any_flipped_bit_of_a_signed_part_is_refused(make: Make) -> None:
    """Each bit of the request line and of every header, one at a time.

    A head that no longer parses is refused as well; what stays good must mean the same.
    """
    headers = {"x-amz-meta-a": "Value 1", "Content-Type": "text/plain"}
    query = [("versionId", "x/y"), ("response-content-type", "a;b")]
    raw, now = raw_of(make("GET", "a b/k+é", query, headers)), time.time()
    verify(head_of(raw), now)
    good, refused = meaning(head_of(raw)), 0
    end = raw.index(b"\r\n\r\n")
    for position in range(end):
        for bit in range(8):
            flipped = bytearray(raw)
            flipped[position] ^= 1 << bit
            try:
                head = head_of(bytes(flipped))
                verify(head, now)
            except S3Error:
                refused += 1
                continue
            assert meaning(head) == good, bytes(flipped)
    assert refused > 6 * end


def meaning(head: RequestHead) -> tuple[object, ...]:
    """All that can be done with a request, as far as SigV2 signs it: Host is not signed."""
    unsigned = (b"host", b"date", b"user-agent")
    fields = {name: value for name, value in head.fields.items() if name not in unsigned}
    if b"authorization" in fields:
        scheme, _, rest = fields[b"authorization"].partition(b" ")
        fields[b"authorization"] = scheme.upper() + rest
    address = locate(head, ())
    # The two headers that botocore repeats are what counts, not their repetition.
    # x-amz-* is a header wherever it stands, and its name the same in any case.
    query = [
        (name.lower() if name.lower().startswith(b"x-amz-") else name, value)
        for name, value in parse_query(head.query)
        if not is_content_header(name)
    ]
    return (head.method, address.path, sorted(query), fields)


@quick
@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=5))
def test_any_query_is_an_answer_and_never_another_exception(
    query: list[tuple[bytes, bytes]],
) -> None:
    parts = ["=".join((quote(n), quote(v))) for n, v in query]
    parts += [f"AWSAccessKeyId={KEY}", "Expires=99999999999", "Signature=x"]
    raw = f"GET /bucket/key?{'&'.join(parts)} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    with pytest.raises(S3Error):
        verify(head_of(raw), 0.0)
