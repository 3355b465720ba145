"""Owns the aws-chunked framing as a client writes it and a store reads it: not the gateway's.

Rules: written from AWS's "Signature Calculations ... Transferring Payload in Multiple Chunks" and
its page on trailers; every part can be spoilt before it is sent.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import socket
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from awscrt import checksums as crt

from tests.doubles.http1 import Answer, read_answers
from tests.doubles.signing import RawClient

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
MODES = (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER)

CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: int(crt.crc32c(data)).to_bytes(4, "big"),
    "crc64nvme": lambda data: int(crt.crc64nvme(data)).to_bytes(8, "big"),
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "sha512": lambda data: hashlib.sha512(data).digest(),
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "xxhash64": lambda data: bytes(crt.XXHash.compute_xxhash64(data)),
    "xxhash3": lambda data: bytes(crt.XXHash.compute_xxhash3_64(data)),
    "xxhash128": lambda data: bytes(crt.XXHash.compute_xxhash3_128(data)),
}

_NO_LENGTH = b"\r\ncontent-length: 0\r\n"  # as a head is made first
_EMPTY = hashlib.sha256(b"").hexdigest()


def checksum(algorithm: str, data: bytes) -> str:
    return base64.b64encode(CHECKSUMS[algorithm](data)).decode()


class Seal:
    """The running signature of one body."""

    def __init__(self, secret: str, stamp: str, region: str, seed: str) -> None:
        self.scope = f"{stamp[:8]}/{region}/s3/aws4_request"
        self.stamp = stamp
        self.previous = seed
        self.key = b"AWS4" + secret.encode()
        for part in self.scope.split("/"):
            self.key = hmac.new(self.key, part.encode(), hashlib.sha256).digest()

    @classmethod
    def of_head(cls, head: bytes, secret: str) -> Seal:
        """That of the body behind this signed head."""
        text = head.decode("latin-1")
        seed = re.search(r"Signature=([0-9a-f]{64})", text)
        scope = re.search(r"Credential=[^/]+/\d{8}/([^/]+)/", text)
        stamp = re.search(r"(?i)x-amz-date: (\w+)", text)
        assert seed
        assert scope
        assert stamp
        return cls(secret, stamp[1], scope[1], seed[1])

    def chunk(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        return self._sign("AWS4-HMAC-SHA256-PAYLOAD", f"{_EMPTY}\n{digest}")

    def trailers(self, lines: Iterable[str]) -> str:
        digest = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
        return self._sign("AWS4-HMAC-SHA256-TRAILER", digest)

    def _sign(self, algorithm: str, rest: str) -> str:
        text = f"{algorithm}\n{self.stamp}\n{self.scope}\n{self.previous}\n{rest}"
        self.previous = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        return self.previous


@dataclass
class Frame:
    """One chunk."""

    data: bytes
    signature: str = ""
    size: int | None = None  # None: that of the data
    end: bytes = b"\r\n"

    def wire(self) -> bytes:
        extension = f";chunk-signature={self.signature}" if self.signature else ""
        size = len(self.data) if self.size is None else self.size
        return f"{size:x}{extension}\r\n".encode() + self.data + self.end


@dataclass
class Body:
    """A whole body; the last frame is the empty one."""

    frames: list[Frame]
    trailers: list[str] = field(default_factory=list)
    signature: str = ""  # of the trailers
    line_end: bytes = b"\r\n"
    end: bytes = b"\r\n"
    sent: int | None = None  # None: every byte

    def wire(self) -> bytes:
        lines = [line.encode() + self.line_end for line in self.trailers]
        if self.signature:
            lines.append(f"x-amz-trailer-signature:{self.signature}\r\n".encode())
        whole = b"".join([frame.wire() for frame in self.frames] + lines) + self.end
        return whole[: self.sent]


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def seams(wire: bytes) -> list[bytes]:
    """Cut into single bytes, but for data that repeats one byte: that comes in one piece."""
    return [match[0] for match in re.finditer(rb"(?s)(.)\1{63,}|.", wire)]


def frame(chunks: Iterable[bytes], seal: Seal | None, trailers: list[str] | None) -> Body:
    """`trailers` are the lines of a mode that has them, None for the mode that has not."""
    frames = [Frame(chunk, seal.chunk(chunk) if seal else "") for chunk in chunks]
    frames.append(Frame(b"", seal.chunk(b"") if seal else "", end=b""))
    body = Body(frames, list(trailers or ()))
    if seal and trailers is not None:
        body.signature = seal.trailers(trailers)
    return body


@dataclass
class Upload:
    """One PUT in a streaming mode, ready to be spoilt and sent."""

    client: RawClient
    target: bytes
    mode: str
    headers: dict[str, str]
    body: Body
    raw_head: bytes

    def wire(self, *, chunked: int = 0) -> tuple[bytes, bytes]:
        """Head and body; `chunked`: in HTTP chunks of so many bytes instead of by length."""
        body = self.body.wire()
        if not chunked:
            return self.raw_head.replace(
                _NO_LENGTH, b"\r\ncontent-length: %d\r\n" % len(body)
            ), body
        pieces = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in cut(body, chunked))
        coded = b"\r\ntransfer-encoding: chunked\r\n"
        return self.raw_head.replace(_NO_LENGTH, coded), pieces + b"0\r\n\r\n"

    def send(self, *, chunked: int = 0, slowly: bool = False) -> Answer:
        """The answer that a connection of its own got; `slowly`: the body byte by byte."""
        head, body = self.wire(chunked=chunked)
        heard = b""
        place = (self.client.host, self.client.port)
        with socket.create_connection(place, timeout=20) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in [head, *(seams(body) if slowly else [body])]:
                connection.sendall(piece)
            while piece := connection.recv(65536):
                heard += piece
        (answer,) = read_answers(heard, [b"PUT"], ended=True)
        return answer


def upload(
    client: RawClient,
    target: bytes,
    mode: str,
    chunks: list[bytes],
    *,
    algorithm: str = "crc32",
    headers: dict[str, str] | None = None,
    secret: str = "",
    length: int | None = None,
    lines: list[str] | None = None,
) -> Upload:
    """A good upload, but for what is given.

    Its chunks are sealed with `secret`; it is announced as of `length` bytes, and ends with the
    trailer `lines`, which are signed where the mode signs.
    """
    data = b"".join(chunks)
    sent = {
        "x-amz-content-sha256": mode,
        "x-amz-decoded-content-length": str(len(data) if length is None else length),
        "content-encoding": "aws-chunked",
        **(headers or {}),
    }
    trailers: list[str] | None = None
    if mode != SIGNED:
        trailers = []
        if algorithm:
            sent.setdefault("x-amz-trailer", f"x-amz-checksum-{algorithm}")
            trailers = [f"x-amz-checksum-{algorithm}:{checksum(algorithm, data)}"]
        trailers = trailers if lines is None else lines
    head = client.head("PUT", target, 0, sent)
    seal = None
    if mode != UNSIGNED_TRAILER:
        seal = Seal.of_head(head, secret or client.secret_access_key)
    return Upload(client, target, mode, sent, frame(chunks, seal, trailers), head)


def read(head: bytes, wire: bytes, secret: str) -> tuple[bytes, list[str]]:
    """The data and the trailer lines a store finds behind this head; fails if anything is wrong."""
    mode = re.search(rb"(?i)x-amz-content-sha256: (\S+)", head)
    assert mode
    seal = None if mode[1].decode() == UNSIGNED_TRAILER else Seal.of_head(head, secret)
    data, sizes = [], []
    while True:
        line, _, wire = wire.partition(b"\r\n")
        size, _, signature = line.partition(b";chunk-signature=")
        count = int(size, 16)
        chunk, wire = wire[:count], wire[count:]
        assert signature.decode() == (seal.chunk(chunk) if seal else "")
        if not count:
            break
        assert wire[:2] == b"\r\n"
        wire = wire[2:]
        data.append(chunk)
        sizes.append(count)
    assert all(size >= 8192 for size in sizes[:-1])
    assert wire.endswith(b"\r\n")
    lines = [line.decode() for line in wire[:-2].split(b"\r\n") if line]
    if mode[1].decode() == SIGNED_TRAILER:
        assert seal is not None
        assert lines.pop() == f"x-amz-trailer-signature:{seal.trailers(lines)}"
    body = b"".join(data)
    decoded = re.search(rb"(?i)x-amz-decoded-content-length: (\d+)", head)
    assert decoded
    assert int(decoded[1]) == len(body)
    return body, lines
