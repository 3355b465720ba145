"""`fastpath.composed.copies.checksums`: verified on the way, and given to the destination."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Any

import pytest

from tests.doubles.http1 import ok, put
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import document
from tests.unit.fastpath.composed.copies.bench import ETAG, OBJECT, Copying, error, ranged

CRC32 = base64.b64encode(zlib.crc32(OBJECT).to_bytes(4, "big")).decode()
SHA256 = base64.b64encode(hashlib.sha256(OBJECT).digest()).decode()
WRONG = "AAAAAA=="
PEMS = ("ca_pem", "cert_pem", "key_pem")


def copy_with(*lines: str) -> bytes:
    return put("/g-b/k", b"", "x-amz-copy-source: b-b/source", *lines)


def over_tls(profile: str) -> dict[str, Any]:
    """Targets of which the destination is reached over TLS."""
    first, generic = document()["targets"]
    tls = {"verify": True, "server_name": "generic.test", **dict.fromkeys(PEMS)}
    return {"targets": [first, {**generic, "profile": profile, "tls": tls}]}


def test_a_checksum_that_the_source_shows_is_verified_and_handed_on() -> None:
    copy = Copying()
    copy.finds(len(OBJECT), ETAG, f"x-amz-checksum-crc32: {CRC32}")
    copy.reads()
    written = copy.stores()
    assert written.fields["x-amz-checksum-crc32"] == CRC32
    assert written.body == OBJECT
    copy.shows()
    assert copy.ended().status == 200


@pytest.mark.parametrize("pieces", [1, 2])
def test_an_object_that_has_not_its_own_checksum_is_never_complete(pieces: int) -> None:
    copy = Copying()
    copy.finds(len(OBJECT), ETAG, f"x-amz-checksum-crc32: {WRONG}")
    copy.source.hears("GET ")
    said = ok(OBJECT, ETAG)
    copy.source.says(*((said,) if pieces == 1 else (said[:-100], said[-100:])))
    answer = copy.ended()
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert b"does not match its own checksum" in answer.body
    if pieces == 2:
        assert copy.destination.hears("PUT ").body == OBJECT[:-100]
    assert copy.destination.is_silent
    (told,) = copy.rig.lines("event")
    assert (told["target"], told["message"]) == ("first", "sent an object that has not its CRC32")


def test_an_algorithm_that_the_destination_does_not_keep_is_verified_all_the_same() -> None:
    md5 = base64.b64encode(hashlib.md5(OBJECT).digest()).decode()
    copy = Copying()
    copy.finds(len(OBJECT), ETAG, f"x-amz-checksum-md5: {md5}")
    copy.reads()
    assert "x-amz-checksum-md5" not in copy.stores().fields


def test_another_algorithm_than_was_asked_for_is_not_handed_on() -> None:
    copy = Copying(copy_with("x-amz-checksum-algorithm: SHA256"))
    copy.finds(len(OBJECT), ETAG, f"x-amz-checksum-crc32: {CRC32}")
    copy.reads()
    written = copy.stores()  # over plain http, a trailer would have to be signed
    assert not any("checksum" in name or "trailer" in name for name in written.fields)


def test_the_algorithm_that_the_source_has_is_handed_on_if_it_is_asked_for() -> None:
    copy = Copying(copy_with("x-amz-checksum-algorithm: SHA256"))
    copy.finds(len(OBJECT), ETAG, f"x-amz-checksum-sha256: {SHA256}")
    copy.reads()
    assert copy.stores().fields["x-amz-checksum-sha256"] == SHA256


def test_over_tls_a_value_that_is_known_is_no_trailer() -> None:
    copy = Copying(copy_with("x-amz-checksum-algorithm: SHA256"), **over_tls("s3"))
    copy.finds(len(OBJECT), ETAG, f"x-amz-checksum-sha256: {SHA256}")
    copy.reads()
    written = copy.stores()
    assert written.fields["x-amz-checksum-sha256"] == SHA256
    assert written.body == OBJECT


def test_over_tls_the_value_of_another_algorithm_is_none() -> None:
    copy = Copying(copy_with("x-amz-checksum-algorithm: SHA256"), **over_tls("s3"))
    copy.finds(len(OBJECT), ETAG, f"x-amz-checksum-crc32: {CRC32}")
    copy.reads()
    assert copy.stores().fields["x-amz-trailer"] == "x-amz-checksum-sha256"


def test_over_tls_without_a_wish_there_is_no_trailer() -> None:
    copy = Copying(**over_tls("s3"))
    copy.finds()
    copy.reads()
    assert copy.stores().body == OBJECT


@pytest.mark.parametrize("size", [0, len(OBJECT)])
def test_over_tls_what_is_asked_for_is_a_trailer(size: int) -> None:
    data = OBJECT[:size]
    value = base64.b64encode(hashlib.sha256(data).digest())
    copy = Copying(copy_with("x-amz-checksum-algorithm: SHA256"), **over_tls("s3"))
    copy.finds(size)
    copy.reads(ETAG, "Content-Encoding: gzip", "x-amz-meta-a: 1", data=data)
    written = copy.stores()
    assert written.fields["x-amz-content-sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert written.fields["x-amz-trailer"] == "x-amz-checksum-sha256"
    assert written.fields["x-amz-decoded-content-length"] == str(size)
    assert written.fields["content-encoding"] == "aws-chunked,gzip"
    assert written.fields["x-amz-meta-a"] == "1"
    assert int(written.fields["content-length"]) == len(written.body)
    assert written.body.endswith(b"0\r\nx-amz-checksum-sha256:" + value + b"\r\n\r\n")
    assert _unframed(written.body) == data
    copy.shows()
    assert copy.ended().status == 200


def _unframed(body: bytes) -> bytes:
    data = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if size == b"0":
            return data
        data += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]


def test_a_store_that_would_keep_the_framing_gets_no_trailer() -> None:
    copy = Copying(copy_with("x-amz-checksum-algorithm: SHA256"), **over_tls("seaweedfs"))
    copy.finds()
    copy.reads()
    assert copy.stores().body == OBJECT


@pytest.mark.parametrize(
    ("lines", "is_verified"), [([], True), (["x-amz-copy-source-range: bytes=1-2047"], False)]
)
def test_a_part_that_is_the_whole_source_is_verified(lines: list[str], is_verified: bool) -> None:
    path = with_sealed_id("/g-b/k?partNumber=1&uploadId=u")
    copy = Copying(put(path, b"", "x-amz-copy-source: b-b/source", *lines))
    copy.finds(len(OBJECT), ETAG, f"x-amz-checksum-crc32: {WRONG}")
    copy.source.hears("GET ")
    copy.source.says(ranged(1, 2048) if lines else ok(OBJECT, ETAG))
    if is_verified:
        assert copy.refused() == (503, "ServiceUnavailable")
    else:
        assert copy.stores().body == OBJECT[1:]


@pytest.mark.parametrize("code", ["BadDigest", "IncompleteBody", "RequestTimeout"])
def test_what_a_destination_says_of_the_body_is_no_fault_of_the_client(code: str) -> None:
    copy = Copying()
    copy.finds(len(OBJECT), ETAG, f"x-amz-checksum-crc32: {CRC32}")
    copy.reads()
    copy.destination.hears("PUT ")
    copy.destination.says(error(code, "400 Bad Request"))
    assert copy.refused() == (503, "ServiceUnavailable")
    (told,) = copy.rig.lines("event")
    assert told["message"] == f"refused the bytes of a copy: {code}"
