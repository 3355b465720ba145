"""Requests to a target that speaks a dialect: what client and target hear, however it goes."""

from __future__ import annotations

import gzip
import zlib

import pytest

from fastpath.ipc.counters import Slot
from tests.doubles.http1 import Answer, get, ok, put, read_answers, read_requests
from tests.doubles.lakefs.xml import element
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import Peer, Rig

LIST = "/repo?list-type=2&prefix=main/"
PART = with_sealed_id("/repo/main/big?partNumber=1&uploadId=u", "lakefs")
BIG = with_sealed_id("/repo/main/big?uploadId=u", "lakefs")
FAULT = b"<Error><Code>InternalError</Code></Error>"


def started(*requests: bytes) -> tuple[Rig, Peer]:
    rig = Rig(profile="lakefs")
    client = rig.connect()
    client.says(*requests)
    return rig, client


def answers(client: Peer, *methods: bytes) -> list[Answer]:
    return read_answers(client.heard, methods or [b"GET"], ended=client.ended)


def listed(*keys: str) -> bytes:
    return element(
        "ListBucketResult",
        element("IsTruncated", "false"),
        element("KeyCount", str(len(keys))),
        *(element("Contents", element("Key", key)) for key in keys),
    )


def failed(body: bytes = FAULT) -> bytes:
    return ok(body, status="500 Internal Server Error")


def requests(peer: Peer) -> list[bytes]:
    return [head.partition(b" HTTP")[0] for head, _ in read_requests(peer.heard)]


# Rewritten answers


def test_a_list_is_asked_for_and_answered_in_the_others_words() -> None:
    rig, client = started(get(LIST + "&encoding-type=url"))
    assert requests(rig.target) == [b"GET /repo?list-type=2&prefix=main%2F&max-keys=1000"]
    rig.target.says(ok(listed("main/a b"), "Content-Type: text/plain", "X-Kept: 1"))
    (answer,) = answers(client)
    assert (answer.status, answer.whole) == (200, True)
    assert b"<Key>main/a+b</Key>" in answer.body
    assert answer.fields["content-type"] == "application/xml"
    assert answer.fields["x-kept"] == "1"
    assert "content-length" not in answer.fields
    client.says(get(LIST))
    assert len(rig.targets) == 1  # both connections go on


def test_a_client_of_http_1_0_gets_the_end_of_the_connection() -> None:
    rig, client = started(get(LIST, version="1.0"))
    rig.target.says(ok(listed("main/a")))
    (answer,) = answers(client)
    assert b"<Key>main/a</Key>" in answer.body
    assert client.ended


def test_rows_go_down_as_they_come() -> None:
    rig, client = started(get(LIST))
    document = ok(listed("main/a", "main/b"))
    end = document.index(b"<Key>main/b")
    rig.target.says(document[:end])
    assert b"main/a" in client.heard
    rig.target.says(document[end:])
    assert answers(client)[0].whole


def test_an_answer_that_is_not_understood_is_an_error_while_it_can_be() -> None:
    rig, client = started(get(LIST))
    rig.target.says(ok(b"<html>"))
    (answer,) = answers(client)
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    (event,) = [line for line in rig.lines("event") if line["level"] == "warning"]
    assert event["message"].startswith("answered what cannot be translated: ")


def test_an_answer_that_is_not_understood_later_is_broken_off() -> None:
    rig, client = started(get(LIST))
    document = ok(listed("main/a", ""))
    end = document.index(b"<Key></Key>")
    rig.target.says(document[:end], document[end:])
    (answer,) = answers(client)
    assert not answer.whole
    assert client.reset
    assert rig.target.ended


def test_an_answer_that_breaks_off_before_its_first_row_is_an_error() -> None:
    rig, client = started(get(LIST))
    rig.target.says(ok(listed())[:-30])
    rig.target.resets()
    assert answers(client)[0].code == "ServiceUnavailable"


def test_an_unknown_branch_is_an_empty_list_and_another_error_itself() -> None:
    for code, status in (
        ("BadRequest", 200),
        ("Other", 400),
        ("AuthorizationHeaderMalformed", 503),
    ):
        rig, client = started(get(LIST))
        body = f"<Error><Code>{code}</Code></Error>".encode()
        rig.target.says(ok(body, status="400 Bad Request"))
        (answer,) = answers(client)
        assert (answer.status, answer.whole) == (status, True)
        assert (b"<ListBucketResult" in answer.body) is (status == 200)


def test_an_early_answer_that_is_rewritten_ends_the_upload() -> None:
    parts = element("Part", element("PartNumber", "1"), element("ETag", "a"))
    body = element("CompleteMultipartUpload", parts) + b" " * 1000
    request = put(BIG, body, method="POST")
    rig, client = started(request[:-10])
    location = "http://first.test:9000/repo/main/big"
    complete = ok(element("CompleteMultipartUploadResult", element("Location", location)))
    heard = len(rig.target.heard)
    rig.target.says(complete[:-5])
    client.says(body[-10:])
    assert len(rig.target.heard) == heard
    rig.target.says(complete[-5:])
    assert b"first.test" not in answers(client, b"POST")[0].body
    assert rig.target.ended
    assert client.ended


# Answers in question


OF_PARTS = b"GET /repo/main/big?uploadId=u&max-parts=1000"
OF_UPLOADS = b"GET /repo?uploads=&max-uploads=1"
UPLOADS = ok(b"<ListMultipartUploadsResult/>")


def question_and_reply(rig: Rig, reply: bytes, question: bytes = OF_PARTS) -> None:
    assert requests(rig.target)[-1] == question
    rig.target.says(reply)


def test_a_fault_about_an_upload_is_asked_about() -> None:
    rig, client = started(put(PART, b"data"))
    rig.target.says(failed())
    assert not client.heard
    question_and_reply(rig, failed())
    question_and_reply(rig, UPLOADS, OF_UPLOADS)
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code) == (404, "NoSuchUpload")
    part, questions = rig.targets  # that the part was read is not certain
    assert part.aborted
    assert questions.heard.count(b"authorization: AWS4-HMAC-SHA256 ") == 2
    client.says(get("/repo/main/k"))
    rig.target.says(ok(b"next"))
    assert answers(client, b"PUT", b"GET")[1].body == b"next"


@pytest.mark.parametrize("reply", [ok(b"<ListPartsResult/>"), ok(b"", status="403 Forbidden")])
def test_a_fault_stands_if_the_reply_says_nothing_of_it(reply: bytes) -> None:
    rig, client = started(put(PART, b"data"))
    rig.target.says(failed())
    question_and_reply(rig, reply)
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code, answer.whole) == (500, "InternalError", True)
    assert rig.lines("access")[-1]["status"] == 500


def test_a_fault_stands_if_the_block_store_is_down() -> None:
    """Everything fails then, and an upload that SDKs give up would be lost for nothing."""
    rig, client = started(put(PART, b"data"))
    rig.target.says(failed())
    question_and_reply(rig, failed())
    question_and_reply(rig, failed(), OF_UPLOADS)
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code, answer.whole) == (500, "InternalError", True)


def test_a_fault_stands_if_there_is_no_reply() -> None:
    rig, client = started(put(PART, b"data"))
    rig.target.says(failed())
    rig.target.says(b"garbage\r\n\r\n")
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code) == (500, "InternalError")


def test_a_fault_before_the_whole_part_was_sent() -> None:
    rig, client = started(put(PART, b"d" * 1000)[:-10])
    rig.target.says(failed())
    assert rig.target.take().startswith(b"GET /repo/main/big?uploadId=u")
    assert rig.targets[0].ended  # the rest of the part would be taken for a request
    rig.target.says(failed())
    rig.target.says(UPLOADS)
    client.says(b"d" * 10)
    assert answers(client, b"PUT")[0].code == "NoSuchUpload"


def test_a_long_fault_is_not_asked_about() -> None:
    rig, client = started(put(PART, b"data"))
    rig.target.says(failed(b"x" * 70000))
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code) == (500, "InternalError")
    assert len(requests(rig.target)) == 1


def test_a_client_that_leaves_ends_the_question() -> None:
    rig, client = started(put(PART, b"data"))
    rig.target.says(failed())
    client.resets()
    assert rig.target.ended
    assert rig.lines("access")[-1]["code"] == "ClientGone"
    assert rig.count(Slot.UPSTREAM) == 0


def test_an_aborted_upload_that_is_not_there() -> None:
    for code, shown in (("NoSuchKey", "NoSuchUpload"), ("NoSuchBucket", "NoSuchBucket")):
        rig, client = started(get(BIG, method="DELETE"))
        rig.target.says(ok(f"<Error><Code>{code}</Code></Error>".encode(), status="404 Not Found"))
        (answer,) = answers(client, b"DELETE")
        assert (answer.status, answer.code) == (404, shown)


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "?uploadId=u"),
        ("PUT", "?partNumber=1&uploadId=u"),
        ("POST", "?uploadId=u"),
        ("DELETE", "?uploadId=u"),
    ],
)
def test_an_upload_to_a_key_that_cannot_be(method: str, query: str) -> None:
    """Although it was begun: elsewhere, before the bucket came to lakeFS."""
    path = with_sealed_id(f"/repo/file.txt{query}", "lakefs")
    rig, client = started(put(path, b"", method=method))
    (answer,) = answers(client, method.encode())
    assert (answer.status, answer.code) == (404, "NoSuchUpload")
    assert not rig.targets


# Requests


@pytest.mark.parametrize(
    "request_",
    [
        get("/repo?list-type=2&max-keys=x"),
        put(PART.replace("partNumber=1", "partNumber=0"), b"x"),
        put(BIG, b"<x/>", method="POST"),
        get("/repo/v1.0/k", method="DELETE"),
    ],
)
def test_what_s3_would_refuse_does_not_reach_the_target(request_: bytes) -> None:
    rig, client = started(request_)
    assert answers(client)[0].status in (400, 405)
    assert not rig.targets or not rig.target.heard


def test_a_parameter_that_means_nothing_stays_behind() -> None:
    rig, client = started(get("/repo/main/k?x-id=Get%4fbject"))
    assert requests(rig.target) == [b"GET /repo/main/k"]
    rig.target.says(failed())
    assert answers(client)[0].status == 500


# Codings


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_document_in_a_coding_is_translated(coding: str) -> None:
    """B6: a proxy before the target compresses; the client gets the document without a coding."""
    packed = (gzip if coding == "gzip" else zlib).compress(listed("main/a", "main/b"))
    rig, client = started(get(LIST, "Accept-Encoding: gzip"))
    assert b"ccept-" not in rig.target.heard
    answer = ok(packed, f"Content-Encoding: {coding}")
    rig.target.says(answer[:-20], answer[-20:])
    (whole,) = answers(client)
    assert (whole.status, whole.body.count(b"<Key>main/")) == (200, 2)
    assert "content-encoding" not in whole.fields


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"\x8b\x02\x80", "br"),
        (listed("main/a"), "gzip"),
        (gzip.compress(listed("main/a") + b" " * (17 << 20), mtime=0), "gzip"),
    ],
)
def test_a_document_in_a_coding_that_is_not_read(body: bytes, coding: str) -> None:
    """B6"""
    rig, client = started(get(LIST))
    rig.target.says(ok(body, f"Content-Encoding: {coding}"))
    (answer,) = answers(client)
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    (event,) = rig.lines("event")
    assert event["message"].startswith("answered in a coding that is not read here: ")


def test_a_reply_in_a_coding_is_read() -> None:
    """B6"""
    rig, client = started(put(PART, b"data"))
    rig.target.says(
        failed(gzip.compress(FAULT, mtime=0)).replace(b"\r\n", b"\r\ncontent-encoding: gzip\r\n", 1)
    )
    question_and_reply(rig, failed())
    document = ok(
        gzip.compress(b"<ListMultipartUploadsResult/>", mtime=0), "Content-Encoding: gzip"
    )
    question_and_reply(rig, document, b"GET /repo?uploads=&max-uploads=1")
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code) == (404, "NoSuchUpload")
