"""The double directly: what of a body is verified and de-framed.

Every test says which file of lakeFS 1.84 the behaviour was read in (SIG = pkg/gateway/sig).
"""

from __future__ import annotations

import hashlib
import zlib

import pytest

from tests.doubles.lakefs import LakeFS
from tests.doubles.lakefs.bodies import CHECKSUMS
from tests.process.lakefs.client import Client

PATH = "/repo/main/new"
DATA = b"123456789"  # the check value of every CRC is known for these nine bytes


def stored(lakefs: LakeFS, key: str = "new") -> bytes | None:
    blob = lakefs.store.repositories["repo"].branches["main"].entries.get(key)
    return blob.data if blob else None


def test_a_digest_is_verified_in_either_case(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: SIG/v4.go."""
    digest = {"x-amz-content-sha256": hashlib.sha256(DATA).hexdigest().upper()}
    assert client.send("PUT", PATH, DATA, digest).status == 200
    assert stored(lakefs) == DATA


def test_a_wrong_digest_is_an_internal_error_and_links_nothing(
    client: Client, lakefs: LakeFS
) -> None:
    """lakeFS 1.84: SIG/v4.go, pkg/gateway/operations/putobject.go."""
    answer = client.send("PUT", PATH, DATA, {"x-amz-content-sha256": "0" * 64})
    assert (answer.status, answer.code) == (500, "InternalError")
    assert stored(lakefs) is None


def test_a_wrong_digest_of_delete_objects_is_a_bad_request(client: Client) -> None:
    """lakeFS 1.84: pkg/gateway/operations/deleteobjects.go."""
    body = b"<Delete><Object><Key>main/a.txt</Key></Object></Delete>"
    answer = client.send("POST", "/repo?delete", body, {"x-amz-content-sha256": "0" * 64})
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert client.send("HEAD", "/repo/main/a.txt").status == 200


def test_an_unsigned_payload_is_never_deframed(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: SIG/v4.go; Content-Encoding does not decide, and is not stored."""
    framed = b"1\r\nx\r\n0\r\n\r\n"
    headers = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", "content-encoding": "aws-chunked"}
    assert client.send("PUT", PATH, framed, headers).status == 200
    assert stored(lakefs) == framed
    assert "content-encoding" not in client.send("GET", PATH).fields


def test_signed_chunks_are_deframed_and_verified(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: SIG/v4_streaming_reader.go."""
    assert client.stream(PATH, [b"abc", b"de"]).status == 200
    assert stored(lakefs) == b"abcde"


@pytest.mark.parametrize("spoiled", [0, 1, 2], ids=["first", "last", "final"])
def test_a_bad_chunk_signature_is_an_internal_error(
    client: Client, lakefs: LakeFS, spoiled: int
) -> None:
    """lakeFS 1.84: SIG/v4_streaming_reader.go."""
    answer = client.stream(PATH, [b"abc", b"de"], spoil=spoiled)
    assert (answer.status, answer.code) == (500, "InternalError")
    assert stored(lakefs) is None


def test_a_final_chunk_without_a_signature_ends_lakefs_itself_on_s3(
    client: Client, lakefs: LakeFS
) -> None:
    """Confirmed on a real 1.84.0; lakeFS 1.84: SIG/v4_streaming_reader.go: the code panics, in the
    uploader of AWS's SDK, where nobody recovers from it.
    """
    assert client.stream(PATH, [b"abc"], bare_end=True).status == 0
    assert stored(lakefs) is None
    assert lakefs.died
    with pytest.raises(ConnectionRefusedError):
        client.send("GET", PATH)


def test_on_other_block_stores_it_ends_the_connection() -> None:
    """lakeFS 1.84: Go's server recovers from what panics in its own handlers."""
    with LakeFS(block_store="local") as lakefs:
        lakefs.add_repository("repo")
        client = Client(lakefs)
        assert client.stream(PATH, [b"abc"], bare_end=True).status == 0
        assert stored(lakefs) is None
        assert not lakefs.died
        assert client.send("HEAD", "/repo").status == 200


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("x-amz-checksum-crc32", "cbf43926"),
        ("x-amz-checksum-crc32c", "e3069283"),
        ("x-amz-checksum-crc64nvme", "ae8b14860a799888"),
        ("x-amz-checksum-sha1", hashlib.sha1(DATA, usedforsecurity=False).hexdigest()),
        ("x-amz-checksum-sha256", hashlib.sha256(DATA).hexdigest()),
    ],
)
def test_a_trailing_checksum_is_verified(
    client: Client, lakefs: LakeFS, name: str, check: str
) -> None:
    """lakeFS 1.84: SIG/v4_streaming_reader.go; the check values are the catalogue's."""
    value = bytes.fromhex(check)
    assert CHECKSUMS[name](DATA) == value
    assert client.trailed(PATH, DATA, name, value).status == 200
    assert stored(lakefs) == DATA
    assert client.trailed("/repo/main/bad", DATA, name, value[::-1]).code == "InternalError"
    assert stored(lakefs, "bad") is None


@pytest.mark.parametrize(
    "trailer",
    ["X-Amz-Checksum-Crc32", "x-amz-checksum-crc32,x-amz-checksum-sha1", "x-amz-meta-a", ""],
)
def test_the_trailer_is_named_once_and_in_lower_case(client: Client, trailer: str) -> None:
    """lakeFS 1.84: SIG/v4_streaming_reader.go."""
    value = zlib.crc32(DATA).to_bytes(4, "big")
    headers = {"x-amz-trailer": trailer}
    answer = client.trailed(PATH, DATA, "x-amz-checksum-crc32", value, headers)
    assert (answer.status, answer.code) == (403, "AccessDenied")


@pytest.mark.parametrize(
    "mode",
    [
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
        "anything",
    ],
)
def test_every_other_mode_is_access_denied(client: Client, mode: str) -> None:
    """lakeFS 1.84: SIG/v4.go; it is taken for hex and does not decode."""
    answer = client.send("PUT", PATH, DATA, {"x-amz-content-sha256": mode})
    assert (answer.status, answer.code) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("length", "status", "code"),
    [("", 411, "MissingContentLength"), ("nine", 403, "AccessDenied")],
)
def test_the_decoded_length_has_a_form(client: Client, length: str, status: int, code: str) -> None:
    """lakeFS 1.84: SIG/v4.go."""
    value = zlib.crc32(DATA).to_bytes(4, "big")
    headers = {"x-amz-decoded-content-length": length}
    answer = client.trailed(PATH, DATA, "x-amz-checksum-crc32", value, headers)
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize(
    ("length", "status", "kept"),
    [("9", 200, DATA), ("8", 500, None), ("10", 500, None), ("0", 200, b"")],
)
def test_the_decoded_length_is_that_of_the_body(
    client: Client, lakefs: LakeFS, length: str, status: int, kept: bytes | None
) -> None:
    """Confirmed on a real 1.84.0; Go takes a length of 0 for no body at all."""
    value = zlib.crc32(DATA).to_bytes(4, "big")
    headers = {"x-amz-decoded-content-length": length}
    answer = client.trailed(PATH, DATA, "x-amz-checksum-crc32", value, headers)
    assert (answer.status, stored(lakefs)) == (status, kept)


def test_md5_and_checksum_headers_are_not_looked_at(client: Client) -> None:
    """lakeFS 1.84: no reference in pkg/gateway."""
    headers = {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA==", "x-amz-checksum-crc32": "AAAAAA=="}
    assert client.send("PUT", PATH, DATA, headers).status == 200
    got = client.send("GET", PATH, headers={"x-amz-checksum-mode": "ENABLED"})
    assert not [name for name in got.fields if "checksum" in name]


def test_a_body_cut_short_links_nothing(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: pkg/gateway/operations/putobject.go; a short read fails the put."""
    head = client.signed("PUT", PATH, DATA)
    client.signer.abandon(head + DATA[:-1])
    assert stored(lakefs) is None
    assert lakefs.seen[-1].status == 0


def test_chunked_transfer_without_a_length_is_accepted(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: pkg/block/s3/adapter.go Put."""
    head = client.signed("PUT", PATH, DATA)
    chunked = head.replace(b"content-length: 9", b"transfer-encoding: chunked")
    assert client.raw(chunked, b"9\r\n" + DATA + b"\r\n0\r\n\r\n", "PUT").status == 200
    assert stored(lakefs) == DATA


def test_an_early_error_comes_instead_of_100_continue(client: Client) -> None:
    """lakeFS 1.84: Go's server; the connection closes as well."""
    head = client.signed("PUT", "/missing/main/k", DATA, {"expect": "100-continue"})
    answer = client.raw(head, b"", "PUT")
    assert (answer.status, answer.fields["connection"]) == (404, "close")


def test_100_continue_is_sent_when_the_body_is_read(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: Go's server."""
    head = client.signed("PUT", PATH, DATA, {"expect": "100-continue"})
    assert client.raw(head, DATA, "PUT").status == 200
    assert stored(lakefs) == DATA
