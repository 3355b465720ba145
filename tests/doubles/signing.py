"""Owns a SigV4 signer for raw requests, written apart from the gateway's own.

Rules: it signs the path as AWS does (decoded once, encoded once) and leaves the request line alone;
what is sent is exactly what the caller gave.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes


@dataclass(frozen=True, slots=True)
class RawClient:
    """One address and key pair; every request travels on a connection of its own."""

    host: str
    port: int
    access_key_id: str
    secret_access_key: str
    region: str = "us-east-1"

    def send(
        self,
        method: str,
        target: bytes,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        payload: str | None = None,
    ) -> tuple[int, bytes]:
        """Sign and send; return the status and everything after the head. Reads to the end.

        `payload` is the signed x-amz-content-sha256; None is the body's own digest.
        """
        digest = hashlib.sha256(body).hexdigest() if payload is None else payload
        signed = {"x-amz-content-sha256": digest, **(headers or {})}
        head = self.head(method, target, len(body), signed)
        with socket.create_connection((self.host, self.port), timeout=20) as connection:
            connection.sendall(head + body)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        status = int(answer.split(b" ", 2)[1])
        return status, answer.partition(b"\r\n\r\n")[2]

    def abandon(self, raw: bytes) -> None:
        """Send this much, close, and wait until the other side has closed too."""
        with socket.create_connection((self.host, self.port), timeout=20) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def head(self, method: str, target: bytes, length: int, headers: dict[str, str]) -> bytes:
        """Return the raw head: `target` byte for byte, all of `headers` signed, then close."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        signed = {
            "host": f"{self.host}:{self.port}",
            "x-amz-date": stamp,
            "x-amz-content-sha256": hashlib.sha256(b"").hexdigest(),
            **{name.lower(): value for name, value in headers.items()},
        }
        lines = [b"%s %s HTTP/1.1" % (method.encode(), target)]
        lines += [f"{name}: {value}".encode() for name, value in signed.items()]
        lines.append(b"authorization: " + self._authorization(method, target, signed))
        if length or method == "PUT":
            lines.append(b"content-length: %d" % length)
        return b"\r\n".join([*lines, b"connection: close", b"", b""])

    def _authorization(self, method: str, target: bytes, signed: dict[str, str]) -> bytes:
        path, _, query = target.partition(b"?")
        names = ";".join(sorted(signed))
        canonical = "\n".join(
            [
                method,
                quote(unquote_to_bytes(path), safe="/-_.~"),
                _canonical_query(query),
                *(f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed)),
                "",
                names,
                signed["x-amz-content-sha256"],
            ]
        )
        stamp = signed["x-amz-date"]
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
        key = b"AWS4" + self.secret_access_key.encode()
        for part in (*scope.split("/"), text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return (
            f"AWS4-HMAC-SHA256 Credential={self.access_key_id}/{scope}, "
            f"SignedHeaders={names}, Signature={key.hex()}"
        ).encode()


def _canonical_query(query: bytes) -> str:
    query = query.replace(b"+", b"%20")  # as S3 reads it
    pairs = [pair.partition(b"=")[::2] for pair in query.split(b"&") if pair]
    escaped = [(_escape(name), _escape(value)) for name, value in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(escaped))


def _escape(raw: bytes) -> str:
    return quote(unquote_to_bytes(raw), safe="-_.~")
