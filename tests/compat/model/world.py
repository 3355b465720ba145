"""Owns the stores of the model-based test and the gateway before them, and reads what they hold.

Rules: moto and the lakeFS double have no other user; the SeaweedFS servers have, so that names of
buckets begin with those of the run. The gateway reaches each store through a proxy, which can fail;
what a store holds is read past both.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import ClientError

from gateway.demo.seaweed import Keys
from tests.compat.live import CLIENT, identity, s3_client
from tests.compat.model.layouts import (
    AT_STORES,
    BRANCHES,
    LAKE,
    MAX_KEY,
    MOTO,
    OTHER,
    REPOSITORY,
    SEA,
    Layout,
)
from tests.compat.model.objects import About, Objects, Pairs, Stored
from tests.compat.shared import Store
from tests.doubles.breaking_proxy import BreakingProxy, Fault
from tests.doubles.lakefs import LakeFS, multipart
from tests.doubles.lakefs.store import Blob
from tests.process.harness import Gateway, wait_until

MOTO_KEYS = Keys("moto-key", "moto-secret")
# Ends when its standard input does: with the test process, however that ends.
_MOTO = """
import logging
import sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""
_NO_RETRIES = Config(retries={"max_attempts": 0}, max_pool_connections=2)


@contextlib.contextmanager
def moto_process() -> Iterator[str]:
    """Yield the address of a moto server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", _MOTO],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "S3_UPLOAD_PART_MIN_SIZE": "0"},
    )
    with process:
        assert process.stdout is not None
        host, port = process.stdout.readline().decode().split()
        yield f"http://{host}:{port}"
        process.communicate()


@dataclass
class Struck:
    """How often a fault has struck; 0: nothing failed."""

    times: int = 0


@dataclass
class World:
    """Everything that outlives one play of the machine."""

    run: str
    gateway: Gateway
    stores: Mapping[str, Any]  # boto3's clients, past the gateway
    proxies: Mapping[str, BreakingProxy]  # by target: what the gateway takes for the store
    moto: str
    lakefs: LakeFS
    directory: Path
    document: Mapping[str, Any]
    client: Any
    in_force: tuple[Any, ...] = ()  # the configuration and the code of its router
    routers: list[int] = field(default_factory=list)  # pids of all that have answered
    steps: int = 0
    refused: int = 0  # steps that were answered by an error, as the model says
    failed: int = 0  # steps that failed because a store did
    withstood: int = 0  # steps that did what they were to do though a store failed

    def full(self, bucket: str) -> str:
        return self.run + bucket

    def reload(self, layout: Layout) -> None:
        """Put the rules and the router in force, in all workers."""
        gateway, mark = self.gateway, len(self.gateway.log)
        source = layout.custom.source() if layout.custom is not None else ""
        if source:
            (self.directory / "model_router.py").write_text(source)
        new = configuration(self.document, self.run, self.directory, layout), source
        before, self.in_force = self.in_force, new
        assert gateway.reload(new[0])
        if source and new != before:
            # It takes over once it is ready, which may be later than the acknowledgement.
            ready = gateway.wait_for_log(r"router \(pid (\d+)\) answers", 20, after=mark)
            for pid in self.routers:
                wait_until(partial(_is_gone, pid), "the old one leaves")
            self.routers = [int(ready[1])]

    @contextlib.contextmanager
    def failing(
        self, target: str, fault: Fault | None, meanwhile: Callable[[], object] | None = None
    ) -> Iterator[Struck]:
        """Within: a store fails. Afterwards: how often it did, and nothing is on its way to any.

        meanwhile: called once, in the moment when it first fails.
        """
        struck = Struck()
        if fault is not None:
            self.proxies[target].begin(fault, meanwhile)
        try:
            yield struck
        finally:
            if fault is not None:
                struck.times = sum(proxy.end() for proxy in self.proxies.values())

    def read(self, place: tuple[str, str, str]) -> Stored | None:
        """An object, from the store itself; None: there is none."""
        target, bucket, key = place
        if not key or len(key.encode()) > MAX_KEY:
            return None  # no object has such a name
        if target == LAKE:
            branch, _, path = key.partition("/")
            return _of_blob(self._branch(branch).get(path))
        client, named = self.stores[target], {"Bucket": self.full(bucket), "Key": key}
        try:
            answer = client.get_object(**named)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None
        tags = client.get_object_tagging(**named)["TagSet"] if answer.get("TagCount") else ()
        about = About(
            answer.get("ContentType", ""),
            _pairs(answer["Metadata"]),
            _pairs({row["Key"]: row["Value"] for row in tags}),
        )
        return Stored(answer["Body"].read(), about)

    def write(self, place: tuple[str, str, str], stored: Stored) -> None:
        """Put an object into its store."""
        target, bucket, key = place
        about = stored.about
        if target == LAKE:
            branch, _, path = key.partition("/")
            digest = hashlib.md5(stored.body, usedforsecurity=False).hexdigest()
            blob = Blob(stored.body, about.content_type, dict(about.metadata), digest)
            self._branch(branch)[path] = blob
            return
        named = {"Bucket": self.full(bucket), "Key": key}
        self.stores[target].put_object(**named, Body=stored.body, **about.described, **about.tagged)

    def objects(self) -> Objects:
        """What all stores hold, read from themselves."""
        places = [
            (target, bucket, key)
            for target, client in self.stores.items()
            for bucket in AT_STORES[target]
            for key in _keys(client, self.full(bucket))
        ]
        places += [
            (LAKE, REPOSITORY, f"{branch}/{key}")
            for branch in BRANCHES
            for key in self._branch(branch)
        ]
        return {place: found for place in places if (found := self.read(place)) is not None}

    def uploads(self) -> list[tuple[str, str, str]]:
        """Where uploads are in progress, by the stores themselves."""
        found = [
            (target, bucket, upload["Key"])
            for target, client in self.stores.items()
            for bucket in AT_STORES[target]
            for upload in _uploads(client, self.full(bucket))
        ]
        found += [
            (LAKE, REPOSITORY, f"{upload.branch}/{upload.key}")
            for upload in self.lakefs.store.uploads.values()
        ]
        return sorted(found)

    def clear(self) -> None:
        """Delete all objects and uploads."""
        for target, client in self.stores.items():
            if target == MOTO:
                _reset(self.moto)
                _create_buckets(client, self.run, target)
                continue
            for bucket in map(self.full, AT_STORES[target]):
                for key in _keys(client, bucket):
                    client.delete_object(Bucket=bucket, Key=key)
                for upload in _uploads(client, bucket):
                    named = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                    client.abort_multipart_upload(Bucket=bucket, **named)
        for branch in BRANCHES:
            self._branch(branch).clear()
        self.lakefs.store.uploads.clear()

    def _branch(self, name: str) -> dict[str, Any]:
        repository = self.lakefs.store.repositories[self.full(REPOSITORY)]
        return repository.branches[name].entries


def _is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def _keys(client: Any, bucket: str, prefix: str = "") -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [row["Key"] for page in pages for row in page.get("Contents", ())]


def _uploads(client: Any, bucket: str) -> list[Any]:
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
    return [row for page in pages for row in page.get("Uploads", ())]


def _of_blob(blob: Any) -> Stored | None:
    if blob is None:
        return None
    return Stored(blob.data, About(blob.content_type, _pairs(blob.metadata)))


def _pairs(found: Mapping[str, str]) -> Pairs:
    return tuple(sorted(found.items()))


def _reset(moto: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(moto).netloc)
    with contextlib.closing(connection):
        connection.request("POST", "/moto-api/reset")
        assert connection.getresponse().status == 200


def _create_buckets(client: Any, run: str, target: str) -> None:
    for bucket in AT_STORES[target]:
        client.create_bucket(Bucket=run + bucket)


def configuration(
    document: Mapping[str, Any], run: str, directory: Path, layout: Layout
) -> dict[str, Any]:
    """The whole configuration under a layout."""
    routing: dict[str, Any] = {
        "default_target": SEA,
        "rules": [rule.written(run) for rule in layout.rules],
    }
    if layout.custom is not None:
        routing["custom"] = "model_router:Router"
        routing["custom_path"] = str(directory)
        # A machine under load is no failure of a router: the failures have tests of their own.
        routing["custom_timeout_ms"] = 10_000
        if layout.custom.reads:
            routing["custom_reads"] = list(layout.custom.reads)
    return {**document, "routing": routing}


@contextlib.contextmanager
def world(stores: Mapping[str, Store], directory: Path) -> Iterator[World]:
    """Start everything: two SeaweedFS servers (shared), moto, the lakeFS double, a gateway."""
    run = f"m{uuid.uuid4().hex[:8]}-"
    secret = directory / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef\n")
    # Parts of 5 MiB would take most of the time: how small one may be has tests of its own.
    small_parts = patch.object(multipart, "MIN_PART_BYTES", 0)
    with moto_process() as moto, small_parts, LakeFS() as lakefs, contextlib.ExitStack() as stack:
        lakefs.add_repository(run + REPOSITORY, *BRANCHES[1:])
        ((key_id, key_secret),) = lakefs.keys.items()
        endpoints = {
            SEA: ("seaweedfs", stores["s3"].endpoint, stores["s3"].keys),
            OTHER: ("seaweedfs", stores["lakefs"].endpoint, stores["lakefs"].keys),
            MOTO: ("generic", moto, MOTO_KEYS),
            LAKE: ("lakefs", lakefs.endpoint, Keys(key_id, key_secret)),
        }
        proxies = {
            name: stack.enter_context(_proxy(endpoint))
            for name, (_, endpoint, _) in endpoints.items()
        }
        document = {
            "targets": {
                name: {
                    "profile": profile,
                    "endpoint": proxies[name].url,
                    "region": "us-east-1",
                    "access_key_id": keys.access_key_id,
                    "secret_access_key": keys.secret_access_key,
                }
                for name, (profile, _, keys) in endpoints.items()
            },
            "auth": {"identities": [identity("compat", CLIENT)]},
            "router": {"secret_file": str(secret)},
        }
        direct = {
            name: s3_client(endpoint, keys)
            for name, (_, endpoint, keys) in endpoints.items()
            if name != LAKE
        }
        for name, client in direct.items():
            _create_buckets(client, run, name)
        first = configuration(document, run, directory, Layout())
        with Gateway.start(first, 2) as gateway:
            client = s3_client(gateway.url, CLIENT, _NO_RETRIES)
            yield World(run, gateway, direct, proxies, moto, lakefs, directory, document, client)
            client.close()


def _proxy(endpoint: str) -> BreakingProxy:
    url = urlsplit(endpoint)
    assert url.hostname is not None
    assert url.port is not None
    return BreakingProxy(url.hostname, url.port)
