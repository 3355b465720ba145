"""Sends one request to a target, step by step, within a deadline.

    name -> addresses -> TCP -> TLS -> request -> answer

Rules: the TLS context, the signer and the parser of answers are those of a worker; every failure is
a `Failed` with its cause; at most MAX_BODY bytes of an answer are read; a connection serves one
request. None changes anything at the target but `abort_upload`.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import socket
import ssl
import time
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

from fastpath.http.framing import BY_LENGTH, IN_CHUNKS, NO_BODY, ChunkedReader, response_body
from fastpath.http.head import ResponseFault, ResponseHead, parse_response_head
from fastpath.request.virtual_host import host_and_path, server_name
from fastpath.routing.snapshot import Target
from fastpath.s3.addressing import Address
from fastpath.s3.error_documents import read_error
from fastpath.signing.sigv4.sign import Signer
from fastpath.sockets.diagnosis import Cause, of_answer, of_connect, of_silence
from fastpath.sockets.tls import client_context

MAX_BODY = 65536  # an error document is below 4 KiB; of a list of buckets the beginning is enough
_MAX_HEAD = 65536
_EMPTY = hashlib.sha256().hexdigest().encode()
_SERVICE = Address(b"", b"", True, b"/")


class Failed(Exception):
    """The target gave no HTTP answer; the text is for the operator."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `skew`: the target's clock less the gateway's in seconds, None without a Date."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    skew: float | None
    expires: float | None  # of the certificate, in epoch seconds

    @property
    def error(self) -> dict[str, str]:
        """Returns the elements of an error document; empty if the body is none."""
        return read_error(self.body) if self.body else {}


@dataclass(slots=True)
class Attempt:
    """Requests to one target; `deadline` is in monotonic seconds."""

    target: Target
    deadline: float
    _context: ssl.SSLContext | None = field(default=None, repr=False)

    def list_buckets(self, signer: Signer) -> Answer:
        """A signed GET of the service. Raises Failed."""
        return self._ask(b"GET", _SERVICE, signer)

    def head_bucket(self, signer: Signer, bucket: bytes) -> Answer:
        """A signed HEAD of a bucket. Raises Failed."""
        return self._ask(b"HEAD", Address(bucket, b"", True, b"/" + bucket), signer)

    def get_object(self, signer: Signer, bucket: str, key: str) -> Answer:
        """A signed GET of an object. Raises Failed."""
        address = _object(bucket.encode(), key.encode())
        return self._ask(b"GET", address, signer)

    def abort_upload(self, signer: Signer, bucket: bytes, key: bytes, upload_id: bytes) -> Answer:
        """A signed AbortMultipartUpload. Raises Failed."""
        query = b"uploadId=" + quote_from_bytes(upload_id, safe="~").encode()
        return self._ask(b"DELETE", _object(bucket, key), signer, query)

    def health(self) -> Answer:
        """lakeFS's own health check, which takes no signature. Raises Failed."""
        return self.get(b"/_health")

    def get(self, path: bytes) -> Answer:
        """An unsigned GET of a path, whose query may stand in it. Raises Failed."""
        bare, _, query = path.partition(b"?")
        return self._ask(b"GET", Address(b"", b"", True, bare), None, query)

    def _ask(
        self, method: bytes, address: Address, signer: Signer | None, query: bytes = b""
    ) -> Answer:
        host, path = host_and_path(self.target, address)
        began = time.time()
        signed = signer.sign(method, path, query, host, (), _EMPTY, began) if signer else []
        head = b"%b %b%b HTTP/1.1\r\nhost: %b\r\n%bconnection: close\r\n\r\n" % (
            method,
            path,
            b"?" + query if query else b"",
            host,
            b"".join(signed),
        )
        name = server_name(self.target, address)
        with contextlib.closing(self._connection(name)) as connection:
            expires = _expiry(connection)
            answer, rest = self._exchange(connection, head)
            ended = time.time()
            body = self._body(connection, answer, method, rest)
        return Answer(answer.status, answer.fields, body, _skew(answer, began, ended), expires)

    # --- the connection ---

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _connection(self, name: str | None) -> socket.socket:
        route = self.target.route
        try:
            plain = self._plain(route.host, route.port)
        except (OSError, UnicodeError) as fault:
            raise Failed(of_connect(fault, tls=False)) from None
        if route.tls is None:
            return plain
        try:
            if self._context is None:
                self._context = client_context(route.tls)
            plain.settimeout(self._left())
            proven = name or route.tls.server_name
            return self._context.wrap_socket(plain, server_hostname=proven)
        except (OSError, ValueError) as fault:
            plain.close()
            raise Failed(of_connect(fault, tls=True)) from None

    def _plain(self, host: str, port: int) -> socket.socket:
        fault: OSError = OSError("no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self._left())
                connection.connect(address)
            except OSError as error:
                connection.close()
                fault = error
            else:
                return connection
        raise fault

    # --- the exchange ---

    def _exchange(self, connection: socket.socket, request: bytes) -> tuple[ResponseHead, bytes]:
        """Sends the request; returns the head of the final answer, and the bytes after it."""
        came = bytearray()
        try:
            connection.settimeout(self._left())
            connection.sendall(request)
            return self._head(connection, came)
        except (OSError, ResponseFault) as fault:
            raise Failed(self._cause(fault, bytes(came))) from None

    def _head(self, connection: socket.socket, came: bytearray) -> tuple[ResponseHead, bytes]:
        while True:
            while (end := came.find(b"\r\n\r\n") + 4) > 3:
                head = parse_response_head(bytes(came[:end]))
                if head.status >= 200:
                    return head, bytes(came[end:])
                del came[:end]
            piece = self._read(connection)
            came += piece
            if not piece or len(came) > _MAX_HEAD:
                raise ResponseFault("no whole head" if came else "nothing")

    def _cause(self, fault: Exception, came: bytes) -> Cause:
        """Returns why there is no answer, as far as the bytes that came tell."""
        tls = self.target.route.tls is not None
        if came:
            return of_answer(came)
        if isinstance(fault, TimeoutError):
            return _NO_ANSWER
        if getattr(fault, "reason", None):  # under TLS 1.3 a client is refused after the handshake
            return of_connect(fault, tls=tls)
        return of_silence(tls=tls)

    def _read(self, connection: socket.socket) -> bytes:
        connection.settimeout(self._left())
        return connection.recv(MAX_BODY)

    def _body(
        self, connection: socket.socket, head: ResponseHead, method: bytes, data: bytes
    ) -> bytes:
        """Returns the beginning of the body; of one that breaks off, what came of it."""
        kind, length = response_body(head, method)
        if kind is NO_BODY:
            return b""
        chunks = ChunkedReader() if kind is IN_CHUNKS else None
        wanted = min(length, MAX_BODY) if kind is BY_LENGTH else MAX_BODY
        body = b""
        with contextlib.suppress(OSError, ResponseFault):
            while True:
                body += data if chunks is None else b"".join(chunks.feed(data))
                if len(body) >= wanted or (chunks is not None and chunks.complete):
                    break
                data = self._read(connection)
                if not data:
                    break
        return body[:wanted]


def _object(bucket: bytes, key: bytes) -> Address:
    path = f"/{quote_from_bytes(bucket)}/{quote_from_bytes(key, safe='/~')}".encode()
    return Address(bucket, key, True, path)


_NO_ANSWER = Cause(
    "takes connections, but does not answer in time",
    "look whether the target hangs, and whether its endpoint is the port of its S3 interface",
)


def _expiry(connection: socket.socket) -> float | None:
    """Returns when the certificate expires; None if there is none, or none was verified."""
    shown = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    moment = shown.get("notAfter") if shown else None
    return None if not isinstance(moment, str) else float(ssl.cert_time_to_seconds(moment))


def _skew(head: ResponseHead, began: float, ended: float) -> float | None:
    """Returns the target's clock less the gateway's; 0 if it lies between the two moments."""
    from email.utils import parsedate_to_datetime

    try:
        theirs = parsedate_to_datetime(head.fields[b"date"].decode("ascii")).timestamp()
    except (KeyError, ValueError, TypeError, UnicodeDecodeError, OverflowError):
        return None
    if not math.isfinite(theirs):
        return None
    if theirs < began - 1:  # a Date has whole seconds
        return theirs - began
    return max(0.0, theirs - ended)
