"""An operator replaces an identity's key while its clients work, and no request is refused."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
import urllib3
from botocore.client import Config

from tests.doubles.signing import RawClient
from tests.doubles.target import Target
from tests.process.harness import Gateway

OLD, NEW = ("AKIDOLD", "of-the-old"), ("AKIDNEW", "of-the-new")
CLIENTS = 3


def configuration(target: Target, *keys: tuple[str, str]) -> dict[str, Any]:
    pairs = [{"access_key_id": key, "secret_access_key": secret} for key, secret in keys]
    store = {"access_key_id": "AKIDSTORE", "secret_access_key": "of-store"}
    return {
        "auth": {"identities": [{"name": "app", "keys": pairs}]},
        "targets": {"store": {"profile": "generic", "endpoint": target.url, **store}},
        "routing": {"default_target": "store"},
    }


class Clients:
    """Clients that sign one request after the other with the key that they were given last."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._key = OLD
        self._changed = threading.Condition()
        self._stopped = False
        self._last: dict[int, tuple[str, str]] = {}  # by thread: the key of its last answer
        self.answers: Counter[tuple[str, int]] = Counter()  # by key id and status
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(CLIENTS)]

    @contextmanager
    def working(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped = True
            for thread in self._threads:
                thread.join(20)

    def use(self, key: tuple[str, str]) -> None:
        """Gives them another key; returns when the last request with the one before has ended."""
        self._key = key
        with self._changed:
            assert self._changed.wait_for(lambda: set(self._last.values()) == {key}, 20)

    def wait_for(self, key: tuple[str, str], count: int) -> None:
        with self._changed:
            wanted = self.answers[key[0], 200] + count
            assert self._changed.wait_for(lambda: self.answers[key[0], 200] >= wanted, 20)

    def _work(self) -> None:
        while not self._stopped:
            key = self._key
            status, _ = RawClient(*self._gateway.address, *key).send("GET", b"/bucket/key")
            with self._changed:
                self.answers[key[0], status] += 1
                self._last[threading.get_ident()] = key
                self._changed.notify_all()


def signed(client: Any) -> Iterator[int]:
    """The statuses of a request in every kind of signature that this client makes."""
    yield client.head_object(Bucket="bucket", Key="key")["ResponseMetadata"]["HTTPStatusCode"]
    name = {"Bucket": "bucket", "Key": "key"}
    yield urllib3.request("GET", client.generate_presigned_url("get_object", name)).status
    form = client.generate_presigned_post("bucket", "form")
    fields = {**form["fields"], "file": ("form", b"data")}
    yield urllib3.request("POST", form["url"], fields=fields).status


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_every_kind_of_signature_takes_every_key(target: Target, version: str) -> None:
    auth = {**configuration(target, OLD, NEW)["auth"], "sigv2": "all"}
    with Gateway.start({**configuration(target, OLD, NEW), "auth": auth}, 1) as gateway:
        for key, secret in (OLD, NEW):
            client = boto3.client(
                "s3",
                endpoint_url=gateway.url,
                region_name="us-east-1",
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                config=Config(signature_version=version, s3={"addressing_style": "path"}),
            )
            assert list(signed(client)) == [200, 200, 204]


def test_keys_are_replaced_without_a_refused_request(target: Target) -> None:
    flags = {"access_log": "-", "log_format": "json"}
    with Gateway.start(configuration(target, OLD), **flags) as gateway:
        clients = Clients(gateway)
        with clients.working():
            clients.wait_for(OLD, 10)
            assert gateway.reload(configuration(target, NEW, OLD)) == 2
            clients.use(NEW)
            assert gateway.reload(configuration(target, NEW)) == 3
            clients.wait_for(NEW, 10)
        assert {status for _, status in clients.answers} == {200}
        status, text = RawClient(*gateway.address, *OLD).send("GET", b"/bucket/key")
        assert (status, b"InvalidAccessKeyId" in text) == (403, True)
        gateway.stop()
        lines = [json.loads(line) for line in gateway.stdout]
        seen = Counter((line["identity"], line["access_key_id"]) for line in lines)
        expected = Counter({("app", key): n for (key, _), n in clients.answers.items()})
        assert seen == expected + Counter({("?AKIDOLD", ""): 1})
