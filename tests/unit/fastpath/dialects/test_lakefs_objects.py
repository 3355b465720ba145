"""The interpreter on the rig: reads and writes of lakeFS, and what becomes of connections."""

from __future__ import annotations

import pytest

from tests.doubles.http1 import Answer, get, ok, put, read_answers, read_requests
from tests.doubles.uploads import with_sealed_id
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


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (ok(b"<Error><Code>BadRequest</Code></Error>", status="400 Bad Request"), 404),
        (ok(b"<ListBucketResult/>"), 500),
        (ok(b"<Error><Code>InternalError</Code></Error>", status="500 Oops"), 500),
    ],
)
def test_a_ref_that_may_be_none_is_asked_about(reply: bytes, status: int) -> None:
    """L8: a list below it is a bad request if it is none; otherwise the 500 is lakeFS's own."""
    rig, client = started(get("/repo/main^2/k"))
    rig.target.says(ok(b"<Error><Code>InternalError</Code></Error>", status="500 Oops"))
    assert lines(rig.target)[-1] == b"GET /repo?list-type=2&prefix=main%5E2%2F&max-keys=1"
    rig.target.says(reply)
    assert answers(client)[0].status == status


def test_a_500_of_a_name_is_lakefs_s_own() -> None:
    """L8: it is not asked about."""
    rig, client = started(get(KEY))
    rig.target.says(ok(b"<Error><Code>InternalError</Code></Error>", status="500 Oops"))
    assert answers(client)[0].status == 500


COPY = put("/repo/main/to", b"", "x-amz-copy-source: /repo/main/a%2bb?versionId=null")
TYPED = put(
    "/repo/main/to",
    b"",
    "x-amz-copy-source: /repo/main/a%2Bb",
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
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404),
        (b"garbage\r\n\r\n", 503),
    ],
)
def test_a_copy_that_does_not_go_up(reply: bytes, status: int) -> None:
    rig, client = started(TYPED)
    rig.target.says(reply)
    assert answers(client, b"PUT")[0].status == status
    assert b"PUT" not in b"".join(peer.heard for peer in rig.targets)
    told = [note.partition(" (")[0] for note in notes(rig)]
    reason = "gave no answer to a question: answered garbage"
    assert told == ([reason] if status == 503 else [])
    assert not rig.defects


def test_a_copy_with_another_type_is_made_by_the_gateway() -> None:
    rig, _ = started(TYPED)
    rig.target.says(b"HTTP/1.1 200 OK\r\nContent-Type: c/d\r\nContent-Length: 9\r\n\r\n")
    found = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Type: c/d\r\nContent-Length: 3\r\n\r\n'
    rig.target.says(found)
    rig.target.says(found + b"abc")
    source = b"/repo/main/a%2Bb"
    asked = [b"HEAD " + source, b"HEAD " + source, b"GET " + source, b"PUT /repo/main/to"]
    assert lines(rig.target) == asked
    assert b"\r\ncontent-type: a/b\r\n" in rig.target.heard
    assert rig.target.heard.endswith(b"abc")
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
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert b"inside" not in answer.body
    assert notes(rig) == ["refused a CopyObject: inside"]


def test_a_refused_signature_of_a_copied_part_is_no_missing_source() -> None:
    refused = b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>"
    rig, client = started(PART_COPY)
    rig.target.says(ok(refused, status="400 Bad Request"))
    rig.target.says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\n")
    assert answers(client, b"PUT")[0].status == 503


KNOWN = b"x-amz-request-id: 1\r\n"  # lakeFS has the repository
HEAD_200 = b"HTTP/1.1 200 OK\r\n" + KNOWN + b'ETag: "abc"\r\nContent-Length: 10\r\n'
HEAD_200 += b"Last-Modified: Fri, 02 Jan 2026 00:00:00 GMT\r\n\r\n"
TO_PART = with_sealed_id("/repo/main/to?partNumber=1&uploadId=u", "lakefs")
PART_COPY = put(TO_PART, b"", "x-amz-copy-source: /repo/main/a")
BEFORE, AFTER = "Thu, 01 Jan 2026 00:00:00 GMT", "Sat, 03 Jan 2026 00:00:00 GMT"
ON = "x-amz-copy-source-if-"


@pytest.mark.parametrize("path", ["/repo/main/to", TO_PART])
@pytest.mark.parametrize(
    ("conditions", "failed"),
    [
        ({"match": '"abc"'}, ""),
        ({"match": "abc"}, ""),
        ({"match": '"other"'}, "Match"),
        ({"none-match": '"abc"'}, "None-Match"),
        ({"none-match": '"other"'}, ""),
        ({"modified-since": BEFORE}, ""),
        ({"modified-since": AFTER}, "Modified-Since"),
        ({"unmodified-since": BEFORE}, "Unmodified-Since"),
        ({"unmodified-since": AFTER}, ""),
        # the two pairs of which S3 says how they go together (API/CopyObject)
        ({"match": '"abc"', "unmodified-since": BEFORE}, ""),
        ({"none-match": '"abc"', "modified-since": BEFORE}, "None-Match"),
    ],
)
def test_a_condition_on_the_source_is_judged_before_the_copy(
    path: str, conditions: dict[str, str], failed: str
) -> None:
    """C7"""
    named = [f"{ON}{name}: {value}" for name, value in conditions.items()]
    rig, client = started(put(path, b"", "x-amz-copy-source: /repo/main/a%2Bb", *named))
    assert lines(rig.target) == [b"HEAD /repo/main/a%2Bb"]
    rig.target.says(HEAD_200)
    if failed:
        (answer,) = answers(client, b"PUT")
        assert (answer.status, answer.code) == (412, "PreconditionFailed")
        condition = f"<Condition>x-amz-copy-source-If-{failed}</Condition>"
        assert condition.encode() in answer.body
        assert len(lines(rig.target)) == 1
    else:
        rig.target.says(ok(b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>", TAG))
        assert answers(client, b"PUT")[0].status == 200


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n", 403),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\n", 503),
        (b"HTTP/1.1 404 Not Found\r\n" + KNOWN + b"\r\n", 404),
    ],
)
def test_a_condition_that_cannot_be_judged_does_not_hold(reply: bytes, status: int) -> None:
    """C7"""
    rig, client = started(
        put("/repo/main/to", b"", "x-amz-copy-source: /repo/main/a", f"{ON}match: x")
    )
    rig.target.says(reply)
    assert answers(client, b"PUT")[0].status == status
    assert len(lines(rig.target)) == 1


def test_an_empty_condition_on_the_source_is_none() -> None:
    """L13"""
    empty = [f"{ON}{name}:" for name in ("match", "none-match", "modified-since")]
    rig, _ = started(put("/repo/main/to", b"", "x-amz-copy-source: /repo/main/a", *empty))
    assert lines(rig.target) == [b"PUT /repo/main/to"]


@pytest.mark.parametrize(
    ("size", "wanted", "good"),
    [
        (10, "0-9", True),
        (10, "9-9", True),
        (10, "99-100", False),
        (10, "5-10", False),
        (0, "0-0", False),
    ],
)
def test_a_copied_range_lies_inside_its_source(size: int, wanted: str, good: bool) -> None:
    """L4"""
    lines_ = ["x-amz-copy-source: /repo/main/a", f"x-amz-copy-source-range: bytes={wanted}"]
    rig, client = started(put(TO_PART, b"", *lines_))
    rig.target.says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    if good:
        rig.target.says(ok(b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"))
        assert answers(client, b"PUT")[0].status == 200
        return
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert f"source object of size: {size}<".encode() in answer.body
    assert len(lines(rig.target)) == 1


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/repo/main/to", ok(b"<Error><Code>NoSuchKey</Code></Error>", status="404 No")),
        (
            TO_PART,
            ok(b"<Error><Code>InvalidArgument</Code></Error>", status="400 Bad Request"),
        ),
    ],
)
@pytest.mark.parametrize(
    ("known", "code"), [(KNOWN, "NoSuchKey"), (b"", "NoSuchBucket")], ids=["key", "repository"]
)
def test_a_source_that_is_missing(path: str, refusal: bytes, known: bytes, code: str) -> None:
    """L10"""
    rig, client = started(put(path, b"", "x-amz-copy-source: /other/main/a"))
    rig.target.says(refusal)
    assert lines(rig.target)[-1] == b"HEAD /other/main/a"
    rig.target.says(b"HTTP/1.1 404 Not Found\r\n" + known + b"Content-Length: 9\r\n\r\n")
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code) == (404, code)
    assert (b"<BucketName>other<" if code == "NoSuchBucket" else b"<Key>main/a<") in answer.body


# Ranges and conditions of reads


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_empty_object_has_no_range(method: str) -> None:
    """L6: lakeFS says 206 and `bytes 0--1/0`."""
    rig, client = started(get(KEY, "Range: bytes=-8", method=method))
    rig.target.says(ok(b"", TAG, "Content-Range: bytes 0--1/0", status="206 Partial Content"))
    (answer,) = answers(client, method.encode())
    assert (answer.status, answer.fields["content-range"]) == (416, "bytes */0")
    assert len(rig.targets) == 1
    assert rig.lines("access")[-1]["code"] == "InvalidRange"


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match", "If-Modified-Since", "If-Range"])
def test_an_empty_condition_is_none(name: str) -> None:
    """L13"""
    rig, client = started(get(KEY, f"{name}:", "Range: bytes=0-3"))
    rig.target.says(ok(b"data", TAG, "Content-Range: bytes 0-3/9", status="206 Partial Content"))
    assert (answers(client)[0].status, answers(client)[0].body) == (206, b"data")


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (put(KEY, b"x", "If-None-Match:"), "PUT"),
        (put(KEY, b"x", "If-Match: "), "PUT"),
        (get(KEY, "If-Match:", "x-amz-if-match-size:", method="DELETE"), "DELETE"),
        (put(KEY, b"", "x-amz-copy-source: /repo/main/a", "If-None-Match:"), "PUT"),
    ],
)
def test_an_empty_condition_on_a_write_is_none(request_: bytes, name: str) -> None:
    """L13"""
    rig, _ = started(request_)
    assert lines(rig.target) == [f"{name} {KEY}".encode()]


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
