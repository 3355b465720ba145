"""`fastpath.composed.copies.own_upload`: a large copy, and what becomes of its parts."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from typing import Any

import pytest

from fastpath.composed.copies import copy_object
from fastpath.composed.operation import DEADLINE_SECONDS
from fastpath.ipc.repair_lines import LeftUpload
from tests.doubles.http1 import Answer, ok, put
from tests.doubles.rules import Rewriting, Rule
from tests.doubles.uploads import initiated
from tests.unit.fastpath.composed.copies.bench import (
    ETAG,
    OBJECT,
    Copying,
    Heard,
    error,
    found,
    ranged,
)

PART = 1000
PARTS = 3  # of OBJECT
LEFT = LeftUpload("generic", b"g-b", b"k", b"u1", "")
CRC32 = base64.b64encode(zlib.crc32(OBJECT).to_bytes(4, "big")).decode()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_object, "WHOLE", PART)
    monkeypatch.setattr(copy_object, "PART", PART)


def completed(etag: str = '"m-3"') -> bytes:
    root = "CompleteMultipartUploadResult"
    return f"<?xml version='1.0'?>\n  <{root}><ETag>{etag}</ETag></{root}>".encode()


class LargeCopy(Copying):
    """A copy in PARTS parts."""

    def begins(self, *lines: str) -> Heard:
        """The source was found, and its head read; the upload has its id."""
        self.finds(len(OBJECT), *(lines or (ETAG,)))
        self.source.hears("GET ")
        self.source.says(ranged(0, 1, *(lines or (ETAG,))))
        heard = self.destination.hears("POST /g-b/k?uploads")
        self.destination.says(ok(initiated(bucket="g-b")))
        return heard

    def reads_part(self, number: int) -> tuple[int, int]:
        """The source gives the bytes of one part."""
        first, end = (number - 1) * PART, min(number * PART, len(OBJECT))
        read = self.source.hears("GET ")
        assert read.fields["range"] == f"bytes={first}-{end - 1}"
        assert read.fields["if-match"] == '"e"'
        self.source.says(ranged(first, end))
        return first, end

    def puts(self, number: int) -> Heard:
        """One part is copied."""
        first, end = self.reads_part(number)
        part = self.stores(f"PUT /g-b/k?partNumber={number}&uploadId=u1 ", f'ETag: "p{number}"')
        assert part.body == OBJECT[first:end]
        return part

    def puts_all(self) -> None:
        for number in range(1, PARTS + 1):
            self.puts(number)

    def completes(self, answer: bytes) -> Heard:
        heard = self.destination.hears("POST /g-b/k?uploadId=u1 ")
        self.destination.says(answer)
        return heard

    def aborts(self, answer: bytes | None = None) -> None:
        """The upload is aborted, and nothing else is done."""
        self.destination.hears("DELETE /g-b/k?uploadId=u1 ")
        assert self.source.is_silent
        self.destination.says(answer or ok(b"", status="204 No Content"))

    def waits(self, seconds: float) -> None:
        self.rig.pass_time(seconds)

    @property
    def request_id(self) -> str:
        (line,) = self.rig.lines("access")
        return str(line["request_id"])

    def is_over(self) -> bool:
        """Whether the repair line was closed, and nothing runs."""
        return len(self.left) == 1 and self.over == self.left and self.is_at_rest

    def fails(self, status: int, code: str) -> Answer:
        """The client was told; the upload is aborted, whatever the client does now."""
        answer = self.answer(b"PUT")
        assert (answer.status, answer.code, answer.whole) == (status, code, True), answer.body
        assert self.line() == (status, code)
        assert (len(self.left), self.over) == (1, [])
        self.aborts()
        assert self.is_over()
        assert self.rig.defects == []
        return answer


def begun() -> LargeCopy:
    copy = LargeCopy()
    copy.begins()
    return copy


def test_a_large_object_goes_up_in_parts() -> None:
    copy = LargeCopy()
    created = copy.begins(
        ETAG, "Content-Type: text/x", "x-amz-meta-a: 1", f"x-amz-checksum-crc32: {CRC32}"
    )
    assert created.fields["content-type"] == "text/x"
    assert created.fields["x-amz-meta-a"] == "1"
    assert copy.left  # before the first part
    copy.puts_all()
    closing = copy.completes(ok(completed(), "x-amz-version-id: v2"))
    assert re.findall(rb"<PartNumber>(\d)</PartNumber><ETag>(.*?)</ETag>", closing.body) == [
        (b"%d" % number, b"&quot;p%d&quot;" % number) for number in (1, 2, 3)
    ]
    assert closing.fields["content-type"] == "application/xml"
    assert copy.over == copy.left
    assert copy.shows('"m-3"').line == "HEAD /g-b/k HTTP/1.1"
    answer = copy.ended()
    assert answer.status == 200
    assert b"<ETag>&quot;m-3&quot;</ETag>" in answer.body
    assert answer.fields["x-amz-version-id"] == "v2"
    assert copy.left == [LEFT._replace(request_id=copy.request_id)]
    assert [len(side.peers) for side in (copy.source, copy.destination)] == [1, 1]


def test_an_object_of_one_part_is_put_whole() -> None:
    copy = LargeCopy()
    copy.finds(PART)
    copy.reads(data=OBJECT[:PART])
    assert copy.stores("PUT /g-b/k HTTP/1.1").body == OBJECT[:PART]


def test_the_repair_line_has_the_names_at_the_target() -> None:
    rules = [Rule(1, 1, "g-*", "generic", rewrite=Rewriting("real", "p/"))]
    copy = LargeCopy(rules=rules)
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ranged(0, 1))
    copy.destination.hears("POST /real/p/k?uploads")
    copy.destination.says(ok(initiated(bucket="real", key="p/k")))
    (left,) = copy.left
    assert left[:4] == ("generic", b"real", b"p/k", b"u1")


def test_keys_and_owners_go_along_with_each_request_that_has_them() -> None:
    own = "x-amz-server-side-encryption-customer-"
    lines = [f"{own}algorithm: AES256", f"{own}key: a2V5", f"{own}key-md5: m"]
    lines += ["x-amz-expected-bucket-owner: 222", "x-amz-request-payer: requester"]
    lines += ["if-none-match: *", "x-amz-storage-class: STANDARD_IA"]
    copy = LargeCopy(put("/g-b/k", b"", "x-amz-copy-source: b-b/source", *lines))
    created = copy.begins()
    parts = [copy.puts(number) for number in (1, 2, 3)]
    closing = copy.completes(ok(completed()))
    shown = copy.shows('"m-3"')
    assert copy.ended().status == 200
    for heard in (created, *parts, shown):
        assert heard.fields[f"{own}key"] == "a2V5"
    for heard in (created, *parts, closing, shown):
        assert heard.fields["x-amz-expected-bucket-owner"] == "222"
        assert heard.fields["x-amz-request-payer"] == "requester"
    conditional = [one for one in (created, *parts, closing) if "if-none-match" in one.fields]
    assert conditional == [closing]
    assert created.fields["x-amz-storage-class"] == "STANDARD_IA"
    assert not any("x-amz-storage-class" in one.fields for one in (*parts, closing))


# --- nothing goes on without a repair line ---


def test_an_upload_whose_repair_line_cannot_be_written() -> None:
    copy = LargeCopy()
    copy.can_write_repair_lines = False
    copy.begins()
    answer = copy.answer(b"PUT")
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    copy.aborts()
    assert copy.is_at_rest
    messages = [line["message"] for line in copy.rig.lines("event")]
    assert messages == ["no copy: its repair line cannot be written"]


@pytest.mark.parametrize(
    "answer", [ok(b""), ok(b"<Other/>"), ok(initiated("")), ok(b"<html>not XML")]
)
def test_an_upload_without_an_id(answer: bytes) -> None:
    copy = LargeCopy()
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ranged(0, 1))
    copy.destination.hears("POST ")
    copy.destination.says(answer)
    assert copy.refused() == (503, "ServiceUnavailable")
    assert (copy.left, copy.over) == ([], [])


def test_an_upload_that_is_refused() -> None:
    copy = LargeCopy()
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ranged(0, 1))
    copy.destination.hears("POST ")
    copy.destination.says(error("NoSuchBucket", "404 Not Found"))
    assert copy.refused() == (404, "NoSuchBucket")
    assert copy.left == []


# --- a part fails ---


@pytest.mark.parametrize(
    "how", ["destination breaks", "destination is down", "500", "503", "RequestTimeout"]
)
def test_a_part_that_failed_is_read_and_sent_again(how: str) -> None:
    copy = LargeCopy()
    copy.begins(ETAG, f"x-amz-checksum-crc32: {CRC32}")
    copy.puts(1)
    if how == "destination is down":
        copy.destination.peer.resets()
        copy.rig.connect_fault = ConnectionRefusedError()
        copy.reads_part(2)
        copy.rig.connect_fault = None
    else:
        copy.reads_part(2)
        copy.destination.hears("PUT /g-b/k?partNumber=2&")
        if how == "destination breaks":
            copy.destination.peer.resets()
        else:
            status = {"500": "500 Internal", "503": "503 Slow"}.get(how, "400 Bad Request")
            copy.destination.says(error(how, status))
    assert copy.source.is_silent
    copy.waits(1)
    copy.puts(2)
    copy.puts(3)
    copy.completes(ok(completed()))
    copy.shows('"m-3"')
    assert copy.ended().status == 200
    assert copy.is_over()


def test_a_part_that_fails_again_and_again() -> None:
    copy = begun()
    for seconds in (1, 3, 0):
        copy.reads_part(1)
        copy.destination.hears("PUT /g-b/k?partNumber=1&")
        copy.destination.says(error("InternalError", "500 Internal"))
        copy.waits(seconds)
    copy.fails(500, "InternalError")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDenied", "403 Forbidden"),
        ("NotImplemented", "501 Not Implemented"),
    ],
)
def test_what_does_not_pass_is_not_tried_again(code: str, status: str) -> None:
    copy = begun()
    copy.reads_part(1)
    copy.destination.hears("PUT ")
    copy.destination.says(error(code, status))
    copy.fails(int(status[:3]), code)


def test_what_is_wrong_with_the_upload_is_no_fault_of_the_client() -> None:
    """Who asked for a copy has begun no upload: a 404 would say that the source is missing."""
    copy = begun()
    copy.reads_part(1)
    copy.destination.hears("PUT ")
    gone = error("NoSuchUpload", "404 Not Found", "<UploadId>u1</UploadId>")
    copy.destination.says(gone)
    assert b"u1" not in copy.fails(503, "ServiceUnavailable").body
    (told,) = copy.rig.lines("event")
    assert told["message"] == "refused the upload of a copy: NoSuchUpload"

    copy = last_part_sent()
    copy.completes(error("InvalidPart", "400 Bad Request"))
    copy.fails(503, "ServiceUnavailable")


def test_a_store_that_wants_the_md5_of_one_part_gets_that_of_the_next_at_once() -> None:
    copy = begun()
    copy.reads_part(1)
    copy.destination.hears("PUT ")
    wants = error("InvalidRequest", "400 Bad Request", "<Message>Content-MD5 is missing</Message>")
    copy.destination.says(wants)
    for number in range(1, PARTS + 1):
        first, end = copy.reads_part(number)
        digest = hashlib.md5(OBJECT[first:end], usedforsecurity=False).digest()
        sent = copy.puts(number).fields["content-md5"]
        assert sent == base64.b64encode(digest).decode()
    copy.completes(ok(completed()))
    copy.shows('"m-3"')
    assert copy.ended().status == 200


def test_temporary_credentials_that_are_renewed_sign_what_is_sent_from_then_on() -> None:
    """A copy may take longer than they are good for; what has a body cannot be sent again."""

    def credentials(key: str) -> dict[str, Any]:
        one = {"access_key_id": key, "secret_access_key": "secret", "token": "token"}
        return {"credentials": {"first": one, "generic": one}}

    copy = LargeCopy(**credentials("ASIAOLD"))
    copy.begins()
    assert "Credential=ASIAOLD/" in copy.puts(1).fields["authorization"]
    copy.rig.install(**credentials("ASIANEW"))
    for number in range(2, PARTS + 1):
        assert "Credential=ASIANEW/" in copy.puts(number).fields["authorization"]
    closing = copy.completes(ok(completed()))
    assert "Credential=ASIANEW/" in closing.fields["authorization"]
    copy.shows('"m-3"')
    assert copy.ended().status == 200


def test_a_source_that_changes_between_two_parts() -> None:
    copy = begun()
    copy.puts(1)
    copy.source.hears("GET ")
    copy.source.says(ranged(PART, 2 * PART, 'ETag: "other"'))
    copy.fails(503, "ServiceUnavailable")


def test_bytes_that_have_not_their_checksum_are_never_complete() -> None:
    """The last part is not sent, and not tried a second time either."""
    copy = LargeCopy()
    copy.begins(ETAG, "x-amz-checksum-crc32: AAAAAA==")
    copy.puts(1)
    copy.puts(2)
    copy.reads_part(3)
    copy.fails(503, "ServiceUnavailable")


def test_a_source_that_is_killed() -> None:
    copy = begun()
    copy.puts(1)
    copy.source.hears("GET ")
    copy.rig.connect_fault = ConnectionRefusedError()
    copy.source.peer.resets()
    copy.waits(3)  # and not three times as long: it was asked often enough
    copy.fails(503, "ServiceUnavailable")


# --- Complete ---


def last_part_sent() -> LargeCopy:
    copy = begun()
    copy.puts_all()
    return copy


@pytest.mark.parametrize("shown", ['"m-3"', "m-3"])
def test_a_complete_whose_answer_is_lost_has_made_the_object(shown: str) -> None:
    copy = last_part_sent()
    copy.destination.hears("POST ")
    copy.destination.peer.resets()
    copy.waits(1)
    copy.completes(error("NoSuchUpload", "404 Not Found"))
    copy.shows(shown)  # whether it is this copy's object
    copy.shows(shown)  # when it was made
    answer = copy.ended()
    assert (answer.status, b"<ETag>&quot;m-3&quot;</ETag>" in answer.body) == (200, True)
    assert copy.is_over()


def test_a_condition_that_is_not_met_by_the_object_it_has_made() -> None:
    copy = LargeCopy(put("/g-b/k", b"", "x-amz-copy-source: b-b/source", "if-none-match: *"))
    copy.begins()
    copy.puts_all()
    copy.destination.hears("POST ")
    copy.destination.peer.resets()
    copy.waits(1)
    assert copy.completes(error("PreconditionFailed", "412 No")).fields["if-none-match"] == "*"
    copy.shows('"m-3"')
    copy.shows('"m-3"')
    assert copy.ended().status == 200


@pytest.mark.parametrize(
    "shown",
    [
        found(len(OBJECT), 'ETag: "m-2"'),
        found(len(OBJECT), 'ETag: "md5"'),
        found(len(OBJECT) - 1, 'ETag: "m-3"'),
        ok(b"", status="404 Not Found"),
    ],
)
def test_an_upload_that_is_gone_and_has_made_no_such_object(shown: bytes) -> None:
    copy = last_part_sent()
    copy.destination.hears("POST ")
    copy.destination.peer.resets()
    copy.waits(1)
    copy.completes(error("NoSuchUpload", "404 Not Found"))
    copy.destination.hears("HEAD ")
    copy.destination.says(shown)
    copy.fails(503, "ServiceUnavailable")


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"<Error><Code>InternalError</Code></Error>"),  # an error in a 200 that has begun
        error("InternalError", "500 Internal"),
    ],
)
def test_a_complete_that_fails_is_sent_again_once(answer: bytes) -> None:
    copy = last_part_sent()
    copy.completes(answer)
    copy.waits(1)
    copy.completes(ok(completed()))
    copy.shows('"m-3"')
    assert copy.ended().status == 200

    copy = last_part_sent()
    copy.completes(answer)
    copy.waits(1)
    copy.completes(answer)
    copy.fails(500, "InternalError")


def test_a_condition_that_another_object_does_not_meet() -> None:
    copy = LargeCopy(put("/g-b/k", b"", "x-amz-copy-source: b-b/source", "if-none-match: *"))
    copy.begins()
    copy.puts_all()
    copy.completes(error("PreconditionFailed", "412 Precondition Failed"))
    copy.fails(412, "PreconditionFailed")


def test_a_complete_without_an_etag() -> None:
    copy = last_part_sent()
    for _ in range(2):
        copy.completes(ok(b"<CompleteMultipartUploadResult/>"))
        copy.waits(1)
    copy.fails(503, "ServiceUnavailable")


def test_a_complete_that_takes_its_time_is_waited_for() -> None:
    copy = last_part_sent()
    copy.destination.hears("POST ")
    copy.waits(100)
    copy.destination.says(ok(completed()))
    copy.shows('"m-3"')
    answer = copy.answer(b"PUT")
    assert (answer.status, answer.whole) == (200, True)
    assert copy.is_over()


# --- the client, the worker ---


@pytest.mark.parametrize("how", ["leaves", "is late"])
def test_who_ends_a_copy_in_the_middle_has_it_aborted(how: str) -> None:
    copy = LargeCopy(timeouts={"response_seconds": 10 * DEADLINE_SECONDS})
    copy.begins()
    copy.puts(1)
    copy.reads_part(2)
    waiting = copy.destination.peer
    copy.destination.hears("PUT ")
    if how == "leaves":
        copy.client.resets()
    else:
        copy.rig.loop.now += DEADLINE_SECONDS
        copy.rig.settle()
    assert waiting.reset
    copy.aborts()
    assert copy.is_over()
    assert copy.rig.defects == []


def test_a_client_that_leaves_before_the_upload_has_an_id() -> None:
    """The target makes it all the same; a worker that drains waits for that too."""
    for answer in (ok(initiated(bucket="g-b")), error("AccessDenied", "403 Forbidden")):
        copy = LargeCopy()
        copy.finds()
        copy.source.hears("GET ")
        copy.source.says(ranged(0, 1))
        copy.destination.hears("POST /g-b/k?uploads")
        copy.rig.worker.drain()
        copy.client.resets()
        assert not copy.destination.peer.ended
        assert not copy.rig.worker.empty.is_set()
        copy.destination.says(answer)
        if answer.startswith(b"HTTP/1.1 200"):
            copy.aborts()
            assert copy.is_over()
        assert copy.is_at_rest
        assert copy.rig.worker.empty.is_set()
        assert copy.rig.defects == []


def test_a_worker_that_does_not_wait_for_the_id_of_an_upload() -> None:
    copy = LargeCopy()
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ranged(0, 1))
    copy.destination.hears("POST /g-b/k?uploads")
    copy.rig.worker.cut()
    copy.rig.settle()
    copy.rig.worker.close()
    copy.rig.settle()
    assert copy.is_at_rest
    assert copy.rig.defects == []


def test_a_worker_that_drains_waits_for_the_copy_and_for_its_abort() -> None:
    copy = begun()
    copy.puts(1)
    copy.reads_part(2)
    copy.rig.worker.drain()
    copy.destination.hears("PUT ")
    assert not copy.rig.worker.empty.is_set()
    copy.client.resets()
    assert not copy.rig.worker.empty.is_set()
    copy.aborts()
    assert copy.rig.worker.empty.is_set()
    assert copy.is_over()


def test_a_worker_that_does_not_wait_leaves_a_repair_line() -> None:
    copy = begun()
    copy.puts(1)
    copy.reads_part(2)
    copy.destination.hears("PUT ")
    copy.rig.worker.drain()
    assert copy.rig.worker.cut() == 1
    copy.rig.settle()
    copy.rig.worker.close()
    copy.rig.settle()
    assert (len(copy.left), copy.over) == (1, [])
    assert copy.is_at_rest
    assert copy.rig.defects == []


# --- Abort ---


@pytest.mark.parametrize(
    "gone", [ok(b"", status="204 No Content"), error("NoSuchUpload", "404 Not Found")]
)
def test_an_abort_that_fails_is_tried_again(gone: bytes) -> None:
    copy = begun()
    copy.client.resets()
    copy.source.hears("GET ")
    copy.aborts(error("SlowDown", "503 Slow Down"))
    copy.waits(1)
    copy.destination.hears("DELETE ")
    copy.destination.peer.resets()
    copy.waits(3)
    copy.aborts(gone)
    assert copy.is_over()


def test_an_upload_that_cannot_be_aborted_is_left_with_its_repair_line() -> None:
    copy = begun()
    copy.source.hears("GET ")
    copy.rig.connect_fault = ConnectionRefusedError()
    copy.destination.peer.resets()
    copy.client.resets()
    copy.waits(20)
    assert (copy.given_up, copy.over) == (copy.left, [])
    assert len(copy.left) == 1
    assert copy.is_at_rest
    told = copy.rig.lines("event")[-1]
    assert "left an upload that could not be aborted (cannot connect to " in told["message"]
    assert told["message"].endswith("see `s3gateway repair`")
    assert (told["target"], told["request_id"]) == ("generic", copy.request_id)
