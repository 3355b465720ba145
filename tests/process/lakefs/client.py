"""A raw client of the double, or of a gateway: sends exactly what a test wrote, signed or not.

Rules: signatures come from `tests.doubles.signing` and from here, never from the double's code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from tests.doubles.http1 import Answer, read_answers
from tests.doubles.lakefs import LakeFS
from tests.doubles.signing import RawClient

EMPTY = hashlib.sha256(b"").hexdigest()
Headers = dict[str, str]


class Client:
    """One key pair at one port, the double's own by default; a connection for each request."""

    def __init__(
        self,
        lakefs: LakeFS,
        region: str = "us-east-1",
        *,
        port: int = 0,
        keys: tuple[str, str] | None = None,
    ) -> None:
        self.lakefs = lakefs
        self.port = port or lakefs.port
        self.key_id, self.secret = keys or next(iter(lakefs.keys.items()))
        self.region = region
        self.signer = RawClient("127.0.0.1", self.port, self.key_id, self.secret, region)

    def send(
        self, method: str, target: str, body: bytes = b"", headers: Headers | None = None
    ) -> Answer:
        """Sign every header and the body's digest, and send."""
        return self.raw(self.signed(method, target, body, headers), body, method)

    def signed(
        self, method: str, target: str, body: bytes = b"", headers: Headers | None = None
    ) -> bytes:
        fields = {"x-amz-content-sha256": hashlib.sha256(body).hexdigest(), **(headers or {})}
        return self.signer.head(method, target.encode(), len(body), fields)

    def unsigned(
        self, method: str, target: str, body: bytes = b"", headers: Headers | None = None
    ) -> Answer:
        fields = {"host": f"127.0.0.1:{self.port}", **(headers or {})}
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items())]
        lines += [f"content-length: {len(body)}", "connection: close", "", ""]
        return self.raw("\r\n".join(lines).encode(), body, method)

    def raw(self, head: bytes, body: bytes, method: str) -> Answer:
        """Send and read to the end; a status of 0 is a connection closed without an answer."""
        answers = read_answers(self.wire(head, body), [method.encode()], ended=True)
        return answers[0] if answers else Answer(0, {}, b"", whole=False)

    def wire(self, head: bytes, body: bytes) -> bytes:
        """Send, and all that comes back."""
        address = ("127.0.0.1", self.port)
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall(head + body)
            data = b""
            while piece := connection.recv(65536):
                data += piece
        return data

    def presigned(
        self,
        target: str,
        *,
        age: timedelta = timedelta(0),
        expires: int = 3600,
        headers: Headers | None = None,
    ) -> Answer:
        """GET by a SigV4 URL made `age` ago."""
        stamp = (datetime.now(UTC) - age).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        fields = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.key_id}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": "host",
        }
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
        host = f"host:127.0.0.1:{self.port}"
        canonical = f"GET\n{target}\n{query}\n{host}\n\nhost\nUNSIGNED-PAYLOAD"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
        signature = hmac.digest(self.signing_key(scope), text.encode(), "sha256").hex()
        return self.unsigned("GET", f"{target}?{query}&X-Amz-Signature={signature}", b"", headers)

    def signing_key(self, scope: str) -> bytes:
        key = b"AWS4" + self.secret.encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key

    # Streaming bodies

    def stream(
        self, target: str, chunks: list[bytes], *, spoil: int | None = None, bare_end: bool = False
    ) -> Answer:
        """PUT in signed chunks; `spoil` breaks a chunk's signature, `bare_end` drops the last."""
        total = sum(map(len, chunks))
        sizes = [len(chunk) for chunk in chunks]
        length = sum(len(f"{size:x}") + 85 + size for size in [*sizes, 0])
        headers = {
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "x-amz-decoded-content-length": str(total),
        }
        if bare_end:
            length -= 81
        head = self.signer.head("PUT", target.encode(), length, headers)
        return self.raw(head, b"".join(self._chunks(head, chunks, spoil, bare_end)), "PUT")

    def _chunks(
        self, head: bytes, chunks: list[bytes], spoil: int | None, bare_end: bool
    ) -> Iterator[bytes]:
        stamp = _found(rb"x-amz-date: (\S+)", head)
        scope = _found(rb"Credential=[^/]+/([^,]+),", head)
        previous = _found(rb"Signature=(\w+)", head)
        key = self.signing_key(scope)
        for number, chunk in enumerate([*chunks, b""]):
            hashed = hashlib.sha256(chunk).hexdigest()
            text = f"AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{previous}\n{EMPTY}\n{hashed}"
            previous = hmac.digest(key, text.encode(), "sha256").hex()
            shown = "0" * 64 if number == spoil else previous
            line = f";chunk-signature={shown}" if chunk or not bare_end else ""
            yield f"{len(chunk):x}{line}\r\n".encode() + chunk + b"\r\n"

    def trailed(
        self, target: str, data: bytes, name: str, value: bytes, headers: Headers | None = None
    ) -> Answer:
        """PUT in one unsigned chunk and a checksum behind it."""
        encoded = base64.b64encode(value).decode()
        body = f"{len(data):x}\r\n".encode() + data
        body += f"\r\n0\r\n{name}:{encoded}\r\n\r\n".encode()
        fields = {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-decoded-content-length": str(len(data)),
            "x-amz-trailer": name,
            **(headers or {}),
        }
        return self.raw(self.signer.head("PUT", target.encode(), len(body), fields), body, "PUT")


def _found(pattern: bytes, text: bytes) -> str:
    match = re.search(pattern, text)
    assert match
    return match[1].decode()
