"""Sends the requests of the probe to a target: each is signed, on a connection of its own.

Rules: only keys below one random prefix are written or deleted; `tidy` removes all of them, in
every version, and aborts the multipart uploads that are left.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote
from xml.etree import ElementTree

from fastpath.payload.framers import Framer
from fastpath.routing.snapshot import Target
from fastpath.sockets.tls import client_context

# Seconds without a byte. The longest wait is for a CompleteMultipartUpload of one small part.
TIMEOUT_SECONDS = 30.0
_SAFE = "/-_.~"
RANDOM_NAME = "s3gateway-probe-"  # what keys, and buckets made here, begin with
Headers = Mapping[str, str]


class ProbeError(Exception):
    """The target cannot be probed; the text is for an operator."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the target; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """The code of an error document, or the bare status."""
        found = self.texts("Code")
        return f"{self.status} {found[0]}" if found else str(self.status)

    def texts(self, name: str) -> list[str]:
        """The texts of all elements of this name, in order; none if the body is no XML."""
        try:
            root = ElementTree.fromstring(self.body)
        except ElementTree.ParseError:
            return []
        return [node.text or "" for node in root.iter() if node.tag.rpartition("}")[2] == name]


class Store:
    """One target, one bucket, and everything below one random name in it."""

    def __init__(self, target: Target, bucket: str, prefix: str = "") -> None:
        if target.signer is None:
            raise ProbeError(f"target {target.name} has no credentials")
        self.target = target
        self.bucket = bucket
        self.root = f"{prefix}{RANDOM_NAME}{secrets.token_hex(8)}/"
        self.secure = target.route.tls is not None
        self._signer = target.signer
        self._authority = target.authority.decode()
        self._context = client_context(target.route.tls) if target.route.tls else None
        self._uploads: list[tuple[str, str]] = []  # key and id
        self._names = 0

    def another(self) -> Store:
        """A bucket of a random name, which need not exist."""
        return Store(self.target, f"{RANDOM_NAME}{secrets.token_hex(8)}")

    def new_key(self, hint: str = "object") -> str:
        """Returns a key that was not used before."""
        self._names += 1
        return f"{self.root}{self._names:03d}-{hint}"

    def path(self, key: str) -> bytes:
        """The raw path of a key in path style."""
        return f"/{self.bucket}/{quote(key, safe=_SAFE)}".encode()

    # requests

    def ask(
        self,
        method: str,
        key: str = "",
        query: str = "",
        headers: Headers | None = None,
        body: bytes = b"",
        payload: str = "",
    ) -> Answer:
        """One request in path style; `payload` is signed instead of the body's own digest."""
        path = self.path(key) if key else f"/{self.bucket}".encode()
        claimed = payload or hashlib.sha256(body).hexdigest()
        lines = self._signed(method, path, query, headers or {}, claimed.encode())
        return self._send(method, path, query, lines, body)

    def ask_bucket_host(self, key: str) -> Answer:
        """A GET in virtual-host style: the bucket is in the Host and, under TLS, in the SNI."""
        path = b"/" + quote(key, safe=_SAFE).encode()
        digest = hashlib.sha256().hexdigest().encode()
        lines = self._signed("GET", path, "", {}, digest, f"{self.bucket}.{self._authority}")
        return self._send("GET", path, "", lines, b"", f"{self.bucket}.{self.target.route.host}")

    def ask_framed(
        self, key: str, query: str, headers: Headers, data: bytes, framing: tuple[str, Framer, str]
    ) -> Answer:
        """A PUT of `data` in a streaming mode: the mode, its framer, the value of the trailer."""
        mode, framer, trailer = framing
        path = self.path(key)
        lines = self._signed("PUT", path, query, headers, mode.encode())
        framer.begin(self._signer.chain(lines[1:]))
        body = framer.data(data) + framer.end(trailer.encode())
        return self._send("PUT", path, query, lines, body)

    def _signed(
        self,
        method: str,
        path: bytes,
        query: str,
        headers: Headers,
        payload: bytes,
        authority: str = "",
    ) -> list[bytes]:
        host = (authority or self._authority).encode()
        fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        signed = [
            pair for pair in fields if pair[0].startswith(b"x-amz-") or pair[0] == b"content-md5"
        ]
        lines = self._signer.sign(
            method.encode(), path, query.encode(), host, signed, payload, time.time()
        )
        return [b"host: %b\r\n" % host, *lines, *[b"%b: %b\r\n" % pair for pair in fields]]

    def _send(
        self, method: str, path: bytes, query: str, lines: list[bytes], body: bytes, name: str = ""
    ) -> Answer:
        target = path.decode() + (f"?{query}" if query else "")
        with contextlib.closing(self._connection(name)) as connection:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for line in lines:
                header, _, value = line.decode("latin-1").partition(":")
                connection.putheader(header, value.strip())
            if body or method in ("PUT", "POST"):
                connection.putheader("content-length", str(len(body)))
            connection.endheaders()
            with contextlib.suppress(ConnectionError):  # the target may have answered already
                connection.send(body)
            response = connection.getresponse()
            found = {header.lower(): value for header, value in response.getheaders()}
            return Answer(response.status, found, response.read())

    def _connection(self, name: str) -> http.client.HTTPConnection:
        """A new connection; under TLS the certificate must be for `name`, if given."""
        route = self.target.route
        if route.tls is None or self._context is None:
            return http.client.HTTPConnection(route.host, route.port, timeout=TIMEOUT_SECONDS)
        connection = http.client.HTTPConnection(route.host, route.port)
        plain = socket.create_connection((route.host, route.port), TIMEOUT_SECONDS)
        try:
            proven = name or route.tls.server_name
            connection.sock = self._context.wrap_socket(plain, server_hostname=proven)
        except Exception:
            plain.close()
            raise
        return connection

    # what several trials need

    def put(self, key: str, body: bytes, headers: Headers | None = None) -> Answer:
        return self.ask("PUT", key, headers=headers, body=body)

    def stored(self, key: str) -> bytes | None:
        """Returns the stored object; None if there is none."""
        answer = self.ask("GET", key)
        return answer.body if answer.good else None

    def an_object(self, hint: str = "object", body: bytes = b"") -> tuple[str, bytes]:
        """A new object of the probe's own. Raises ProbeError."""
        key = self.new_key(hint)
        body = body or f"the object {key}".encode()
        answer = self.put(key, body)
        if not answer.good:
            raise ProbeError(f"cannot write {key}: {answer.code}")
        return key, body

    def begin_upload(self, key: str, algorithm: str = "") -> str:
        """The id of a new multipart upload, given up by `tidy`; empty if there are none.

        Its parts will have checksums of this algorithm: some stores want to be told.
        """
        headers = {"x-amz-checksum-algorithm": algorithm.upper()} if algorithm else {}
        found = self.ask("POST", key, "uploads", headers).texts("UploadId")
        if found:
            self._uploads.append((key, found[0]))
        return found[0] if found else ""

    def complete_upload(
        self,
        key: str,
        upload: str,
        etag: str,
        headers: Headers | None = None,
        checksum: tuple[str, str] | None = None,
    ) -> Answer:
        """End an upload of one part; `checksum`: its algorithm and value."""
        member = ""
        if checksum is not None:
            tag = f"Checksum{checksum[0].upper()}"
            member = f"<{tag}>{checksum[1]}</{tag}>"
        part = f"<Part>{member}<PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
        return self.ask("POST", key, f"uploadId={quote(upload, safe='')}", headers, body)

    # the end

    def tidy(self) -> list[str]:
        """Removes everything; returns the keys that it could not remove."""
        for key, upload in self._uploads:
            self.ask("DELETE", key, f"uploadId={quote(upload, safe='')}")
        for key, version in self._versions():
            self.ask("DELETE", key, f"versionId={quote(version, safe='')}")
        for key in self._mine():
            self.ask("DELETE", key)
        return self._mine()

    def _mine(self) -> list[str]:
        """Returns what is left below the random prefix, even if the target ignores prefixes."""
        return [key for key in self.listed() if key.startswith(self.root)]

    def create(self) -> Answer:
        """Make the bucket; outside AWS's first region a request says where, or is refused."""
        region = self.target.region.decode()
        where = f"<LocationConstraint>{region}</LocationConstraint>"
        document = f"<CreateBucketConfiguration>{where}</CreateBucketConfiguration>"
        return self.ask("PUT", body=b"" if region == "us-east-1" else document.encode())

    def exists(self) -> bool:
        """Whether the bucket does."""
        return self.ask("HEAD").good

    def listed(self, prefix: str = "", query: str = "") -> list[str]:
        """The keys below the random name (and `prefix`), in the target's order."""
        start = quote(self.root + prefix, safe="")
        return self.ask("GET", query=f"list-type=2&prefix={start}{query}").texts("Key")

    def _versions(self) -> Iterator[tuple[str, str]]:
        answer = self.ask("GET", query=f"prefix={quote(self.root, safe='')}&versions=")
        keys, versions = answer.texts("Key"), answer.texts("VersionId")
        if len(keys) == len(versions):
            pairs = zip(keys, versions, strict=True)
            yield from (pair for pair in pairs if pair[0].startswith(self.root))


def content_md5(body: bytes) -> str:
    """The value of a Content-MD5 header."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
