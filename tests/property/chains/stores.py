"""Owns the stores of the plays, all in this process: moto, the lakeFS double and a sorted store.

Rules: a store answers a request at once and wholly, when the play says so, and does nothing else;
what it holds is read past the gateway. Keys begin with the name of a branch, so that one client's
key is good at each store, whatever stands before it in a chain.
"""

from __future__ import annotations

import functools
import hashlib
import io
import socket
from typing import Any, Protocol, cast
from unittest.mock import patch

import moto.s3.models as moto_models
from moto.server import create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.doubles.lakefs import LakeFS, multipart
from tests.doubles.lakefs.store import Blob
from tests.doubles.lakefs.wire import Body, Request
from tests.doubles.recording import Recorded
from tests.doubles.sorted_store import Held, SortedStore

BUCKET = "b-chain"
BRANCH = "main/"
SORTED, MOTO, LAKE = "sorted", "moto", "lake"
_ACCOUNT = "123456789012"  # moto's own
TARGETS = (SORTED, MOTO, LAKE)

# A part may be small: how small is for other tests.
_SMALL_PARTS = patch.object(moto_models, "S3_UPLOAD_PART_MIN_SIZE", 0)


@functools.cache
def _app() -> Any:  # moto is untyped here
    """Make moto's application for S3, which takes as long as a whole play."""
    return create_backend_app("s3")


class Store(Protocol):
    """What a play asks of a store."""

    def answer(self, head: bytes, body: bytes) -> bytes:
        """Do what a request asks for; its answer, byte for byte."""

    def put(self, key: str, body: bytes) -> None:
        """Hold an object, past the gateway."""

    def sizes(self) -> dict[str, int]:
        """What it holds: the sizes of objects, which tell a play which they are."""

    def uploads(self) -> int:
        """How many uploads in parts are in progress."""


class Sorted:
    """The sorted store."""

    def __init__(self) -> None:
        self.store = SortedStore(BUCKET)

    def answer(self, head: bytes, body: bytes) -> bytes:
        return self.store.answer(Recorded(head, body))

    def put(self, key: str, body: bytes) -> None:
        self.store.buckets[BUCKET][key.encode()] = Held(body)

    def sizes(self) -> dict[str, int]:
        return {key.decode(): len(held.data) for key, held in self.store.buckets[BUCKET].items()}

    def uploads(self) -> int:
        return len(self.store.uploads)


class Moto:
    """moto, called as the WSGI server calls it; its state is of the whole process.

    Servers of other tests may run in the process: only the bucket of the plays begins anew.
    """

    def __init__(self) -> None:
        for backend in moto_models.s3_backends[_ACCOUNT].values():
            backend.buckets.pop(BUCKET, None)
        moto_models.s3_backends.bucket_accounts.pop(BUCKET, None)
        self._call("PUT", f"/{BUCKET}")

    def answer(self, head: bytes, body: bytes) -> bytes:
        request = Recorded(head, body)
        lines = [line.partition(b":") for line in head.split(b"\r\n")[1:] if line]
        fields = [(n.decode(), v.strip().decode("latin-1")) for n, _, v in lines]
        method = request.method.decode()
        status, found, data = self._call(method, request.target.decode(), body, fields)
        names = {name.lower() for name, _ in found}
        shown = [f"{name}: {value}" for name, value in found]
        if "content-length" not in names and not status.startswith(("204", "304")):
            shown.append(f"content-length: {len(data)}")
        text = "\r\n".join([f"HTTP/1.1 {status}", *shown, "", ""])
        return text.encode("latin-1") + (b"" if method == "HEAD" else data)

    def _call(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        fields: list[tuple[str, str]] | None = None,
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        path, _, query = target.partition("?")
        own = ("host", "content-length")  # moto takes a name of a host for that of a bucket
        made = EnvironBuilder(
            method=method,
            path=path,
            query_string=query,
            base_url="http://127.0.0.1:5000/",
            headers=[field for field in fields or () if field[0].lower() not in own],
            data=body,
        ).get_environ()
        made |= {"RAW_URI": target, "REQUEST_URI": target}
        with _SMALL_PARTS:
            pieces, status, found = run_wsgi_app(_app(), made, buffered=True)
        return status, list(found), b"".join(pieces)

    def put(self, key: str, body: bytes) -> None:
        status, _, _ = self._call("PUT", f"/{BUCKET}/{key}", body)
        assert status.startswith("200"), status

    def sizes(self) -> dict[str, int]:
        return {key.name: key.size for key in self._bucket().keys.values()}

    def uploads(self) -> int:
        return len(self._bucket().multiparts)

    def _bucket(self) -> Any:  # moto is untyped here
        (backend,) = moto_models.s3_backends[_ACCOUNT].values()
        return backend.buckets[BUCKET]


class Lake:
    """The lakeFS double; the bucket is a repository."""

    def __init__(self) -> None:
        self._lakefs = LakeFS()
        self._lakefs.add_repository(BUCKET)
        ((self.key_id, self.secret),) = self._lakefs.keys.items()

    def answer(self, head: bytes, body: bytes) -> bytes:
        recorded = Recorded(head, body)
        lines = [line.partition(b":") for line in head.split(b"\r\n")[1:] if line]
        headers = [(n.decode().lower(), v.strip().decode("latin-1")) for n, _, v in lines]
        nobody = cast("socket.socket", None)
        sent = Body(io.BytesIO(body), nobody, len(body))
        request = Request(recorded.method.decode(), recorded.target, headers, sent)
        with patch.object(multipart, "MIN_PART_BYTES", 0):
            return self._lakefs.answer(request).on_wire(request.method, close=False)

    def _blobs(self) -> dict[str, Blob]:
        return self._lakefs.store.repositories[BUCKET].branches["main"].entries

    def put(self, key: str, body: bytes) -> None:
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self._blobs()[key.removeprefix(BRANCH)] = Blob(body, "text/plain", {}, digest)

    def sizes(self) -> dict[str, int]:
        return {BRANCH + key: len(blob.data) for key, blob in self._blobs().items()}

    def uploads(self) -> int:
        return len(self._lakefs.store.uploads)


def stores() -> dict[str, Store]:
    """New ones, each with an empty bucket."""
    return {SORTED: Sorted(), MOTO: Moto(), LAKE: Lake()}
