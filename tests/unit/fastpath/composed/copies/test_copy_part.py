"""`fastpath.composed.copies.copy_part`: a part of the client's own upload."""

from __future__ import annotations

import pytest

from tests.doubles.http1 import ok, put
from tests.doubles.uploads import sealed, with_sealed_id
from tests.unit.fastpath.composed.copies.bench import ETAG, OBJECT, Copying, error, ranged

PATH = with_sealed_id("/g-b/k?partNumber=7&uploadId=u1")
SEALED = sealed("u1", "g-b", target="generic", checksum_dropped=True)


def part(*lines: str, path: str = PATH) -> bytes:
    return put(path, b"", "x-amz-copy-source: b-b/source", *lines)


def test_a_part_is_answered_as_by_s3() -> None:
    copy = Copying(part("x-amz-copy-source-range: bytes=0-99"))
    copy.finds(len(OBJECT), ETAG, "x-amz-version-id: v1")
    copy.source.hears("GET ")
    copy.source.says(ranged(0, 100))
    written = copy.stores(
        "PUT /g-b/k?partNumber=7&uploadId=u1 ",
        'ETag: "p"',
        "Date: Mon, 30 Nov 2026 11:22:33 GMT",
        "x-amz-server-side-encryption: AES256",
    )
    assert written.body == OBJECT[:100]
    answer = copy.ended()
    assert answer.body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<CopyPartResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<LastModified>2026-11-30T11:22:33.000Z</LastModified><ETag>&quot;p&quot;</ETag>"
        b"</CopyPartResult>"
    )
    assert answer.fields["x-amz-copy-source-version-id"] == "v1"
    assert answer.fields["x-amz-server-side-encryption"] == "AES256"
    assert copy.destination.is_silent
    assert (copy.left, copy.over) == ([], [])  # it is the client's upload


def test_a_part_has_the_keys_of_its_upload_and_no_metadata() -> None:
    own = "x-amz-server-side-encryption-customer-"
    lines = [f"{own}algorithm: AES256", f"{own}key: a2V5", f"{own}key-md5: m"]
    copy = Copying(part(*lines, "x-amz-expected-bucket-owner: 222", "x-amz-meta-a: 1"))
    copy.finds()
    copy.reads(ETAG, "Content-Type: text/x", "x-amz-meta-b: 1")
    written = copy.stores()
    assert written.fields[f"{own}key"] == "a2V5"
    assert written.fields["x-amz-expected-bucket-owner"] == "222"
    assert "content-type" not in written.fields
    assert not any(name.startswith("x-amz-meta-") for name in written.fields)


def test_an_upload_goes_on_where_it_began() -> None:
    """Its bucket is another target's by now: the id says where the upload is."""
    path = f"/b-b/k?partNumber=1&uploadId={sealed('u9', 'b-b', target='generic')}"
    copy = Copying(part(path=path))
    copy.finds()
    copy.reads()
    assert copy.stores("PUT /b-b/k?partNumber=1&uploadId=u9 ").body == OBJECT
    assert copy.ended().status == 200


def test_a_part_from_where_its_upload_began_is_no_copy_between_targets() -> None:
    path = f"/g-b/k?partNumber=1&uploadId={sealed('u9', 'g-b', target='first')}"
    copy = Copying(part(path=path))
    head = copy.source.hears("PUT /g-b/k?partNumber=1&uploadId=u9 ")
    assert head.fields["x-amz-copy-source"] == "b-b/source"
    assert copy.destination.peers == []


def test_a_slow_part_begins_with_white_space() -> None:
    copy = Copying(part())
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ok(OBJECT, ETAG)[:-1])
    copy.rig.pass_time(6)
    assert copy.client.heard.startswith(b"HTTP/1.1 200 OK\r\n")
    copy.source.says(OBJECT[-1:])
    copy.stores()
    assert b"?>\n <CopyPartResult" in copy.ended().body


def test_an_error_names_the_upload_as_the_client_does() -> None:
    copy = Copying(part())
    copy.finds()
    copy.reads()
    copy.destination.hears("PUT ")
    copy.destination.says(
        error("NoSuchUpload", "404 Not Found", "<UploadId>u1</UploadId><Message>no u1</Message>")
    )
    assert copy.refused() == (404, "NoSuchUpload")
    assert f"<UploadId>{SEALED}</UploadId>".encode() in copy.client.heard
    assert f"<Message>no {SEALED}</Message>".encode() in copy.client.heard


@pytest.mark.parametrize("upload_id", ["u1", sealed("u1", "g-other", target="generic")])
def test_an_upload_of_another_bucket_is_unknown(upload_id: str) -> None:
    copy = Copying(part(path=f"/g-b/k?partNumber=7&uploadId={upload_id}"))
    assert copy.refused() == (404, "NoSuchUpload")
    assert not copy.rig.targets


def test_a_part_that_fails_leaves_the_upload_to_its_client() -> None:
    copy = Copying(part())
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ok(OBJECT, ETAG)[:-1])
    copy.destination.hears("PUT ")
    copy.destination.peer.resets()
    assert copy.refused() == (503, "ServiceUnavailable")
