"""A copy between two targets that is ended in the middle: no object, and no parts nobody knows of.

Rules: the source is a double that halts; the destination is a real server, which is looked at past
the gateway. Each test has a gateway with one worker of its own.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError

from gateway.demo.seaweed import Keys, SeaweedServer
from tests.compat.live import s3_client
from tests.compat.shared import Store
from tests.doubles.lakefs import LakeFS
from tests.doubles.vast import MIB
from tests.doubles.vast_copies import Source, running
from tests.process.harness import Gateway, wait_until

LARGE = (200 * MIB, 100 * MIB)  # size, and where the source halts: in the second part
SMALL = (8 * MIB, 4 * MIB)  # of a copy that is one PutObject


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy goes: `client` looks at it past the gateway.

    takes_parts: the copy is a large one.
    """

    target: dict[str, object]
    bucket: str
    key: str
    client: Any
    takes_parts: bool = True

    def has_object(self) -> bool:
        try:
            self.client.head_object(Bucket=self.bucket, Key=self.key)
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
            return False
        return True

    def uploads(self) -> list[str]:
        """Ids of the uploads of this key that are neither complete nor aborted."""
        if not self.takes_parts:
            return []
        found = self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        return [one["UploadId"] for one in found if one["Key"] == self.key]

    def abort(self, upload_id: str) -> None:
        self.client.abort_multipart_upload(Bucket=self.bucket, Key=self.key, UploadId=upload_id)


def place_in(profile: str, endpoint: str, keys: Keys, bucket: str, key: str) -> Place:
    client = s3_client(endpoint, keys)
    target = {
        "profile": profile,
        "endpoint": endpoint,
        "access_key_id": keys.access_key_id,
        "secret_access_key": keys.secret_access_key,
    }
    return Place(target, bucket, key, client)


@pytest.fixture(
    params=[
        "seaweedfs",
        pytest.param("moto", marks=pytest.mark.slow),
        pytest.param("lakefs", marks=pytest.mark.slow),
    ]
)
def place(request: pytest.FixtureRequest, stores: dict[str, Store], moto: str) -> Iterator[Place]:
    key = uuid.uuid4().hex
    if request.param == "lakefs":
        with LakeFS() as lakefs:
            lakefs.add_repository("broken-copies")
            ((access, secret),) = lakefs.keys.items()
            keys = Keys(access, secret)
            found = place_in("lakefs", lakefs.endpoint, keys, "broken-copies", f"main/{key}")
            yield replace(found, takes_parts=False)
        return
    store = stores["s3"]
    is_moto = request.param == "moto"
    endpoint, keys = (moto, Keys("m", "m")) if is_moto else (store.endpoint, store.keys)
    found = place_in("s3" if is_moto else "seaweedfs", endpoint, keys, "broken-copies", key)
    with contextlib.suppress(found.client.exceptions.BucketAlreadyOwnedByYou):
        found.client.create_bucket(Bucket=found.bucket)
    yield found


class Copy:
    """A copy that has come to where its source halts."""

    def __init__(self, gateway: Gateway, source: Source, place: Place) -> None:
        self.gateway = gateway
        self.source = source
        self.place = place
        self.connection = gateway.connect(60)
        headers = {"x-amz-copy-source": "elsewhere/object"}
        self.connection.request("PUT", f"/{place.bucket}/{place.key}", headers=headers)
        source.wait_until_halted()
        if place.takes_parts:
            wait_until(place.uploads, "the upload is there")

    def reset(self) -> None:
        """The client is killed."""
        linger = struct.pack("ii", 1, 0)
        self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def error(self) -> str:
        """The code of the error that the client is told; empty if it is cut off."""
        try:
            document = self.connection.getresponse().read()
        except (http.client.HTTPException, ConnectionError):
            return ""
        found = re.search(rb"<Code>(.*?)</Code>", document)
        assert found, document
        return found[1].decode()

    def wait_until_aborted(self) -> None:
        wait_until(lambda: not self.place.uploads(), "the upload is aborted", 20)
        assert not self.place.has_object()


@contextlib.contextmanager
def halted(place: Place, **flags: object) -> Iterator[Copy]:
    """A copy that halts, in a gateway of its own, whose end leaves no defect in the log."""
    with running(Source(*(LARGE if place.takes_parts else SMALL))) as source:
        from_source = {"profile": "generic", "endpoint": source.endpoint}
        configuration = {
            "auth": {"mode": "open"},
            "targets": {
                "source": {**from_source, "access_key_id": "k", "secret_access_key": "s"},
                "destination": place.target,
            },
            "routing": {
                "rules": [{"pattern": place.bucket, "target": "destination"}],
                "default_target": "source",
            },
        }
        with Gateway.start(configuration, workers=1, **flags) as gateway:
            copy = Copy(gateway, source, place)
            with contextlib.closing(copy.connection):
                yield copy
        for defect in ("internal error", "Traceback", "never awaited", "destroyed"):
            assert not gateway.log_contains(defect), gateway.log.text()


def test_a_source_that_is_killed(place: Place) -> None:
    with halted(place) as copy:
        copy.source.end()
        assert copy.error() == "ServiceUnavailable"
        copy.wait_until_aborted()


def test_a_client_that_is_killed(place: Place) -> None:
    with halted(place) as copy:
        copy.reset()
        copy.wait_until_aborted()


def test_a_worker_that_is_killed(place: Place) -> None:
    with halted(place) as copy:
        copy.gateway.kill_worker(0)
        assert copy.error() == ""
        assert not place.has_object()
        left = place.uploads()
        assert len(left) == place.takes_parts
        for one in left:
            line = copy.gateway.wait_for_log(r'(\{"kind":"repair".*"state":"begun".*\})')
            assert unquote(json.loads(line[1])["upload_id"]) == one
            place.abort(one)


def test_a_worker_that_is_told_to_leave_and_may_not_wait(place: Place) -> None:
    with halted(place, drain_seconds=0.2) as copy:
        copy.gateway.signal(signal.SIGTERM)
        assert copy.error() == ""
        copy.gateway.wait()
        assert not place.has_object()
        for left in place.uploads():
            place.abort(left)


@pytest.mark.slow
def test_a_worker_that_drains_ends_the_copy_first(place: Place) -> None:
    with halted(place) as copy:
        copy.gateway.signal(signal.SIGTERM)
        copy.gateway.wait_for_log("draining")
        copy.source.end()
        assert copy.error() == "ServiceUnavailable"
        assert copy.gateway.wait() == 0
        assert (place.uploads(), place.has_object()) == ([], False)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_destination_that_is_killed(tmp_path: Path) -> None:
    """The operator is told of the upload that may be left, once aborting it was tried."""
    server = SeaweedServer(tmp_path / "weed", Keys("weed", "weed-secret"))
    try:
        server.launch()
        server.wait()
        place = place_in("seaweedfs", server.endpoint, server.keys, "broken-copies", "key")
        place.client.create_bucket(Bucket=place.bucket)
        with halted(place) as copy:
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            assert copy.error() == "ServiceUnavailable"
            copy.gateway.wait_for_log("left an upload that could not be aborted", 60)
            copy.gateway.wait_for_log(r'"kind":"repair".*"state":"left"')
        server.stop()
        server.launch()
        server.wait()
        again = place_in("seaweedfs", server.endpoint, server.keys, place.bucket, place.key)
        assert not again.has_object()
    finally:
        server.stop()
