"""Connections that have served long enough, with real clients: told, closed, and nobody notices.

Rules: the target checks no signature; how often a connection ends is read from the access log,
which names each connection by the client's port.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
from botocore.config import Config

from tests.doubles.target import Target
from tests.process.conftest import OBJECT
from tests.process.harness import Gateway, ask, wait_until

pytestmark = pytest.mark.slow

HTTP, HTTPS = "http", "https"
KEEPS = "GET /bucket/key HTTP/1.%d\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Scene:
    """A configuration with a TLS listener; `ca` is what clients trust."""

    config: dict[str, object]
    tls: dict[str, str]
    ca: Path

    @contextlib.contextmanager
    def gateway(self, workers: int = 1, **limits: float) -> Iterator[Gateway]:
        router = {"tls": self.tls, "limits": limits}
        flags = {"access_log": "access.log", "log_format": "json"}
        with Gateway.start({**self.config, "router": router}, workers, **flags) as gateway:
            gateway.expected_files.add("access.log")
            yield gateway

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))


@pytest.fixture
def scene(config: dict[str, object], tmp_path: Path) -> Scene:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    ca, pair = tmp_path / "ca.pem", tmp_path / "pair.pem"
    authority.cert_pem.write_to_path(ca)
    issued.private_key_and_cert_chain_pem.write_to_path(pair)
    files = {"cert_file": str(pair), "key_file": str(pair)}
    return Scene(config, {"listen_address": "127.0.0.1:0", **files}, ca)


def everything(connection: socket.socket) -> bytes:
    """What comes until the gateway says that it is all; a reset, or no goodbye in TLS, raises."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def tls_port(gateway: Gateway) -> int:
    return int(gateway.tls_url.rpartition(":")[2])


def connections(gateway: Gateway, requests: int) -> Counter[object]:
    """How many requests each connection served, once the log tells of so many."""

    def lines() -> list[dict[str, object]]:
        found = gateway.access_lines("access.log")
        return found if len(found) >= requests else []

    return Counter(line["remote"] for line in wait_until(lines, f"{requests} access lines"))


def sdk(gateway: Gateway, scheme: str, ca: Path, connections: int = 1) -> Any:
    """boto3, which would report the first fault: it tries nothing twice."""
    config = Config(
        retries={"total_max_attempts": 1},
        max_pool_connections=connections,
        s3={"addressing_style": "path"},
    )
    return boto3.client(
        "s3",
        endpoint_url=gateway.url if scheme == HTTP else gateway.tls_url,
        verify=str(ca) if scheme == HTTPS else None,
        aws_access_key_id="AKIDCLIENT",
        aws_secret_access_key="client-secret",
        region_name="us-east-1",
        config=config,
    )


@pytest.mark.parametrize("minor", [0, 1])
def test_the_last_answer_says_so_and_the_end_follows(scene: Scene, minor: int) -> None:
    """What is pipelined behind it is not answered; the end is no reset."""
    with scene.gateway(connection_requests=3) as gateway:
        with socket.create_connection(gateway.address, timeout=20) as plain:
            plain.sendall((KEEPS % minor).encode() * 5)
            heads = everything(plain).split(OBJECT)
        assert [b"Connection: close" in head for head in heads] == [False, False, True, False]
        assert heads[3] == b""


@pytest.mark.parametrize("minor", [0, 1])
def test_the_same_over_tls(scene: Scene, minor: int) -> None:
    with scene.gateway(connection_requests=2, discard_seconds=0.2) as gateway:
        with (
            socket.create_connection(("127.0.0.1", tls_port(gateway)), timeout=20) as plain,
            scene.trust().wrap_socket(
                plain, server_hostname="localhost", suppress_ragged_eofs=False
            ) as secure,
        ):
            secure.sendall((KEEPS % minor).encode() * 3)
            first, last, nothing = everything(secure).split(OBJECT)
        assert b"Connection: close" not in first
        assert b"Connection: close" in last
        assert nothing == b""


@pytest.mark.parametrize("scheme", [HTTP, HTTPS])
def test_an_old_connection_ends_after_an_answer(scene: Scene, scheme: str) -> None:
    with scene.gateway(connection_seconds=0.2) as gateway:
        connection = gateway.connect()
        if scheme == HTTPS:
            port, trust = tls_port(gateway), scene.trust()
            connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=trust)
        with contextlib.closing(connection):

            def ends() -> bool:
                answer = ask(connection, "GET", "/bucket/key")
                assert answer.body == OBJECT
                return answer.headers.get("connection") == "close"

            wait_until(ends, "an answer that is the last")
            assert ask(connection, "GET", "/bucket/key").body == OBJECT  # on another one


def test_an_exchange_in_progress_is_not_cut(scene: Scene, target: Target) -> None:
    """Its target thinks until the connection is too old; the answer comes, and is the last."""
    with (
        scene.gateway(connection_seconds=0.1) as gateway,
        contextlib.closing(gateway.connect()) as waiting,
        contextlib.closing(gateway.connect()) as later,
    ):
        with target.holding():
            waiting.request("GET", "/bucket/key")
            target.wait_for_held(1)
            wait_until(
                lambda: ask(later, "GET", "/-/healthz").headers["connection"] == "close",
                "a connection that came later is too old",
            )
        answer = waiting.getresponse()
        assert (answer.read(), answer.getheader("connection")) == (OBJECT, "close")


@pytest.mark.parametrize("scheme", [HTTP, HTTPS])
def test_boto3_goes_on_without_an_error(scene: Scene, scheme: str) -> None:
    with scene.gateway(2, connection_requests=3) as gateway:
        s3 = sdk(gateway, scheme, scene.ca)
        for number in range(15):
            s3.put_object(Bucket="bucket", Key=f"{number}", Body=OBJECT)
            assert s3.get_object(Bucket="bucket", Key=f"{number}")["Body"].read() == OBJECT
        assert list(connections(gateway, 30).values()) == [3] * 10


@pytest.mark.parametrize("scheme", [HTTP, HTTPS])
def test_threads_of_boto3_never_meet_a_closed_connection(scene: Scene, scheme: str) -> None:
    """They ask without a pause while connections grow old: none is closed between two."""
    with scene.gateway(2, connection_seconds=0.2) as gateway:
        s3 = sdk(gateway, scheme, scene.ca, 4)

        def work(thread: int) -> int:
            """Until a connection has ended under it three times; how many requests that were."""
            asked = ended = 0
            while ended < 3:
                key, body = f"{thread}-{asked}", OBJECT * asked
                stored = s3.put_object(Bucket="bucket", Key=key, Body=body)
                found = s3.get_object(Bucket="bucket", Key=key)
                assert found["Body"].read() == body
                asked += 2
                ended += [said_to_close(stored), said_to_close(found)].count(True)
            return asked

        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            asked = sum(threads.map(work, range(4)))
        assert len(connections(gateway, asked)) >= 12


def said_to_close(answer: dict[str, Any]) -> bool:
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    return headers.get("connection") == "close"
