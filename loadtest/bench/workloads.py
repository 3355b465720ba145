"""What is asked for, and what is sent: signed requests, made once per round by botocore.

Rules: each is one request, repeated; its signature is the client's own, good for a quarter of an
hour, so it is made anew for every round and every port (the Host header is signed); every figure is
per request.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from loadtest.bench.contenders import KEY_ID, REGION, SECRET
from loadtest.bench.store import Store

KIB, MIB = 1024, 1024 * 1024
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_CHUNK = 64 * KIB  # as SDKs choose
_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of request.

    `size` is bytes of the object, `connections` are all that are tried, `patience` is how much
    longer a turn is than others: so long that what is on its way at its end matters little.
    """

    name: str
    method: str
    path: str
    size: int
    connections: tuple[int, ...]
    payload: str = "unsigned"  # unsigned, digest or chunks
    patience: int = 1
    copies: str = ""  # the source of a CopyObject

    @property
    def uploads(self) -> bool:
        return self.method == "PUT" and not self.copies


EVERY = (1, 32, 256)
WORKLOADS = (
    Workload("GET 1 KiB", "GET", "/bench/1k", KIB, EVERY),
    # Of an empty object: wrk waits for a body of the length that an answer to HEAD names.
    Workload("HEAD", "HEAD", "/bench/empty", 0, (32,)),
    Workload("GET 64 KiB", "GET", "/bench/64k", 64 * KIB, (32,)),
    Workload("GET 1 MiB", "GET", "/bench/1m", MIB, EVERY),
    Workload("GET 64 MiB", "GET", "/bench/64m", 64 * MIB, (1, 32), patience=4),
    Workload("PUT 1 KiB", "PUT", "/bench/put-1k", KIB, EVERY, "digest"),
    Workload("PUT 1 MiB", "PUT", "/bench/put-1m", MIB, (1, 32), "digest"),
    Workload("PUT 64 MiB", "PUT", "/bench/put-64m", 64 * MIB, (1, 32), "digest", 4),
    Workload("PUT 8 MiB chunks", "PUT", "/bench/put-8m", 8 * MIB, (32,), "chunks", 2),
    Workload("LIST 1000 keys", "GET", "/list?list-type=2&max-keys=1000", 0, (32,)),
)


@dataclass(frozen=True, slots=True)
class Shot:
    """One request as the load generator gets it; `body` is a file or None."""

    method: str
    path: str
    headers: dict[str, str]
    body: Path | None


def furnish(store: Store) -> None:
    """Put into the store what is read from it."""
    for workload in WORKLOADS:
        if workload.path.startswith("/bench/") and not workload.uploads:
            store.put(workload.path.rpartition("/")[2], _content(workload.size))
    store.put_source("1k", _content(KIB))
    store.put_list(_listing())


def _content(size: int) -> bytes:
    block = hashlib.sha256(b"s3gateway bench").digest() * 32
    return (block * (size // len(block) + 1))[:size]


def _listing() -> bytes:
    """What S3 answers to a list of a thousand keys."""
    entries = "".join(
        f"<Contents><Key>data/2026/11/part-{number:05d}.parquet</Key>"
        "<LastModified>2026-11-25T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;{hashlib.md5(b'%d' % number, usedforsecurity=False).hexdigest()}&quot;</ETag>"
        "<Size>1048576</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for number in range(_LISTED)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>list</Name>'
        f"<Prefix></Prefix><KeyCount>{_LISTED}</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
    ).encode()


def aim(workload: Workload, port: int, directory: Path) -> Shot:
    """Sign one request for the contender on `port`; its body becomes a file of `directory`."""
    url = f"http://127.0.0.1:{port}{workload.path}"
    data = _content(workload.size) if workload.uploads else b""
    headers = {"Host": f"127.0.0.1:{port}"}
    if workload.copies:
        headers["x-amz-copy-source"] = workload.copies
    if workload.payload == "chunks":
        headers["Content-Encoding"] = "aws-chunked"
        headers["x-amz-decoded-content-length"] = str(len(data))
        payload = STREAMING
    elif workload.payload == "digest":
        payload = hashlib.sha256(data).hexdigest()
    else:
        payload = "UNSIGNED-PAYLOAD"
    request = AWSRequest(method=workload.method, url=url, headers=headers)
    signer = PayloadSigner(payload)
    signer.add_auth(request)
    if workload.payload == "chunks":
        data = b"".join(signer.frames(request, data))
    body = None
    if workload.uploads:
        body = directory / "body"
        body.write_bytes(data)
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return Shot(workload.method, path, dict(request.headers.items()), body)


class PayloadSigner(S3SigV4Auth):  # type: ignore[misc]  # botocore is untyped
    """Signs for a payload that is named, not read; chunks are chained to it."""

    def __init__(self, payload: str, key_id: str = KEY_ID, secret: str = SECRET) -> None:
        super().__init__(Credentials(key_id, secret), "s3", REGION)
        self._secret = secret
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:
        return self._payload

    def frames(self, request: AWSRequest, data: bytes) -> Iterator[bytes]:
        """The data as signed chunks (AWS: "Signature calculations ... multiple chunks")."""
        timestamp = request.context["timestamp"]
        scope = f"{timestamp[:8]}/{REGION}/s3/aws4_request"
        key = self._key(timestamp[:8])
        signature = request.headers["Authorization"].rpartition("Signature=")[2]
        empty = hashlib.sha256().hexdigest()
        for at in [*range(0, len(data), _CHUNK), len(data)]:
            chunk = data[at : at + _CHUNK]
            digest = hashlib.sha256(chunk).hexdigest()
            text = "\n".join(
                ["AWS4-HMAC-SHA256-PAYLOAD", timestamp, scope, signature, empty, digest]
            )
            signature = hmac.new(key, text.encode(), "sha256").hexdigest()
            yield b"%x;chunk-signature=%b\r\n%b\r\n" % (len(chunk), signature.encode(), chunk)

    def _key(self, date: str) -> bytes:
        key = b"AWS4" + self._secret.encode()
        for part in (date, REGION, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key


def hash_rate(seconds: float, clock: Callable[[], float]) -> float:
    """Bytes per second that SHA-256 alone takes in, in pieces of 64 KiB; `clock` is CPU time."""
    piece = bytes(_CHUNK)
    digest = hashlib.sha256()
    begun, taken = clock(), 0
    while clock() - begun < seconds:
        for _ in range(64):
            digest.update(piece)
        taken += 64 * _CHUNK
    return taken / (clock() - begun)


def today() -> str:
    """The date of a result."""
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()
