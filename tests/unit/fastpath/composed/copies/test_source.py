"""`fastpath.composed.copies.source`: one version of the source, judged once, read to its end."""

from __future__ import annotations

from typing import Any

import pytest

from fastpath.composed.calls import Place
from fastpath.composed.copies import copy_object
from fastpath.composed.copies.source import MAX_TRIES, SourceObject
from fastpath.routing.chain import Decision
from tests.doubles.http1 import ok, put
from tests.doubles.uploads import with_sealed_id
from tests.unit.fastpath.composed.copies.bench import (
    ETAG,
    MODIFIED,
    OBJECT,
    Copying,
    error,
    found,
    ranged,
)

PART = with_sealed_id("/g-b/k?partNumber=2&uploadId=u", "generic")
KEY = "c2VjcmV0"


def copy_of(source: str = "b-b/source", *lines: str) -> bytes:
    return put("/g-b/k", b"", f"x-amz-copy-source: {source}", *lines)


# --- it does not exist ---


@pytest.mark.parametrize(
    ("status", "code"),
    [("404 Not Found", "NoSuchKey"), ("404 Not Found", "NoSuchBucket"), ("403 No", "AccessDenied")],
)
def test_a_head_has_no_document_so_a_read_says_why(status: str, code: str) -> None:
    copy = Copying(anonymous="deny")
    copy.source.hears("HEAD ")
    copy.source.says(ok(b"", status=status))
    if status.startswith("403"):
        copy.source.hears("GET /b-b?location=")
        copy.source.says(ok(b""))
    asked = copy.source.hears("GET /b-b/source ")
    assert asked.fields["range"] == "bytes=0-0"
    copy.source.says(error(code, status, "<Key>source</Key>"))
    assert copy.refused() == (int(status[:3]), code)
    assert b"<Key>source</Key>" in copy.client.heard
    assert copy.destination.peers == []


def test_a_store_that_writes_no_documents_at_all() -> None:
    copy = Copying()
    copy.source.hears("HEAD ")
    copy.source.says(ok(b"", status="404 Not Found"))
    copy.source.hears("GET ")
    copy.source.says(ok(b"", status="404 Not Found"))
    answer = copy.ended()
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    assert b"<Key>source</Key>" in answer.body
    assert "retry-after" not in answer.fields


@pytest.mark.parametrize("shown", [ranged(0, 1), error("InvalidRange", "416 No")])
def test_a_source_that_is_there_a_moment_later(shown: bytes) -> None:
    copy = Copying()
    copy.source.hears("HEAD ")
    copy.source.says(ok(b"", status="404 Not Found"))
    copy.source.hears("GET ")
    copy.source.says(shown)
    assert copy.refused() == (503, "ServiceUnavailable")


def test_a_version_is_asked_for_and_a_delete_marker_is_none() -> None:
    copy = Copying(copy_of("b-b/source?versionId=a%2Fb"))
    assert copy.source.hears("HEAD ").line.startswith("HEAD /b-b/source?versionId=a%2Fb ")
    copy.source.says(ok(b"", "x-amz-delete-marker: true", status="405 No"))
    assert copy.source.hears("GET ").line.startswith("GET /b-b/source?versionId=a%2Fb ")
    copy.source.says(error("MethodNotAllowed", "405 No"))
    assert copy.refused() == (400, "InvalidRequest")
    assert b"may not specifically refer to a delete marker" in copy.client.heard


def test_each_read_names_the_version() -> None:
    copy = Copying(copy_of("b-b/source?versionId=v1"))
    copy.finds(len(OBJECT), ETAG, "x-amz-version-id: v1")
    assert copy.reads().line.startswith("GET /b-b/source?versionId=v1 ")
    copy.stores()
    copy.shows()
    assert copy.ended().fields["x-amz-copy-source-version-id"] == "v1"


@pytest.mark.parametrize("shown", [found(5, "x-no: etag"), b'HTTP/1.1 200 OK\r\nETag: "e"\r\n\r\n'])
def test_a_head_without_an_etag_or_a_length_cannot_be_used(shown: bytes) -> None:
    copy = Copying()
    copy.source.hears("HEAD ")
    copy.source.says(shown)
    copy.source.peer.leaves()
    assert copy.refused() == (503, "ServiceUnavailable")
    messages = [line["message"] for line in copy.rig.lines("event")]
    assert "gave no ETag or no length for the source of a copy" in messages


def test_a_source_that_is_down() -> None:
    copy = Copying(None)
    copy.rig.connect_fault = ConnectionRefusedError()
    copy.client.says(copy_of())
    assert copy.refused() == (503, "ServiceUnavailable")


# --- conditions on it ---

EARLIER, LATER = "Sun, 29 Nov 2026 10:00:00 GMT", "Tue, 01 Dec 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("lines", "failed"),
    [
        (["if-match: e"], ""),
        (['if-match: "e"'], ""),
        (['if-match: "x"'], "If-Match"),
        (['if-none-match: "x"'], ""),
        (['if-none-match: "e"'], "If-None-Match"),
        ([f"if-modified-since: {EARLIER}"], ""),
        ([f"if-modified-since: {LATER}"], "If-Modified-Since"),
        ([f"if-unmodified-since: {LATER}"], ""),
        ([f"if-unmodified-since: {EARLIER}"], "If-Unmodified-Since"),
        # What AWS says of two of them (API reference, CopyObject).
        (['if-match: "e"', f"if-unmodified-since: {EARLIER}"], ""),
        (['if-none-match: "e"', f"if-modified-since: {EARLIER}"], "If-None-Match"),
        (["if-match:"], ""),
    ],
)
def test_conditions_are_judged_by_the_head(lines: list[str], failed: str) -> None:
    copy = Copying(copy_of("b-b/source", *(f"x-amz-copy-source-{line}" for line in lines)))
    asked = copy.finds()
    assert not any("if-" in name for name in asked.fields)
    if failed:
        assert copy.refused() == (412, "PreconditionFailed")
        shown = f"<Condition>x-amz-copy-source-{failed}</Condition>"
        assert shown.encode() in copy.client.heard
        assert copy.source.is_silent
    else:
        copy.source.hears("GET ")


# --- what goes along with each request for it ---


def test_the_key_owner_and_payer_of_the_source_are_those_of_the_reads() -> None:
    prefix = "x-amz-copy-source-server-side-encryption-customer-"
    own = "x-amz-server-side-encryption-customer-"
    copy = Copying(
        copy_of(
            "b-b/source",
            f"{prefix}algorithm: AES256",
            f"{prefix}key: {KEY}",
            f"{prefix}key-md5: m",
            "x-amz-source-expected-bucket-owner: 111",
            "x-amz-expected-bucket-owner: 222",
            "x-amz-request-payer: requester",
        )
    )
    for read in (copy.finds(), copy.reads()):
        assert read.fields[f"{own}algorithm"] == "AES256"
        assert read.fields[f"{own}key"] == KEY
        assert read.fields[f"{own}key-md5"] == "m"
        assert read.fields["x-amz-expected-bucket-owner"] == "111"
        assert read.fields["x-amz-request-payer"] == "requester"
    for write in (copy.stores(), copy.shows()):
        assert write.fields["x-amz-expected-bucket-owner"] == "222"
        assert write.fields["x-amz-request-payer"] == "requester"
        assert not any("customer" in name or "source" in name for name in write.fields)


# --- one version, to its end ---


def test_a_source_that_changes_before_it_is_read() -> None:
    copy = Copying()
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(error("PreconditionFailed", "412 Precondition Failed"))
    assert copy.refused() == (503, "ServiceUnavailable")
    assert b"The source changed while it was copied" in copy.client.heard


def test_a_store_that_ignores_if_match_gives_no_other_object() -> None:
    copy = Copying()
    copy.finds()
    copy.reads('ETag: "other"')
    assert copy.refused() == (503, "ServiceUnavailable")
    assert copy.destination.peers == []


def test_nor_does_it_blame_the_client_for_a_range_that_is_gone() -> None:
    copy = Copying(part_of("bytes=100-199"))
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(error("InvalidRange", "416 Range Not Satisfiable"))
    assert copy.refused() == (503, "ServiceUnavailable")
    assert b"The source changed while it was copied" in copy.client.heard


@pytest.mark.parametrize(
    "shown",
    [
        ok(OBJECT[:-1], ETAG),
        ok(OBJECT, ETAG, status="206 Partial Content"),
        b'HTTP/1.1 200 OK\r\nETag: "e"\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
)
def test_another_answer_than_was_asked_for_cannot_be_used(shown: bytes) -> None:
    copy = Copying()
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(shown)
    assert copy.refused() == (503, "ServiceUnavailable")
    (told,) = copy.rig.lines("event")
    assert told["target"] == "first"


def test_an_error_of_a_read_is_told() -> None:
    copy = Copying()
    copy.finds()
    copy.source.hears("GET ")
    element = "<StorageClass>GLACIER</StorageClass>"
    copy.source.says(error("InvalidObjectState", "403 Forbidden", element))
    assert copy.refused() == (403, "InvalidObjectState")
    assert b"<StorageClass>GLACIER</StorageClass>" in copy.client.heard


def test_a_read_that_has_failed_before_its_answer_is_sent_again() -> None:
    copy = Copying()
    copy.finds(len(OBJECT), ETAG, "Content-Type: text/x")
    for _ in range(2):  # the kept connection of the HEAD is replaced without a try
        copy.source.hears("GET ")
        copy.source.peer.resets()
    copy.rig.pass_time(1)
    copy.reads(ETAG, "Content-Type: text/x")
    assert copy.stores().fields["content-type"] == "text/x"
    copy.shows()
    assert copy.ended().status == 200


def test_a_source_that_breaks_off_is_read_on_from_there() -> None:
    copy = Copying()
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ok(OBJECT, ETAG)[: -len(OBJECT) + 700])
    copy.source.peer.resets()
    again = copy.source.hears("GET ")
    assert again.fields["range"] == f"bytes=700-{len(OBJECT) - 1}"
    assert again.fields["if-match"] == '"e"'
    copy.source.says(ranged(700, len(OBJECT))[: -len(OBJECT) + 900])
    copy.source.peer.resets()
    copy.rig.pass_time(1)
    assert copy.source.hears("GET ").fields["range"] == f"bytes=900-{len(OBJECT) - 1}"
    copy.source.says(ranged(900, len(OBJECT)))
    assert copy.stores().body == OBJECT
    copy.shows()
    assert copy.ended().status == 200


def test_a_source_that_breaks_off_again_and_again() -> None:
    copy = Copying()
    copy.finds()
    for number in range(MAX_TRIES):
        copy.source.hears("GET ")
        copy.source.says(
            (ok(OBJECT, ETAG) if not number else ranged(number, 2048))[: -2047 + number]
        )
        copy.source.peer.resets()
        copy.rig.loop.now += 2
        copy.rig.settle()
    answer = copy.ended()
    assert answer.code == "ServiceUnavailable"
    assert len(copy.destination.hears("PUT ").body) == MAX_TRIES
    assert copy.destination.peer.reset
    assert copy.source.is_silent


@pytest.mark.parametrize(
    "shown",
    [
        ok(OBJECT, ETAG),  # it ignores Range
        ranged(700, len(OBJECT), 'ETag: "other"'),
        ranged(699, len(OBJECT) - 1),  # as many bytes, but others
        error("PreconditionFailed", "412 Precondition Failed"),
        ok(OBJECT[700:], ETAG, status="206 Partial Content"),
    ],
)
def test_what_is_read_on_is_the_same_object_or_nothing(shown: bytes) -> None:
    copy = Copying()
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ok(OBJECT, ETAG)[: -len(OBJECT) + 700])
    copy.source.peer.resets()
    copy.source.hears("GET ")
    copy.source.says(shown)
    answer = copy.ended()
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert copy.destination.hears("PUT ").body == OBJECT[:700]
    assert copy.destination.peer.reset


def test_a_source_that_cannot_be_reached_any_more() -> None:
    copy = Copying()
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ok(OBJECT, ETAG)[: -len(OBJECT)])
    copy.rig.connect_fault = ConnectionRefusedError()
    copy.source.peer.resets()
    copy.rig.pass_time(4)
    assert copy.refused() == (503, "ServiceUnavailable")


# --- its checksum ---


def source_with(**fields: str) -> SourceObject:
    found = {
        f"x-amz-checksum-{name}".encode(): value.encode() for name, value in fields.items()
    } | {b"etag": b'"e"'}
    return SourceObject(Place(b"b", b"k", Decision("first", 0)), (), (), found, 1)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"crc32": "AAAAAA=="}, (b"crc32", b"AAAAAA==")),
        ({"crc32": "AAAAAA==", "type": "FULL_OBJECT"}, (b"crc32", b"AAAAAA==")),
        ({"crc32": "AAAAAA==", "type": "COMPOSITE"}, None),
        ({"crc32": "AAAAAA==-2"}, None),
        ({"crc99": "AAAAAA=="}, None),
    ],
)
def test_only_a_checksum_of_all_bytes_is_one(fields: dict[str, str], expected: Any) -> None:
    assert source_with(**fields).checksum == expected


# --- ranges of a part ---


def part_of(value: str | None) -> bytes:
    lines = [f"x-amz-copy-source-range: {value}"] if value is not None else []
    return put(PART, b"", "x-amz-copy-source: b-b/source", *lines)


@pytest.mark.parametrize(
    ("value", "first", "end"),
    [("bytes=0-0", 0, 1), ("bytes=5-9", 5, 10), ("bytes=1-2047", 1, 2048)],
)
def test_a_range_is_read_and_no_more(value: str, first: int, end: int) -> None:
    copy = Copying(part_of(value))
    copy.finds()
    read = copy.source.hears("GET ")
    assert read.fields["range"] == f"bytes={first}-{end - 1}"
    copy.source.says(ranged(first, end))
    written = copy.stores("PUT /g-b/k?partNumber=2&uploadId=")
    assert written.body == OBJECT[first:end]
    assert copy.ended().status == 200


@pytest.mark.parametrize("value", [None, "bytes=0-2047"])
def test_the_whole_source_is_no_range(value: str | None) -> None:
    copy = Copying(part_of(value))
    copy.finds()
    assert "range" not in copy.reads().fields
    assert copy.stores("PUT ").body == OBJECT


@pytest.mark.parametrize(
    "value", ["", "0-5", "bytes=5-", "bytes=-5", "bytes=5-4", "bytes=0-1,3-4", "bytes=a-b"]
)
def test_a_range_of_a_bad_form(value: str) -> None:
    copy = Copying(part_of(value))
    copy.finds()
    assert copy.refused() == (400, "InvalidArgument")
    assert b"<ArgumentName>x-amz-copy-source-range</ArgumentName>" in copy.client.heard
    assert copy.destination.peers == []


@pytest.mark.parametrize("value", ["bytes=0-2048", "bytes=2048-2048", "bytes=5000-6000"])
def test_a_range_that_ends_behind_the_source(value: str) -> None:
    copy = Copying(part_of(value))
    copy.finds()
    assert copy.refused() == (400, "InvalidArgument")
    assert b"not valid for source object of size: 2048" in copy.client.heard


@pytest.mark.parametrize(
    ("value", "is_refused"),
    [
        (None, True),
        ("bytes=0-5368709120", True),
        ("bytes=1-5368709120", False),
    ],
)
def test_a_part_has_5_gib_at_most(value: str | None, is_refused: bool) -> None:
    copy = Copying(part_of(value))
    copy.finds((5 << 30) + 1)
    if is_refused:
        assert copy.refused() == (400, "InvalidRequest")
    else:
        copy.source.hears("GET ")


def test_an_object_of_5_gib_is_copied_in_parts() -> None:
    copy = Copying()
    copy.finds(5 << 30)
    assert copy.source.hears("GET ").fields["range"] == "bytes=0-0"
    assert (5 << 30) / copy_object.PART == 80


def test_conditions_need_the_date_that_the_source_shows() -> None:
    copy = Copying(copy_of("b-b/source", f"x-amz-copy-source-if-modified-since: {LATER}"))
    copy.finds(len(OBJECT), ETAG, MODIFIED.replace("2026", "2027"))
    copy.source.hears("GET ")
