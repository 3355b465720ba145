"""What of a request's body becomes the object, by x-amz-content-sha256.

Rules: the header decides, never Content-Encoding; without a SigV4 signature nothing is de-framed
and nothing is verified; Content-MD5 and x-amz-checksum-* headers are not looked at.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable

from tests.doubles.lakefs.authentication import Proof
from tests.doubles.lakefs.errors import ReadFault, Refusal
from tests.doubles.lakefs.wire import Body, Panic, Request

Reader = Callable[[], bytes]

SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_EMPTY = hashlib.sha256(b"").hexdigest()


def _table(polynomial: int) -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


def _crc(polynomial: int, width: int) -> Callable[[bytes], bytes]:
    table, mask = _table(polynomial), (1 << 8 * width) - 1

    def digest(data: bytes) -> bytes:
        value = mask
        for byte in data:
            value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
        return (value ^ mask).to_bytes(width, "big")

    return digest


CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "x-amz-checksum-crc32c": _crc(0x82F63B78, 4),
    "x-amz-checksum-crc64nvme": _crc(0x9A6C9329AC4BC9B5, 8),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
}


def reader(request: Request, proof: Proof | None) -> Reader:
    """A function that reads the body and raises ReadFault. Raises Refusal for a mode at once."""
    body = request.body
    mode = request.header("x-amz-content-sha256")
    if proof is None or not proof.is_v4 or mode in ("", "UNSIGNED-PAYLOAD"):
        return body.read
    length = _decoded_length(request) if mode in (SIGNED_CHUNKS, UNSIGNED_TRAILER) else -1
    if mode == SIGNED_CHUNKS:
        return lambda: _measured(_signed_chunks(body.read(), proof), length)
    if mode == UNSIGNED_TRAILER:
        trailer = request.header("x-amz-trailer")
        if trailer not in CHECKSUMS:
            raise Refusal("AccessDenied")
        return lambda: _measured(_with_trailer(body.read(), trailer), length)
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", mode):
        raise Refusal("AccessDenied")
    return lambda: _digested(body, mode.lower())


def _decoded_length(request: Request) -> int:
    """What the block store is told to expect; the length on the wire if the header is missing."""
    if not request.has_header("x-amz-decoded-content-length"):
        return -1 if request.body.length is None else request.body.length
    length = request.header("x-amz-decoded-content-length")
    if not length:
        raise Refusal("MissingContentLength")
    if not re.fullmatch(r"-?[0-9]{1,18}", length):
        raise Refusal("AccessDenied")
    return int(length)


def _measured(data: bytes, length: int) -> bytes:
    """As much as was announced; Go takes a length of 0 for no body at all, less than 0 for any."""
    if length == 0:
        return b""
    if 0 < length != len(data):
        raise ReadFault
    return data


def _digested(body: Body, digest: str) -> bytes:
    data = body.read()
    if hashlib.sha256(data).hexdigest() != digest:
        raise ReadFault
    return data


def _signed_chunks(framed: bytes, proof: Proof) -> bytes:
    plain, previous = b"", proof.signature
    while True:
        line, data, framed = _chunk(framed)
        size, marker, signature = line.partition(b";chunk-signature=")
        if not marker and not data:
            raise Panic
        hashed = hashlib.sha256(data).hexdigest()
        text = f"{previous}\n{_EMPTY}\n{hashed}"
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{proof.stamp}\n{proof.scope}\n{text}"
        previous = hmac.digest(proof.signing_key, text.encode(), "sha256").hex()
        if signature.decode("latin-1") != previous:
            raise ReadFault
        if int(size, 16) == 0:
            return plain
        plain += data


def _with_trailer(framed: bytes, name: str) -> bytes:
    plain = b""
    while True:
        _, data, framed = _chunk(framed, has_trailer=True)
        if not data:
            break
        plain += data
    fields = dict(line.partition(b":")[::2] for line in framed.split(b"\r\n") if line)
    expected = base64.b64encode(CHECKSUMS[name](plain))
    if fields.get(name.encode(), b"").strip() != expected:
        raise ReadFault
    return plain


def _chunk(framed: bytes, *, has_trailer: bool = False) -> tuple[bytes, bytes, bytes]:
    """Chunk line, data and what follows the chunk. Raises ReadFault."""
    line, end, rest = framed.partition(b"\r\n")
    size = line.partition(b";")[0]
    if not end or not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
        raise ReadFault
    length = int(size, 16)
    if length == 0 and has_trailer:
        return line, b"", rest
    if rest[length : length + 2] != b"\r\n":
        raise ReadFault
    return line, rest[:length], rest[length + 2 :]
