"""The interpreter on the rig: reads and writes of lakeFS, and what becomes of connections."""

from __future__ import annotations

import pytest

from tests.doubles.http1 import Answer, get, ok, put, read_answers, read_requests
from tests.doubles.wire import Peer, Rig

KEY = "/repo/main/k"
TAG = 'ETag: "abc"'
NO_KEY = ok(b"<Error><Code>NoSuchKey</Code></Error>", status="404 Not Found")


def started(*requests: bytes, profile: str = "lakefs") -> tuple[Rig, Peer]:
    rig = Rig(profile=profile)
    client = rig.connect()
    client.says(*requests)
    return rig, client


def answers(client: Peer, *methods: bytes) -> list[Answer]:
    return read_answers(client.heard, methods or [b"GET"], ended=client.ended)


def lines(peer: Peer) -> list[bytes]:
    return [head.partition(b" HTTP")[0] for head, _ in read_requests(peer.heard)]


def notes(rig: Rig) -> list[str]:
    return [line["message"] for line in rig.lines("event") if line["level"] == "warning"]


# Connections


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_error_leaves_both_connections_as_they_were(method: str) -> None:
    """A key that is not there is asked for all the time."""
    rig, client = started(get(KEY, method=method))
    rig.target.says(ok(status="404 Not Found") if method == "HEAD" else NO_KEY)
    client.says(get(KEY))
    rig.target.says(ok(b"data"))
    first, second = answers(client, method.encode(), b"GET")
    assert (first.status, second.body) == (404, b"data")
    assert len(rig.targets) == 1
    assert rig.lines("access")[0]["code"] == "NoSuchKey"


def test_a_short_body_that_is_not_wanted_is_read_away() -> None:
    rig, client = started(get(KEY, 'If-None-Match: "abc"'))
    answer = ok(b"d" * 1000, TAG)
    rig.target.says(answer[:-500])
    assert not client.heard
    rig.target.says(answer[-500:])
    assert answers(client)[0].status == 304
    client.says(get(KEY))
    rig.target.says(ok(b"next"))
    assert answers(client, b"GET", b"GET")[1].body == b"next"
    assert len(rig.targets) == 1


def test_a_long_body_that_is_not_wanted_ends_its_connection() -> None:
    rig, client = started(get(KEY, 'If-None-Match: "abc"'))
    rig.target.says(ok(b"d" * 100000, TAG)[:5000])
    assert answers(client)[0].status == 304
    assert rig.target.ended
    assert not client.ended


def test_a_body_of_unknown_length_is_read_away_up_to_a_bound() -> None:
    rig, client = started(get(KEY, 'If-Match: "other"'))
    rig.target.says(f"HTTP/1.1 200 OK\r\n{TAG}\r\n\r\n".encode(), b"d" * 60000)
    assert not client.heard
    rig.target.says(b"d" * 6000)
    assert answers(client)[0].status == 412
    assert rig.target.ended


def test_a_range_that_does_not_stand_is_asked_for_again_whole() -> None:
    rig, client = started(get(KEY, "Range: bytes=2-", 'If-Range: "old"', "X-Kept: 1"))
    assert b"range: bytes=2-" in rig.target.heard.lower()
    partial = ok(b"d" * 50, TAG, "Content-Range: bytes 2-51/52", status="206 Partial Content")
    rig.target.says(partial[:-10])
    assert rig.targets[0].ended
    again = rig.targets[1].heard.lower()
    assert b"\r\nrange:" not in again
    assert b"x-kept: 1" in again
    rig.target.says(ok(b"whole", TAG))
    assert answers(client)[0].body == b"whole"


def test_the_bytes_of_an_object_pass_as_they_come() -> None:
    rig, client = started(get(KEY))
    rig.target.says(ok(b"0123456789", TAG, "X-Other: kept")[:-5])
    assert client.heard.endswith(b"\r\n\r\n01234")
    rig.target.says(b"56789")
    (answer,) = answers(client)
    assert (answer.body, answer.fields["content-length"]) == (b"0123456789", "10")
    assert answer.fields["x-other"] == "kept"


def test_another_profile_is_not_translated() -> None:
    rig, client = started(get(KEY + "?x-id=a;b", 'If-None-Match: "abc"'), profile="s3")
    assert lines(rig.target) == [b"GET /repo/main/k?x-id=a;b"]
    rig.target.says(ok(b"data", TAG))
    assert answers(client)[0].body == b"data"


# Questions


COPY = put("/repo/main/to", b"", "x-amz-copy-source: /repo/main/a+b?versionId=null")
TYPED = put(
    "/repo/main/to",
    b"",
    "x-amz-copy-source: /repo/main/a+b",
    "x-amz-metadata-directive: REPLACE",
    "Content-Type: a/b",
)


def test_a_copy_source_is_signed_as_it_goes_up() -> None:
    rig, _ = started(COPY)
    head = rig.target.heard
    assert head.count(b"x-amz-copy-source: ") == 1
    assert b"\r\nx-amz-copy-source: /repo/main/a%2Bb\r\n" in head
    assert b"x-amz-copy-source;" in head.partition(b"SignedHeaders=")[2]


def test_the_type_of_a_source_is_asked_for_first() -> None:
    rig, client = started(TYPED)
    assert lines(rig.target) == [b"HEAD /repo/main/a%2Bb"]
    rig.target.says(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 9\r\n\r\n")
    assert lines(rig.target)[1:] == [b"PUT /repo/main/to"]
    rig.target.says(ok(b"<CopyObjectResult/>", TAG))
    assert answers(client, b"PUT")[0].status == 200
    assert len(rig.targets) == 1


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: c/d\r\nContent-Length: 9\r\n\r\n", 501),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404),
        (b"garbage\r\n\r\n", 503),
    ],
)
def test_a_copy_that_does_not_go_up(reply: bytes, status: int) -> None:
    rig, client = started(TYPED)
    rig.target.says(reply)
    assert answers(client, b"PUT")[0].status == status
    assert b"PUT" not in b"".join(peer.heard for peer in rig.targets)
    assert notes(rig) == (["gave no answer to a question"] if status == 503 else [])
    assert not rig.defects


def test_a_client_that_leaves_before_its_copy_goes_up() -> None:
    rig, client = started(TYPED)
    client.resets()
    assert rig.target.ended
    assert rig.lines("access")[-1]["code"] == "ClientGone"
    assert not rig.defects


def test_a_failed_copy_is_explained_to_the_operator() -> None:
    rig, client = started(COPY)
    text = b"<Error><Code>InvalidRequest</Code><Message>inside</Message></Error>"
    rig.target.says(ok(text, status="400 Bad Request"))
    assert lines(rig.target)[-1] == b"GET /repo?list-type=2&prefix=main%2F&max-keys=1"
    rig.target.says(ok(b"<ListBucketResult/>"))
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert b"inside" not in answer.body
    assert notes(rig) == ["refused a CopyObject: inside"]


def test_a_refused_signature_of_a_copy_is_no_missing_branch() -> None:
    refused = b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>"
    rig, client = started(COPY)
    rig.target.says(ok(refused, status="400 Bad Request"))
    rig.target.says(ok(refused, status="400 Bad Request"))
    assert answers(client, b"PUT")[0].status == 503


def test_the_size_of_an_object_is_asked_for() -> None:
    rig, client = started(get(KEY, "Range: bytes=99-"))
    rig.target.says(ok(b"<Error><Code>InvalidRange</Code></Error>", status="416 Range"))
    assert lines(rig.target)[-1] == b"HEAD /repo/main/k"
    rig.target.says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    (answer,) = answers(client)
    assert (answer.status, answer.fields["content-range"]) == (416, "bytes */10")


def test_without_a_size_it_is_an_error_all_the_same() -> None:
    rig, client = started(get(KEY, "Range: bytes=99-"))
    rig.target.says(ok(b"<Error><Code>InvalidRange</Code></Error>", status="416 Range"))
    rig.target.says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    (answer,) = answers(client)
    assert (answer.status, answer.code) == (416, "InvalidRange")


# What lakeFS, or a proxy before it, says


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("400 Bad Request", b"<Error><Code>MissingFields</Code></Error>", 503),
        ("401 Unauthorized", b'{"message":"error authenticating request"}', 503),
        ("502 Bad Gateway", b"<html>nginx</html>", 503),
        ("504 Gateway Timeout", b"", 503),
        ("403 Forbidden", b"<html>", 403),
        ("404 Not Found", b"", 404),
        ("404 Not Found", b"<html>", 404),
        ("409 Conflict", b"<Error><Code>New</Code></Error>", 503),
        ("400 Bad Request", b"<Error><Code>New</Code></Error>", 400),
        ("405 Method Not Allowed", b"<Error><Code>ERRLakeFSNotSupported</Code></Error>", 501),
        ("503 Slow", b"<Error><Code>SlowDown</Code></Error>", 503),
        ("500 Error", b"x" * 70000, 500),
    ],
)
def test_an_error_is_one_of_s3(status: str, body: bytes, expected: int) -> None:
    rig, client = started(get(KEY))
    rig.target.says(ok(body, status=status))
    (answer,) = answers(client)
    assert answer.status == expected
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>')
    assert b"LakeFS" not in answer.body
    if expected == 503:
        assert answer.fields["retry-after"] == "1"
        assert bool(notes(rig)) is (answer.code == "ServiceUnavailable")
    assert not rig.defects


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (ok(b"{}", status="401 Unauthorized"), "refused the gateway's signature: 401"),
        (
            ok(b"<Error><Code>MalformedDate</Code></Error>", status="400 Bad Request"),
            "refused the gateway's signature: MalformedDate",
        ),
        (
            ok(b"<Error><Code>NoSuchVersion</Code></Error>", status="404 Not Found"),
            "has lost the data of an object that it knows",
        ),
        (ok(b"", status="502 Bad Gateway"), "answered 502"),
    ],
)
def test_what_only_the_operator_is_told(answer: bytes, note: str) -> None:
    rig, client = started(get(KEY))
    rig.target.says(answer)
    assert notes(rig) == [note]
    assert note.encode() not in answers(client)[0].body


def test_a_put_that_was_answered_with_a_page_stored_nothing() -> None:
    """A proxy that takes the signature away makes lakeFS answer with its UI, and 200."""
    rig, client = started(put(KEY, b"data"))
    rig.target.says(ok(b"<!DOCTYPE html>", "Content-Type: text/html"))
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    (note,) = notes(rig)
    assert note.startswith("answered what cannot be translated: no document of S3 (is the target's")


# Batches


def test_the_codes_of_a_batch_are_those_of_s3() -> None:
    rig, client = started(put("/repo?delete", b"<Delete/>", method="POST"))
    rows = [
        ("main/a", "ErrDeletingKey", "InternalError"),
        ("main/b&amp;", "ErrWriteToProtectedBranch", "AccessDenied"),
        ("main/c", "AccessDenied", "AccessDenied"),
        ("main/d", "NewCode", "NewCode"),
    ]
    errors = "".join(
        f"<Error><Code>{code}</Code><Key>{key}</Key><Message>lakeFS says</Message></Error>"
        for key, code, _ in rows
    )
    deleted = "<Deleted><Key>main/e</Key></Deleted>"
    document = f'<DeleteResult xmlns="http://x">{deleted}{errors}</DeleteResult>'.encode()
    rig.target.says(ok(document)[:-200], document[-200:])
    (answer,) = answers(client, b"POST")
    text = answer.body.decode()
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult xmlns="http://s3')
    assert deleted in text
    for key, _, code in rows:
        assert f"<Error><Code>{code}</Code><Key>{key}</Key>" in text
    assert text.count("lakeFS says") == 1


def test_a_batch_without_rows() -> None:
    rig, client = started(put("/repo?delete", b"<Delete/>", method="POST"))
    rig.target.says(ok(b"<DeleteResult/>"))
    (answer,) = answers(client, b"POST")
    assert answer.body.endswith(b"</DeleteResult>")
    assert answer.fields["content-length"] == str(len(answer.body))


def test_a_row_without_a_key_is_not_understood() -> None:
    rig, client = started(put("/repo?delete", b"<Delete/>", method="POST"))
    rig.target.says(ok(b"<DeleteResult><Deleted/></DeleteResult>"))
    assert answers(client, b"POST")[0].code == "ServiceUnavailable"


def test_a_long_document_in_question_is_an_error_once() -> None:
    """It is asked about, and then longer than what is read of an error."""
    rig, client = started(COPY)
    rig.target.says(ok(b"x" * 40000, status="400 Bad Request"))
    rig.target.says(ok(b"<ListBucketResult/>"))
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.whole) == (400, True)
    client.says(get(KEY))
    rig.target.says(ok(b"next"))
    assert answers(client, b"PUT", b"GET")[1].body == b"next"
