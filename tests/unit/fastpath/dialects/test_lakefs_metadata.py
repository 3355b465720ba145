"""The interpreter on the rig: metadata, types, tags, directories and buckets of lakeFS."""

from __future__ import annotations

import re
from email.header import decode_header, make_header

import pytest

from tests.doubles.http1 import Answer, get, ok, put, read_answers, read_requests
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import Peer, Rig

KEY = "/repo/main/k"
TAG = 'ETag: "abc"'


def started(*requests: bytes) -> tuple[Rig, Peer]:
    rig = Rig(profile="lakefs")
    client = rig.connect()
    client.says(*requests)
    return rig, client


def answers(client: Peer, *methods: bytes) -> list[Answer]:
    return read_answers(client.heard, methods or [b"GET"], ended=client.ended)


def lines(peer: Peer) -> list[bytes]:
    return [head.partition(b" HTTP")[0] for head, _ in read_requests(peer.heard)]


# Metadata, types, directories


def _heads(rig: Rig) -> bytes:
    return b"".join(head for head, _ in read_requests(rig.target.heard)).lower()


def test_names_of_metadata_come_down_as_s3_writes_them() -> None:
    """L1: lakeFS writes them as Go does."""
    for method in ("GET", "HEAD"):
        rig, client = started(get(KEY, "Range: bytes=0-3", method=method))
        lines_ = [TAG, "X-Amz-Meta-Owner-Of: A-b", "X-Amz-Meta-N: 1", "X-Kept: 1"]
        rig.target.says(ok(b"data", *lines_, status="206 Partial Content"))
        assert b"\r\nx-amz-meta-owner-of: A-b\r\nx-amz-meta-n: 1\r\n" in client.heard
        assert b"X-Amz-Meta" not in client.heard
        assert b"\r\nX-Kept: 1\r\n" in client.heard
        assert answers(client, method.encode())[0].status == 206
        assert not rig.defects


@pytest.mark.parametrize(
    "request_",
    [put(KEY, b"x"), put(KEY, b"x", "Content-Type:"), put(f"{KEY}?uploads", b"", method="POST")],
)
def test_an_object_without_a_type_has_that_of_s3(request_: bytes) -> None:
    """L18"""
    rig, _ = started(request_)
    assert _heads(rig).count(b"\r\ncontent-type: ") == 1
    assert b"\r\ncontent-type: binary/octet-stream\r\n" in _heads(rig)


def test_a_type_stays() -> None:
    """L18"""
    for request_ in (
        put(KEY, b"x", "Content-Type: a/b"),
        put(with_sealed_id(KEY + "?uploadId=u&partNumber=1", "lakefs"), b"x"),
    ):
        rig, _ = started(request_)
        assert b"octet-stream" not in _heads(rig)


def _go(value: str) -> str:
    """What lakeFS signs for a header value: trimmed, one space of Unicode where there are more."""
    value = re.sub(f"\\A[{SPACES}]+|[{SPACES}]+\\Z", "", value)
    return re.sub(f"([{SPACES}])[{SPACES}]+", r"\1", value)


SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
ALL_SPACES = "\t \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(8192, 8203))
)
VALUES = [bytes([byte]) for byte in range(0x20, 0x100)] + [b"\t"]
VALUES += [sign.encode() for sign in ALL_SPACES]


@pytest.mark.parametrize("form", [b"a%bb", b"a%b", b"%ba", b"a %b %bb"])
def test_what_is_signed_of_metadata_is_what_lakefs_signs(form: bytes) -> None:
    """L7: every byte, and every space of Unicode, within a value and at its ends."""
    for sign in VALUES:
        value = form.replace(b"%b", sign)
        sent = value.strip(b" \t")
        rig, client = started(put(KEY, b"x", f"x-amz-meta-a: {value.decode('latin-1')}"))
        if sign == b"\x7f" and not rig.targets:
            assert answers(client, b"PUT")[0].status == 400
            continue
        (head, _) = read_requests(rig.target.heard)[0]
        (line,) = [one for one in head.split(b"\r\n") if one.lower().startswith(b"x-amz-meta-a:")]
        up = line.partition(b":")[2].strip(b" \t")
        text = up.decode()  # no U+FFFD
        assert not set(text) & set("\t\x7f")
        assert _go(text) == " ".join(part for part in text.split(" ") if part)
        if up != sent:
            try:
                meant = sent.decode()
            except UnicodeDecodeError:
                meant = sent.decode("latin-1")
            assert str(make_header(decode_header(text))) == meant


@pytest.mark.parametrize("value", ["a\tb", "a\xa0b", "\xc3\x28", "a\xc2\xa0b"])
@pytest.mark.parametrize("name", ["x-amz-storage-class", "x-amz-request-payer", "x-amz-new"])
def test_other_lines_with_such_values_are_refused(name: str, value: str) -> None:
    """L7"""
    for request_ in (put(KEY, b"x", f"{name}: {value}"), get(KEY, f"{name}: {value}")):
        rig, client = started(request_)
        (answer,) = answers(client, request_[:3])
        assert (answer.status, answer.code) == (400, "InvalidArgument")
        assert not rig.targets


ROOT = "/repo/main/"
IS_BRANCH = b"GET /repo?list-type=2&prefix=main%2F&max-keys=1"
FRAMED = (
    "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "Content-Encoding: aws-chunked",
)
TRAILER = "x-amz-trailer: x-amz-checksum-crc32"
EMPTY = b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
IN_CHUNKS = (*FRAMED, TRAILER, "Transfer-Encoding: chunked")


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)


@pytest.mark.parametrize(
    "request_",
    [
        put(ROOT, b""),
        put(ROOT, EMPTY, *FRAMED, TRAILER, "x-amz-decoded-content-length: 0"),
        get(ROOT, *IN_CHUNKS, "x-amz-decoded-content-length: 0", method="PUT") + chunked(EMPTY),
        put(ROOT, b"", "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==", "Content-Type: application/x-dir"),
    ],
)
def test_a_directory_of_a_branch_is_answered_and_not_stored(request_: bytes) -> None:
    """L15"""
    rig, client = started(request_)
    assert lines(rig.target) == [IS_BRANCH]
    rig.target.says(ok(b"<ListBucketResult/>"))
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.fields["etag"]) == (200, '"d41d8cd98f00b204e9800998ecf8427e"')
    assert (answer.body, lines(rig.target)) == (b"", [IS_BRANCH])
    if "connection" not in answer.fields:  # a chunked body ends its connection, as everywhere
        client.says(get(KEY))
        rig.target.says(ok(b"next"))
        assert answers(client, b"PUT", b"GET")[1].body == b"next"
    assert not rig.defects


@pytest.mark.parametrize(
    "request_",
    [
        put(ROOT, b"data"),
        put(ROOT, b"4\r\ndata\r\n" + EMPTY, *FRAMED, TRAILER, "x-amz-decoded-content-length: 4"),
        get(ROOT, *IN_CHUNKS, "x-amz-decoded-content-length: 0", method="PUT")
        + chunked(b"4\r\ndata\r\n" + EMPTY),
        put(ROOT, b"", "Content-MD5: " + "A" * 22 + "=="),
    ],
)
def test_a_body_of_a_directory_is_refused(request_: bytes) -> None:
    """L15"""
    rig, client = started(request_)
    if rig.targets:
        rig.target.says(ok(b"<ListBucketResult/>"))
    (answer,) = answers(client, b"PUT")
    assert answer.status == 400
    assert answer.code in ("InvalidRequest", "BadDigest", "IncompleteBody")
    assert not [line for peer in rig.targets for line in lines(peer) if line != IS_BRANCH]
    assert not rig.defects


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (ok(b"<Error><Code>BadRequest</Code></Error>", status="400 Bad Request"), 404),
        (ok(b"<Error><Code>NoSuchBucket</Code></Error>", status="404 Not Found"), 404),
        (ok(status="403 Forbidden"), 403),
        (ok(status="500 Oops"), 503),
    ],
)
def test_a_directory_of_a_branch_that_is_not_there(reply: bytes, status: int) -> None:
    """L15"""
    rig, client = started(put(ROOT, b""))
    rig.target.says(reply)
    assert answers(client, b"PUT")[0].status == status


# Tags and buckets


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (b"HTTP/1.1 404 Not Found\r\nx-amz-request-id: 1\r\n\r\n", "NoSuchKey"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "NoSuchBucket"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "ServiceUnavailable"),
    ],
)
def test_tags_of_an_object_that_is_not_there(reply: bytes, code: str) -> None:
    """C8, L16"""
    rig, client = started(get(f"{KEY}?tagging"))
    assert lines(rig.target) == [b"HEAD /repo/main/k"]
    rig.target.says(reply)
    assert answers(client)[0].code == code


def test_an_object_has_no_tags() -> None:
    """C8, L16"""
    rig, client = started(get(f"{KEY}?tagging"))
    rig.target.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    assert lines(rig.target)[1:] == [b"GET /repo/main/k?tagging="]
    rig.target.says(ok(b"<Tagging><TagSet></TagSet></Tagging>", "Content-Type: text/xml"))
    (answer,) = answers(client)
    assert (answer.status, b"<TagSet/></Tagging>" in answer.body) == (200, True)
    rig, client = started(get(f"{KEY}?tagging&versionId=1"))
    assert (answers(client)[0].status, rig.targets) == (501, [])


@pytest.mark.parametrize(
    ("bucket", "reply", "status", "code"),
    [
        ("repo", b"HTTP/1.1 200 OK\r\n\r\n", 409, "BucketAlreadyOwnedByYou"),
        ("repo", b"HTTP/1.1 404 Not Found\r\n\r\n", 501, "NotImplemented"),
        ("repo", b"HTTP/1.1 403 Forbidden\r\n\r\n", 403, "AccessDenied"),
        ("repo", b"HTTP/1.1 500 Oops\r\n\r\n", 503, "ServiceUnavailable"),
        ("my.bucket", b"", 501, "NotImplemented"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<CreateBucketConfiguration/>"])
def test_a_bucket_is_never_made(
    bucket: str, reply: bytes, status: int, code: str, body: bytes
) -> None:
    """C9"""
    rig, client = started(put(f"/{bucket}", body))
    if reply:
        assert lines(rig.target) == [b"HEAD /repo"]
        rig.target.says(reply)
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code) == (status, code)
    assert not [line for peer in rig.targets for line in lines(peer) if b"PUT" in line]
    assert not rig.defects


def test_a_key_below_a_tag_is_refused_by_itself() -> None:
    """L9: as a DeleteObject of it is; the others are deleted."""
    keys = b"".join(b"<Object><Key>%b</Key></Object>" % key for key in (b"v1.0/a", b"main/b"))
    rig, client = started(put("/repo?delete", b"<Delete>" + keys + b"</Delete>", method="POST"))
    assert b"main/b" in rig.target.heard
    assert b"v1.0" not in rig.target.heard
    rig.target.says(ok(b"<DeleteResult><Deleted><Key>main/b</Key></Deleted></DeleteResult>"))
    (answer,) = answers(client, b"POST")
    assert b"<Deleted><Key>main/b</Key></Deleted>" in answer.body
    assert b"<Key>v1.0/a</Key>" in answer.body
    assert b"<Code>MethodNotAllowed</Code>" in answer.body
