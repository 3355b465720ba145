"""What the headers of an upload say of its body: what is checked here, and how it is refused."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import botocore.session
import pytest

from fastpath.payload.body_plan import _ABOUT_AN_OBJECT
from tests.doubles.aws_chunked import CHECKSUMS, UNSIGNED_TRAILER, checksum
from tests.doubles.http1 import Answer, get, ok, put
from tests.doubles.uploads import with_sealed_id
from tests.unit.fastpath.clients import answers, one, started

BODY = b"0123456789"
BATCH = b"<Delete><Object><Key>k</Key></Object></Delete>"
MD5 = base64.b64encode(hashlib.md5(BODY, usedforsecurity=False).digest()).decode()
OTHER_MD5 = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
PART, PART_OF_FIRST = (
    with_sealed_id(f"/{bucket}/k?partNumber=1&uploadId=u") for bucket in ("g-b", "b-b")
)


def sent(
    *lines: str, path: str = "/g-b/k", body: bytes = BODY, method: str = "PUT", **options: Any
) -> tuple[Answer, bytes]:
    """The answer to an upload whose target takes everything, and what the target heard."""
    rig, client = started(**options)
    client.says(put(path, body, *lines, method=method))
    heard = b""
    if rig.targets and rig.target.heard:
        heard = rig.target.heard
        rig.target.says(ok())
    return one(client, b"PUT"), heard


@pytest.mark.parametrize("path", ["/g-b/k", PART])
@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_a_checksum_header_is_verified_where_the_target_does_not(algorithm: str, path: str) -> None:
    """C11: in each algorithm of S3; which of them goes up: `test_checksum_support`."""
    name = f"x-amz-checksum-{algorithm}"
    answer, heard = sent(f"{name}: {checksum(algorithm, BODY)}", path=path)
    assert answer.status == 200
    assert heard.endswith(BODY)
    answer, heard = sent(f"{name}: {checksum(algorithm, b'other')}", path=path)
    assert (answer.status, answer.code, heard) == (400, "BadDigest", b"")
    text = f"The {algorithm.upper()} you specified did not match the calculated checksum."
    assert text.encode() in answer.body


def test_content_md5_is_verified_where_the_target_does_not() -> None:
    assert sent(f"Content-MD5: {MD5}")[0].status == 200
    for path, expected in (
        ("/g-b/k", base64.b64decode(OTHER_MD5).hex()),
        (PART, OTHER_MD5),
    ):
        answer, heard = sent(f"Content-MD5: {OTHER_MD5}", path=path)
        assert (answer.status, answer.code, heard) == (400, "BadDigest", b"")
        assert f"<CalculatedDigest>{MD5}</CalculatedDigest>".encode() in answer.body
        assert f"<ExpectedDigest>{expected}</ExpectedDigest>".encode() in answer.body


def test_an_empty_body_is_verified_before_any_target_is_asked() -> None:
    assert sent(f"Content-MD5: {MD5}", body=b"")[0].code == "BadDigest"
    assert sent(f"x-amz-checksum-crc32: {checksum('crc32', b'')}", body=b"")[0].status == 200


def test_a_target_that_verifies_is_left_to_it() -> None:
    for line in (f"Content-MD5: {OTHER_MD5}", "x-amz-checksum-crc32: AAAAAA==", "Content-MD5: x"):
        answer, heard = sent(line, path="/b-b/k")
        assert answer.status == 200
        assert heard.endswith(BODY)


@pytest.mark.parametrize("path", ["/g-b?delete", "/g-b?policy", "/g-b/k?tagging", "/g-b?newest"])
def test_the_checksum_of_a_document_is_verified_too(path: str) -> None:
    method, body = ("POST", BATCH) if "delete" in path else ("PUT", BODY)
    how: dict[str, Any] = {"path": path, "method": method, "body": body}
    for algorithm in CHECKSUMS:
        name = f"x-amz-checksum-{algorithm}"
        told = f"x-amz-sdk-checksum-algorithm: {algorithm.upper()}"
        answer, heard = sent(f"{name}: {checksum(algorithm, body)}", told, **how)
        assert (answer.status, heard.endswith(body)) == (200, True)
        answer, heard = sent(f"{name}: {checksum(algorithm, b'other')}", told, **how)
        assert (answer.status, answer.code, heard) == (400, "BadDigest", b"")


def test_the_checksums_of_an_object_are_not_those_of_the_document() -> None:
    line = f"x-amz-checksum-crc32: {checksum('crc32', b'the whole object')}"
    answer, heard = sent(line, path=with_sealed_id("/g-b/k?uploadId=u"), method="POST")
    assert (answer.status, heard.endswith(BODY)) == (200, True)


def test_which_operations_have_the_checksum_of_their_body_is_what_botocore_says() -> None:
    session = botocore.session.get_session()
    model: Any = session.get_service_model("s3")
    for name in model.operation_names:
        operation = model.operation_model(name)
        about_the_body = "requestAlgorithmMember" in (operation.http_checksum or {})
        members = operation.input_shape.members if operation.input_shape else {}
        values = [member for member in members if member.startswith("Checksum")]
        if about_the_body:
            assert name not in _ABOUT_AN_OBJECT
        elif values and operation.http["method"] in ("PUT", "POST"):
            assert name in _ABOUT_AN_OBJECT


DOCUMENTS = {"verifies_digest": True, "verifies_md5": True, "verifies_checksums": True}
WRONG = f"x-amz-checksum-crc32: {checksum('crc32', b'other')}"


@pytest.mark.parametrize(
    ("lines", "trusting"),
    [
        ([f"x-amz-content-sha256: {'0' * 64}"], "verifies_digest"),
        ([f"Content-MD5: {OTHER_MD5}"], "verifies_md5"),
        ([WRONG], "verifies_checksums"),
    ],
)
def test_each_check_is_left_to_a_target_that_does_it(lines: list[str], trusting: str) -> None:
    for capability in ("verifies_digest", "verifies_md5", "verifies_checksums"):
        overrides = {**dict.fromkeys(DOCUMENTS, False), capability: True}
        passed = capability == trusting
        for path, method in (("/b-b/k", "PUT"), (PART_OF_FIRST, "PUT")):
            _, heard = sent(*lines, path=path, method=method, overrides=overrides)
            assert bool(heard) is passed
        for documents in (True, False):
            both = {**overrides, "verifies_documents": documents}
            _, heard = sent(*lines, path="/b-b?policy", overrides=both)
            assert bool(heard) is (passed and documents)


@pytest.mark.parametrize(
    ("lines", "code", "text"),
    [
        (["Content-MD5: x"], "InvalidDigest", "The Content-MD5 you specified was invalid."),
        (["Content-MD5: AAAA"], "InvalidDigest", "<Content-MD5>AAAA</Content-MD5>"),
        (["x-amz-checksum-foo: AAAA"], "InvalidRequest", "The algorithm type you specified in"),
        (
            ["x-amz-checksum-crc32: AAAAAA==", "x-amz-checksum-crc32c: AAAAAA=="],
            "InvalidRequest",
            "Multiple checksum Types are not allowed.",
        ),
        (
            ["x-amz-checksum-crc32: AAAA"],
            "InvalidRequest",
            "Value for x-amz-checksum-crc32 header is invalid.",
        ),
        (
            ["x-amz-checksum-crc32: AAAAAA==", "x-amz-sdk-checksum-algorithm: SHA1"],
            "InvalidRequest",
            "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        ),
        (
            ["x-amz-sdk-checksum-algorithm: SHA1"],
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding",
        ),
        # AWS errors 0.6: what comes first when several are wrong
        (["x-amz-checksum-foo: A", "Content-MD5: x"], "InvalidDigest", ""),
    ],
)
def test_headers_that_say_nothing_sensible(lines: list[str], code: str, text: str) -> None:
    answer, heard = sent(*lines)
    assert (answer.status, answer.code, heard) == (400, code, b"")
    assert text.encode() in answer.body


def streaming(*lines: str) -> list[str]:
    return [f"x-amz-content-sha256: {UNSIGNED_TRAILER}", *lines]


@pytest.mark.parametrize(
    ("lines", "status", "code", "text"),
    [
        ([], 411, "MissingContentLength", ""),
        (["x-amz-decoded-content-length: ten"], 411, "MissingContentLength", ""),
        (
            ["x-amz-decoded-content-length: 1", "x-amz-trailer: x-amz-meta-a"],
            400,
            "InvalidRequest",
            "The value specified in the x-amz-trailer header is not supported",
        ),
        (
            [
                "x-amz-decoded-content-length: 1",
                "x-amz-trailer: x-amz-checksum-crc32",
                "x-amz-checksum-crc32: AAAAAA==",
            ],
            400,
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header",
        ),
    ],
)
def test_heads_of_streaming_uploads(lines: list[str], status: int, code: str, text: str) -> None:
    answer, heard = sent(*streaming(*lines), body=b"0\r\n\r\n")
    assert (answer.status, answer.code, heard) == (status, code, b"")
    assert text.encode() in answer.body


@pytest.mark.parametrize("path", ["/g-b/k?tagging", "/g-b?policy", "/g-b"])
def test_a_streaming_mode_is_for_uploads_alone(path: str) -> None:
    answer, heard = sent(*streaming("x-amz-decoded-content-length: 1"), path=path)
    assert (answer.status, answer.code, heard) == (400, "InvalidRequest", b"")
    assert b"The value of x-amz-content-sha256 header is invalid." in answer.body


def test_a_streaming_mode_on_a_read_is_refused() -> None:
    rig, client = started()
    client.says(get("/g-b/k", *streaming()))
    assert one(client).code == "InvalidRequest"
    assert rig.targets == []


def test_content_encoding_decides_nothing_and_keeps_what_is_the_objects_own() -> None:
    framed = b"a\r\n" + BODY + b"\r\n0\r\n\r\n"
    answer, heard = sent("Content-Encoding: aws-chunked", body=framed)
    assert answer.status == 200
    assert heard.endswith(framed)
    lines = streaming("x-amz-decoded-content-length: 10", "Content-Encoding: gzip,aws-chunked")
    answer, heard = sent(*lines, body=framed)
    assert heard.endswith(b"\r\n\r\n" + BODY)
    assert b"content-encoding: gzip\r\n" in heard
    assert b"aws-chunked" not in heard


def test_plain_chunked_bodies_stay_refused() -> None:
    rig, client = started()
    client.says(get("/g-b/k", "Transfer-Encoding: chunked", method="PUT") + b"0\r\n\r\n")
    assert one(client, b"PUT").status == 501
    assert rig.targets == []
    assert client.ended


@pytest.mark.parametrize("rest", [b"nonsense\r\n", b"5\r\n0\r\n\r\n\n\r\n"])
def test_bad_http_chunks_around_a_streaming_body_end_the_connection(rest: bytes) -> None:
    rig, client = started()
    head = get(
        "/g-b/k",
        *streaming("x-amz-decoded-content-length: 10", "Transfer-Encoding: chunked"),
        method="PUT",
    )
    client.says(head, b"f\r\na\r\n" + BODY + b"\r\n\r\n", rest)
    assert one(client, b"PUT").status == 400
    assert client.ended
    assert rig.target.heard == b""


def test_a_connection_is_kept_behind_http_chunks() -> None:
    rig, client = started()
    framed = b"a\r\n" + BODY + b"\r\n0\r\n\r\n"
    head = get(
        "/g-b/k",
        *streaming("x-amz-decoded-content-length: 10", "Transfer-Encoding: chunked"),
        method="PUT",
    )
    wire = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(framed), framed)
    client.says(wire)
    rig.target.says(ok())
    client.says(wire)
    rig.target.says(ok())
    assert [answer.status for answer in answers(client, b"PUT", b"PUT")] == [200, 200]
    assert len(rig.targets) == 1
    assert rig.defects == []
