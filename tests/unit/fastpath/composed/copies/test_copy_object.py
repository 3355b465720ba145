"""`fastpath.composed.copies.copy_object`: what goes where, what is answered, who may fail."""

from __future__ import annotations

import re

import pytest

from fastpath.composed.operation import DEADLINE_SECONDS
from fastpath.upstream.call import WINDOW
from tests.doubles.http1 import get, ok, put
from tests.unit.fastpath.composed.copies.bench import (
    ETAG,
    MODIFIED,
    OBJECT,
    Copying,
    Side,
    error,
    found,
)


def begun(*lines: str) -> Copying:
    """A copy whose source has sent all but its last 100 bytes."""
    copy = Copying()
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ok(OBJECT, *(lines or (ETAG,)))[:-100])
    return copy


def test_a_copy_is_byte_identical_and_answered_as_by_s3() -> None:
    copy = Copying()
    asked = copy.finds(len(OBJECT), ETAG, "Content-Type: text/x", "x-amz-version-id: v1")
    assert asked.line == "HEAD /b-b/source HTTP/1.1"
    assert asked.fields["x-amz-checksum-mode"] == "ENABLED"
    read = copy.source.hears("GET /b-b/source HTTP/1.1")
    assert read.fields["if-match"] == '"e"'
    assert "range" not in read.fields
    assert copy.destination.peers == []
    said = ok(OBJECT, ETAG, "Content-Type: text/x")
    copy.source.says(said[:500], said[500:1200], said[1200:])
    written = copy.destination.hears("PUT /g-b/k HTTP/1.1")
    assert written.body == OBJECT
    assert written.fields["content-length"] == str(len(OBJECT))
    assert written.fields["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert copy.client.heard == b""
    copy.destination.says(
        ok(
            b"",
            'ETag: "n"',
            "x-amz-version-id: v2",
            "x-amz-server-side-encryption: AES256",
            "x-amz-checksum-crc32: AAAAAA==",
            "x-amz-checksum-type: FULL_OBJECT",
            "x-amz-id-2: theirs",
        )
    )
    copy.destination.hears("HEAD /g-b/k HTTP/1.1")
    copy.destination.says(found(len(OBJECT), 'ETag: "n"', MODIFIED))
    answer = copy.ended()
    assert answer.status == 200
    assert answer.body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<LastModified>2026-11-30T10:00:00.000Z</LastModified><ETag>&quot;n&quot;</ETag>"
        b"<ChecksumCRC32>AAAAAA==</ChecksumCRC32><ChecksumType>FULL_OBJECT</ChecksumType>"
        b"</CopyObjectResult>"
    )
    assert answer.fields["x-amz-version-id"] == "v2"
    assert answer.fields["x-amz-copy-source-version-id"] == "v1"
    assert answer.fields["x-amz-server-side-encryption"] == "AES256"
    assert "x-amz-id-2" not in answer.fields
    assert copy.calls() == [
        ("HeadObject", 200, ""),
        ("GetObject", 200, ""),
        ("PutObject", 200, ""),
        ("HeadObject", 200, ""),
    ]
    # Every connection was kept: one to each side served all.
    assert [len(side.peers) for side in (copy.source, copy.destination)] == [1, 1]
    assert not any(peer.ended for peer in (*copy.rig.targets, copy.client))


@pytest.mark.parametrize("size", [0, 1])
def test_the_smallest_objects(size: int) -> None:
    copy = Copying()
    copy.finds(size)
    assert "range" not in copy.reads(data=b"x" * size).fields
    written = copy.stores("PUT /g-b/k ")
    assert (written.fields["content-length"], written.body) == (str(size), b"x" * size)
    copy.shows()
    assert copy.ended().status == 200


@pytest.mark.parametrize(
    "line",
    [
        "x-amz-metadata-directive: MERGE",
        "x-amz-tagging-directive: MERGE",
        "x-amz-checksum-algorithm: CRC99",
    ],
)
def test_a_directive_that_s3_does_not_have(line: str) -> None:
    copy = Copying(put("/g-b/k", b"", "x-amz-copy-source: b-b/source", line))
    assert copy.refused() == (400, "InvalidArgument")
    assert copy.rig.targets == []


def test_header_lines_of_one_name_are_one_value() -> None:
    """As S3 has them, and as a PutObject of the client's own would have passed them on."""
    lines = ["x-amz-metadata-directive: REPLACE", "x-amz-meta-a: 1", "x-amz-meta-a: 2"]
    copy = Copying(put("/g-b/k", b"", "x-amz-copy-source: b-b/source", *lines))
    copy.finds()
    copy.reads()
    assert copy.stores().fields["x-amz-meta-a"] == "1,2"


def test_a_type_of_a_checksum_is_none() -> None:
    copy = Copying()
    copy.finds()
    copy.reads()
    copy.stores("PUT ", 'ETag: "n"', "x-amz-checksum-type: FULL_OBJECT")
    copy.shows()
    assert b"Checksum" not in copy.ended().body


def test_no_more_than_5_gib_are_copied_by_one_request() -> None:
    copy = Copying()
    copy.finds((5 << 30) + 1)
    assert copy.refused() == (400, "InvalidRequest")
    assert b"maximum allowable size for a copy source: 5368709120" in copy.client.heard
    assert (copy.source.is_silent, copy.destination.peers) == (True, [])


def test_the_next_request_of_the_client_gets_its_own_answer() -> None:
    copy = Copying(None)
    request = put("/g-b/k", b"", "x-amz-copy-source: b-b/source")
    copy.client.says(request + get("/b-b/next"))
    copy.finds()
    copy.reads()
    copy.stores()
    copy.shows()
    copy.source.hears("GET /b-b/next ")
    copy.source.says(ok(b"abc"))
    assert copy.client.heard.endswith(b"\r\n\r\nabc")
    assert copy.client.heard.count(b"HTTP/1.1 200 OK") == 2
    assert copy.is_at_rest


# --- Last-Modified ---


@pytest.mark.parametrize(
    "shown",
    [
        found(len(OBJECT), 'ETag: "other"', MODIFIED),
        ok(b"", status="404 Not Found"),
        ok(b"", status="503 Slow Down"),
    ],
)
def test_without_a_head_of_the_new_object_its_date_is_that_of_the_answer(shown: bytes) -> None:
    copy = Copying()
    copy.finds()
    copy.reads()
    copy.stores("PUT ", 'ETag: "n"', "Date: Mon, 30 Nov 2026 11:22:33 GMT")
    copy.destination.hears("HEAD ")
    copy.destination.says(shown)
    assert b"<LastModified>2026-11-30T11:22:33.000Z<" in copy.ended().body


def test_a_destination_that_is_gone_after_the_copy_was_made() -> None:
    copy = Copying()
    copy.finds()
    copy.reads()
    copy.stores()
    copy.destination.hears("HEAD ")
    copy.rig.connect_fault = ConnectionRefusedError()
    copy.destination.peer.resets()
    assert re.search(rb"<LastModified>\d{4}-\d\d-\d\dT[\d:]{8}\.000Z<", copy.ended().body)


def test_a_date_that_cannot_be_read_is_no_defect() -> None:
    copy = Copying()
    copy.finds()
    copy.reads()
    copy.stores()
    copy.destination.hears("HEAD ")
    copy.destination.says(found(len(OBJECT), "ETag: n", "Last-Modified: yesterday"))
    answer = copy.ended()
    assert answer.status == 200
    assert re.search(rb"<LastModified>\d{4}-\d\d-\d\dT[\d:]{8}\.000Z<", answer.body)


# --- white space ---


def test_a_slow_copy_begins_with_white_space() -> None:
    copy = begun()
    copy.rig.pass_time(4)
    assert copy.client.heard == b""
    copy.rig.pass_time(2)
    assert copy.client.heard.startswith(b"HTTP/1.1 200 OK\r\n")
    copy.source.says(OBJECT[-100:])
    copy.stores()
    copy.shows()
    body = copy.ended().body
    assert body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n <CopyObjectResult ')


def test_an_error_after_white_space_is_in_the_body() -> None:
    copy = begun()
    copy.rig.pass_time(6)
    copy.destination.hears("PUT ")
    copy.destination.says(error("AccessDenied", "403 Forbidden"))
    answer = copy.answer(b"PUT")
    assert (answer.status, answer.code) == (200, "AccessDenied")
    assert answer.whole
    assert copy.line() == (200, "AccessDenied")


# --- the destination fails ---


def test_a_destination_that_is_down() -> None:
    copy = Copying()
    copy.finds()
    copy.rig.connect_fault = ConnectionRefusedError()
    copy.source.hears("GET ")
    copy.source.says(ok(OBJECT, ETAG)[:-100])
    answer = copy.ended()
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert answer.fields["retry-after"] == "1"
    assert copy.source.peer.ended


@pytest.mark.parametrize("is_stalled", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("403 Forbidden", "AccessDenied", (403, "AccessDenied")),
        ("404 Not Found", "NoSuchBucket", (404, "NoSuchBucket")),
        ("503 Slow Down", "SlowDown", (503, "SlowDown")),
        ("403 Forbidden", "InvalidAccessKeyId", (503, "ServiceUnavailable")),
        ("301 Moved Permanently", "PermanentRedirect", (503, "ServiceUnavailable")),
        ("200 OK", "", (503, "ServiceUnavailable")),
    ],
)
def test_a_destination_that_answers_early(
    status: str, code: str, expected: tuple[int, str], is_stalled: bool
) -> None:
    """Its error is told, also while no byte of the source comes; a success is none."""
    copy = begun()
    assert len(copy.destination.hears("PUT ").body) == len(OBJECT) - 100
    lines = (ETAG,) if status == "200 OK" else ()
    document = f"<Error><Code>{code}</Code></Error>" if code else ""
    copy.destination.says(ok(document.encode(), *lines, status=status))
    if not is_stalled:
        copy.source.says(OBJECT[-100:])
    answer = copy.ended()
    assert (answer.status, answer.code) == expected
    assert ("retry-after" in answer.fields) is (answer.status == 503)
    assert copy.destination.peer.ended
    assert copy.source.peer.ended
    assert ("GetObject", 200, "Aborted") in copy.calls()


@pytest.mark.parametrize("is_stalled", [True, False])
def test_a_destination_that_breaks_off(is_stalled: bool) -> None:
    copy = begun()
    copy.destination.hears("PUT ")
    copy.destination.peer.resets()
    if not is_stalled:
        copy.source.says(OBJECT[-100:])
    answer = copy.ended()
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert copy.source.peer.ended


def test_a_destination_that_stores_and_gives_no_etag() -> None:
    copy = Copying()
    copy.finds()
    copy.reads()
    copy.stores("PUT ", "x-no: etag")
    assert copy.refused() == (503, "ServiceUnavailable")
    (told,) = copy.rig.lines("event")
    assert (told["target"], told["message"]) == (
        "generic",
        "stored data and gave no ETag for it",
    )


def test_a_slow_destination_bounds_what_waits() -> None:
    size = 10 * WINDOW
    copy = Copying()
    copy.finds(size)
    copy.source.hears("GET ")
    copy.source.says(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: %d\r\n\r\nx' % size)
    written = copy.destination.hears("PUT ").body
    copy.destination.peer.stalls()
    said = 1
    while copy.source.peer.transport.is_reading() and said < size:
        copy.source.says(b"x" * 65536)
        said += 65536
    # The window and a read; what the transport has taken, and the piece that made it too much.
    assert said <= WINDOW + 65536 + 2 * 65536 + 1
    copy.destination.peer.reads(on=True)
    copy.source.says(b"x" * (size - said))
    assert written + copy.destination.peer.take() == b"x" * size
    copy.destination.says(ok(b"", 'ETag: "n"'))
    copy.shows()
    assert copy.ended().status == 200


def test_a_client_that_leaves_while_the_destination_is_slow() -> None:
    copy = begun()
    copy.destination.hears("PUT ")
    copy.client.resets()
    assert copy.source.peer.reset
    assert copy.destination.peer.reset
    assert copy.line() == (0, "ClientGone")
    assert copy.is_at_rest


def asked_for_the_source(copy: Copying) -> Side:
    return copy.source


def asked_for_its_bytes(copy: Copying) -> Side:
    copy.finds()
    return copy.source


def sent_to_the_destination(copy: Copying) -> Side:
    copy.finds()
    copy.reads()
    return copy.destination


def asked_for_the_new_object(copy: Copying) -> Side:
    copy.finds()
    copy.reads()
    copy.stores()
    return copy.destination


@pytest.mark.parametrize("how", ["leaves", "is cut", "is late"])
@pytest.mark.parametrize(
    "phase",
    [
        asked_for_the_source,
        asked_for_its_bytes,
        sent_to_the_destination,
        asked_for_the_new_object,
    ],
)
def test_a_copy_that_ends_in_each_phase_leaves_nothing_that_runs(phase: object, how: str) -> None:
    copy = Copying(timeouts={"response_seconds": 10 * DEADLINE_SECONDS})
    side = phase(copy)  # type: ignore[operator]
    (waiting,) = (peer for peer in side.peers if peer.heard)
    if how == "leaves":
        copy.client.leaves()
        copy.client.resets()
    elif how == "is cut":
        copy.rig.worker.cut()
    else:
        copy.rig.loop.now += DEADLINE_SECONDS
    copy.rig.settle()
    assert waiting.ended
    assert copy.is_at_rest
    assert not copy.rig.defects
    code = {"leaves": "ClientGone", "is cut": "Cut", "is late": "ServiceUnavailable"}[how]
    assert copy.line()[1] == code


# --- errors have the client's names ---


def test_what_a_store_says_of_itself_reaches_no_client() -> None:
    copy = Copying()
    copy.source.hears("HEAD ")
    copy.source.says(ok(b"", status="403 Forbidden"))
    copy.source.hears("GET /b-b?location= ")  # is it the signature that is refused?
    copy.source.says(ok(b""))
    copy.source.hears("GET /b-b/source ")
    copy.source.says(
        error(
            "AccessDenied",
            "403 Forbidden",
            "<Message>Access Denied</Message><RequestId>theirs</RequestId>",
            "<HostId>theirs</HostId><Endpoint>first.test</Endpoint><Resource>/b-b/k</Resource>",
        )
    )
    answer = copy.ended()
    assert (answer.status, answer.code) == (403, "AccessDenied")
    for word in (b"theirs", b"first.test", b"Resource"):
        assert word not in answer.body


@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_signature_that_a_target_refuses_is_no_fault_of_the_client(side: str) -> None:
    copy = Copying()
    refusal = error(
        "SignatureDoesNotMatch", "403 Forbidden", "<AWSAccessKeyId>theirs</AWSAccessKeyId>"
    )
    copy.finds()
    if side == "source":
        copy.source.hears("GET ")
        for _ in range(4):
            copy.source.says(refusal)
            copy.rig.pass_time(10)
    else:
        copy.reads()
        copy.destination.hears("PUT ")
        copy.destination.says(refusal)
    answer = copy.answer(b"PUT")
    assert answer.code == "ServiceUnavailable"
    assert b"theirs" not in answer.body
    assert [line["target"] for line in copy.rig.lines("refresh")][:1] == [
        "first" if side == "source" else "generic"
    ]
