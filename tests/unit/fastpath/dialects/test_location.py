"""Where something is, as an answer says it: the client's address, never the target's."""

from __future__ import annotations

import pytest

from tests.doubles.http1 import Answer, get, ok, put, read_answers
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import Peer, Rig

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
OPEN = b'<CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
REST = b"<Bucket>bkt</Bucket><Key>main/a&amp;b</Key><ETag>&quot;e-2&quot;</ETag>"
END = b"</CompleteMultipartUploadResult>"
PARTS = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part>"
PARTS += b"</CompleteMultipartUpload>"
PROFILES = pytest.mark.parametrize("profile", ["s3", "generic", "seaweedfs", "lakefs"])


def result(location: bytes = b"http://first.test:9000/bkt/main/a%26b") -> bytes:
    return DECLARATION + OPEN + b"<Location>" + location + b"</Location>" + REST + END


def completing(profile: str, path: str = "/bkt/main/a%26b", **options: object) -> tuple[Rig, Peer]:
    rig = Rig(profile=profile, **options)
    rig.worker.bucket_regions.any_redirected = False
    client = rig.connect()
    client.says(put(with_sealed_id(f"{path}?uploadId=u", profile), PARTS, method="POST"))
    return rig, client


def answer(client: Peer) -> Answer:
    (found,) = read_answers(client.heard, [b"POST"], ended=client.ended)
    return found


@PROFILES
def test_the_location_is_the_clients(profile: str) -> None:
    """L5, P2: and every other byte is the target's."""
    rig, client = completing(profile)
    rig.target.says(ok(result(), "Content-Type: application/xml", "x-store: 1"))
    found = answer(client)
    assert found.body == result(b"http://gateway.test/bkt/main/a%26b")
    assert found.fields["content-length"] == str(len(found.body))
    assert found.fields["x-store"] == "1"
    client.says(get("/bkt/main/k"))
    assert len(rig.targets) == 1  # both connections go on
    assert not rig.defects


@PROFILES
def test_the_location_of_a_bucket_in_the_host(profile: str) -> None:
    """L5, P2"""
    rig = Rig(profile=profile, domains=["gateway.test"])
    client = rig.connect()
    host = b"bkt.gateway.test:8080"
    path = with_sealed_id("/main/it's?uploadId=u", profile, bucket="bkt")
    request = put(path, PARTS, method="POST")
    client.says(request.replace(b"gateway.test", host, 1))
    rig.target.says(ok(result()))
    assert answer(client).body == result(b"http://bkt.gateway.test:8080/main/it's")


@PROFILES
def test_white_space_passes_while_the_target_works(profile: str) -> None:
    """L5, P2: AWS sends the declaration and spaces, so that nobody hangs up."""
    rig, client = completing(profile)
    head, body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", result()

    def chunk(data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data)

    rig.target.says(head + chunk(DECLARATION[:9]))
    assert not client.heard
    rig.target.says(chunk(DECLARATION[9:]))
    assert DECLARATION in client.heard
    client.take()
    rig.target.says(chunk(b"   "))
    assert client.take() == chunk(b"   ")
    rest = body.removeprefix(DECLARATION)
    rig.target.says(*[chunk(rest[at : at + 1]) for at in range(len(rest))])
    assert not client.heard
    rig.target.says(b"0\r\n\r\n")
    expected = result(b"http://gateway.test/bkt/main/a%26b").removeprefix(DECLARATION)
    assert client.heard == chunk(expected) + b"0\r\n\r\n"
    assert not rig.defects


@PROFILES
def test_a_chunked_document_that_comes_at_once_gets_a_length(profile: str) -> None:
    """A target that is fast sends no white space: the head goes on with the whole document."""
    rig, client = completing(profile)
    head, body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", result()
    rig.target.says(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    assert answer(client).body == result(b"http://gateway.test/bkt/main/a%26b")
    assert not rig.defects


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   <Error><Code>InternalError</Code></Error>",
        OPEN + REST + END,
        b"<html>" + b"x" * 100000,
        b"no document",
    ],
)
def test_a_document_without_a_location_stays(body: bytes) -> None:
    """L5, P2"""
    rig, client = completing("generic")
    rig.target.says(ok(body))
    assert (answer(client).status, answer(client).body) == (200, body)


def test_the_location_may_have_a_prefix_or_a_space() -> None:
    """L5, P2"""
    rig, client = completing("generic")
    root = b"s3:CompleteMultipartUploadResult"
    before, after = b"<" + root + b"><s3:Location >", b"</s3:Location></" + root + b">"
    rig.target.says(ok(before + b"http://first.test" + after))
    assert answer(client).body == before + b"http://gateway.test/bkt/main/a%26b" + after


@pytest.mark.parametrize(
    ("told", "heard"),
    [
        ("http://first.test:9000/bkt/", "http://gateway.test/bkt"),
        ("//first.test:9000/bkt/", "http://gateway.test/bkt"),
        ("/bkt", "/bkt"),
    ],
)
def test_where_a_new_bucket_is(told: str, heard: str) -> None:
    """P2"""
    rig = Rig(profile="generic")
    client = rig.connect()
    client.says(get("/bkt", "Content-Length: 0", method="PUT"))
    rig.target.says(ok(b"", f"Location: {told}", "x-store: 1"))
    (found,) = read_answers(client.heard, [b"PUT"])
    assert (found.fields["location"], found.fields["x-store"]) == (heard, "1")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_redirect_to_the_target_itself_is_the_operators_business(method: str) -> None:
    """P2"""
    rig = Rig(profile="generic")
    client = rig.connect()
    client.says(get("/bkt/k", method=method))
    rig.target.says(ok(b"", "Location: https://first.test/bkt/k", status="308 Permanent Redirect"))
    (found,) = read_answers(client.heard, [method.encode()])
    assert found.status == 503
    assert b"first.test" not in client.heard
    (event,) = rig.lines("event")
    assert event["message"].startswith("redirects to itself, at https://first.test")
