"""A request that the gateway makes to a target of its own accord, and its head.

Rules: the gateway signs it as it signs the request of the client that it is for; the reply has no
content coding; `Via` names the gateway, so that a chain of gateways cannot run in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from fastpath.dialects.translation import Translation
from fastpath.errors import S3Error
from fastpath.http.query import parse_query
from fastpath.request.admission import VIA_PREFIX
from fastpath.request.virtual_host import host_and_path, server_name
from fastpath.response.filters import Question
from fastpath.routing.snapshot import Target
from fastpath.s3.addressing import Address
from fastpath.s3.operations import classify
from fastpath.signing.sigv4.sign import Signer, Unsigned
from fastpath.signing.sigv4.verify import UNSIGNED_PAYLOAD

_NO_CODING = b"accept-encoding: identity\r\n"  # without the line, any would do (RFC 9110 12.5.3)


class OwnRequest(NamedTuple):
    """What a call sends, but for the signature.

    operation: its name, for the log; empty if it is none of S3's.
    address: the bucket and key at the target, and the raw path in path style.
    query: raw.
    headers: lines to send; those of x-amz-* and content-md5 are signed.
    payload: the value of x-amz-content-sha256.
    length: of the body; None: it has none.
    is_path_style: whether the path names the bucket wherever the target has it otherwise.
    is_for_document: whether its answer is a large document, which is read here.
    """

    operation: str
    method: bytes
    address: Address
    query: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    payload: bytes = UNSIGNED_PAYLOAD
    length: int | None = None
    is_path_style: bool = False
    is_for_document: bool = False

    @property
    def fields(self) -> Mapping[bytes, bytes]:
        """The headers by name."""
        return dict(self.headers)

    def server_name(self, target: Target) -> str | None:
        """The name that the target must prove under TLS, if it is not the endpoint's own."""
        return None if self.is_path_style else server_name(target, self.address)

    def head(self, target: Target, signer: Signer | Unsigned, instance: bytes, now: float) -> bytes:
        """The head for this target; `now` in epoch seconds."""
        host, path = target.authority, self.address.path
        if not self.is_path_style:
            host, path = host_and_path(target, self.address)
        signed = [
            field
            for field in self.headers
            if field[0].startswith(b"x-amz-") or field[0] == b"content-md5"
        ]
        signatures = signer.sign(self.method, path, self.query, host, signed, self.payload, now)
        opening = b"%b %b%b HTTP/1.1\r\nhost: %b\r\n" % (
            self.method,
            path,
            b"?" + self.query if self.query else b"",
            host,
        )
        length = b"" if self.length is None else b"content-length: %d\r\n" % self.length
        return b"".join(
            [
                opening,
                *signatures,
                b"via: 1.1 %b%b\r\n" % (VIA_PREFIX, instance),
                *[b"%b: %b\r\n" % field for field in self.headers],
                _NO_CODING,
                length,
                b"\r\n",
            ]
        )


def translated(request: OwnRequest, translation: Translation) -> OwnRequest:
    """Return the request as a dialect changes it for its target."""
    kept = [field for field in request.headers if field[0] not in translation.drop]
    query = request.query if translation.query is None else translation.query
    return request._replace(query=query, headers=[*kept, *translation.add])


def traced(request: OwnRequest, trace: Sequence[tuple[bytes, bytes]]) -> OwnRequest:
    """Return the request as part of a trace, if it does not say so by itself."""
    if not trace or any(name == trace[0][0] for name, _ in request.headers):
        return request
    return request._replace(headers=[*request.headers, *trace])


def question_request(question: Question) -> OwnRequest:
    """The request that asks this question."""
    path, query, method = question
    bucket, _, key = path[1:].partition(b"/")
    address = Address(bucket, unquote_to_bytes(key), path_style=True, path=path)
    try:
        operation = classify(method, address, parse_query(query) if query else (), {}).name
    except S3Error:  # one of the target's own
        operation = ""
    return OwnRequest(operation, method, address, query, is_path_style=True)
