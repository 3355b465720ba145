"""What aws-sdk-js v2 presigns: headers of the content in the query, signed headers in it only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest

from fastpath.errors import S3Error
from fastpath.http.head import RequestHead
from tests.doubles.wire import KEY
from tests.unit.fastpath.request.test_implied_operations import granted
from tests.unit.fastpath.request.test_lifting import HOST, upstream

CONTENT = {
    "Content-Type": "image/png",
    "Cache-Control": "max-age=1, private",
    "Content-Disposition": 'attachment; filename="a b"',
    "Content-Encoding": "gzip",
    "Content-Language": "de",
}
Fields = Mapping[str, str]


def v4(in_query: Fields, *, signed: Fields | None = None, sent: Fields | None = None) -> bytes:
    """`in_query` stands in the query; `signed` in SignedHeaders; `sent` are header lines."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    signed = {"host": HOST, **{name.lower(): value for name, value in (signed or {}).items()}}
    query = {
        **in_query,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{KEY[0]}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": ";".join(sorted(signed)),
    }
    encoded = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in sorted(query.items()))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    names = query["X-Amz-SignedHeaders"]
    text = f"PUT\n/b-b/main/k\n{encoded}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(text.encode()).hexdigest()
    key = b"AWS4" + KEY[1].encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"):
        key = hmac.digest(key, part.encode(), "sha256")
    return request(f"{encoded}&X-Amz-Signature={key.hex()}", sent or {})


def v2(in_query: Fields, *, sent: Fields | None = None, signed_type: str = "") -> bytes:
    """`signed_type` is the Content-Type that was signed."""
    expires = str(int(time.time()) + 900)
    amz = "".join(f"{n}:{v}\n" for n, v in sorted(in_query.items()) if n.startswith("x-amz-"))
    text = f"PUT\n\n{signed_type}\n{expires}\n{amz}/b-b/main/k"
    signature = base64.b64encode(hmac.digest(KEY[1].encode(), text.encode(), "sha1")).decode()
    query = {**in_query, "AWSAccessKeyId": KEY[0], "Expires": expires, "Signature": signature}
    return request("&".join(f"{n}={quote(v, safe='')}" for n, v in query.items()), sent or {})


def request(query: str, sent: Fields) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    head = f"PUT /b-b/main/k?{query} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n{lines}\r\n"
    return head.encode()


def nothing_of_the_content(head: RequestHead) -> bool:
    default = (None, b"binary/octet-stream")  # L18: lakeFS is told the type that S3 has
    return all(head.fields.get(name.lower().encode()) in default for name in CONTENT)


@pytest.mark.parametrize("profile", ["s3", "lakefs"])
@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("spelt", [str, str.lower])
def test_headers_of_the_content_in_the_query_of_v4(profile: str, name: str, spelt: Any) -> None:
    """C4: a writer may send it; S3 does not read them there, and no target gets them."""
    raw = v4({spelt(name): CONTENT[name]})
    head = upstream(raw, profile=profile, **granted("write"))
    assert head.query == b""
    assert nothing_of_the_content(head)


def test_a_header_that_is_sent_as_well_is_what_counts_in_v4() -> None:
    """C4: the header goes up as it was sent, whatever the query says."""
    raw = v4({"Content-Type": "image/png"}, sent={"Content-Type": "text/html"})
    assert upstream(raw).fields[b"content-type"] == b"text/html"


@pytest.mark.parametrize("sent", [{}, {"Cache-Control": "no-store"}])
def test_a_signed_header_of_the_content_must_be_sent(sent: dict[str, str]) -> None:
    """C4: S3 takes it from the header alone (aws-sdk-js issues 780 and 1192)."""
    value = {"Cache-Control": "max-age=1"}
    with pytest.raises(S3Error) as caught:
        upstream(v4(value, signed=value, sent=sent))
    assert caught.value.kind.code == "SignatureDoesNotMatch"
    assert upstream(v4(value, signed=value, sent=value)).fields[b"cache-control"] == b"max-age=1"


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("profile", ["s3", "lakefs"])
def test_headers_of_the_content_in_the_query_of_v2(profile: str, name: str) -> None:
    """C5: they are no sub-resources, so they are not signed as such."""
    head = upstream(v2({name: CONTENT[name]}), profile=profile, **granted("write"))
    assert head.query == b""
    assert nothing_of_the_content(head)


def test_a_content_type_that_was_signed_with_v2_must_be_sent() -> None:
    """C5: as measured on AWS."""
    query, value = {"Content-Type": "image/png"}, "image/png"
    sent = upstream(v2(query, signed_type=value, sent={"Content-Type": value}))
    assert sent.fields[b"content-type"] == b"image/png"
    with pytest.raises(S3Error) as caught:
        upstream(v2(query, signed_type=value))
    assert caught.value.kind.code == "SignatureDoesNotMatch"


def test_conditions_in_a_query_are_not_ignored() -> None:
    """C4, C5: an upload that was meant to depend on one must not happen without it."""
    for raw in (v4({"If-None-Match": "*"}), v2({"If-None-Match": "*"})):
        with pytest.raises(S3Error):
            upstream(raw, **granted("write"))


def test_such_names_make_an_unclassified_request_where_nobody_presigned() -> None:
    """C4: only a presigner has a reason."""
    raw = b"PUT /b-b/main/k?Cache-Control=a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(S3Error) as caught:
        upstream(raw, mode="open", profile="lakefs")
    assert caught.value.kind.code == "NotImplemented"


ACL = {"x-amz-acl": "public-read"}


@pytest.mark.parametrize("sent", [{}, ACL])
def test_a_signed_header_that_stands_in_the_query_only(sent: dict[str, str]) -> None:
    """C6: good with and without the header, and the header goes up."""
    head = upstream(v4(ACL, signed=ACL, sent=sent))
    assert (head.query, head.fields[b"x-amz-acl"]) == (b"", b"public-read")


def test_it_needs_the_right_that_the_header_needs() -> None:
    """C6, B2: through the same table."""
    raw = v4(ACL, signed=ACL)
    with pytest.raises(S3Error) as caught:
        upstream(raw, **granted("write"))
    assert caught.value.kind.code == "AccessDenied"
    assert upstream(raw, **granted("write", "PutObjectAcl")).fields[b"x-amz-acl"] == b"public-read"


@pytest.mark.parametrize(
    ("signed", "sent"), [({"x-amz-acl": "private"}, {}), (ACL, {"x-amz-acl": "private"})]
)
def test_another_value_than_the_signed_one(signed: dict[str, str], sent: dict[str, str]) -> None:
    """C6: neither in the query nor in the header."""
    with pytest.raises(S3Error) as caught:
        upstream(v4(ACL, signed=signed, sent=sent))
    assert caught.value.kind.code == "SignatureDoesNotMatch"


def test_metadata_as_the_sdk_signs_it() -> None:
    """C6: every x-amz-* header is signed as one and repeated in the query."""
    more = {"x-amz-meta-a": "b c", "x-amz-server-side-encryption": "AES256"}
    head = upstream(v4({**more, "Content-Type": "text/css"}, signed=more))
    assert head.fields[b"x-amz-meta-a"] == b"b c"
    assert head.fields[b"x-amz-server-side-encryption"] == b"AES256"


def test_a_copy_source_that_is_signed_and_in_the_query_only() -> None:
    """C6: it is a copy whose source is checked."""
    source = {"x-amz-copy-source": "/src-b/k"}
    raw = v4(source, signed=source)
    with pytest.raises(S3Error) as caught:
        upstream(raw, **granted("write"))
    assert caught.value.kind.code == "AccessDenied"
    assert upstream(raw).fields[b"x-amz-copy-source"] == b"/src-b/k"
