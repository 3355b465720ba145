"""Https targets behind the gateway: verified, with a custom CA, with client certificates."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from loadtest.bench import cgroups
from tests.doubles.target import Target
from tests.process.harness import Gateway, wait_until

BODY = bytes(range(256)) * 1024


class _Store(http.server.BaseHTTPRequestHandler):
    """Answers every GET with BODY and every PUT with what it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(BODY)

    def do_HEAD(self) -> None:
        """Says which host and path it was asked for."""
        self.send_response(200)
        self.send_header("x-asked", f"{self.headers['host'].partition(':')[0]} {self.path}")
        self.end_headers()

    def do_PUT(self) -> None:
        self._answer(self.rfile.read(int(self.headers["content-length"])))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests read the gateway's log, not this one's."""


class _Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A refused handshake is what some tests are about."""


@contextlib.contextmanager
def store(context: ssl.SSLContext, kind: type[_Store] = _Store) -> Iterator[str]:
    """An https store on loopback; its URL."""
    listening = _Quiet(("127.0.0.1", 0), kind)
    listening.socket = context.wrap_socket(
        listening.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{listening.server_address[1]}"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join(10)


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("localhost",))).configure_cert(context)
    return context


def config(url: str, **tls: object) -> dict[str, Any]:
    target = {
        "profile": "generic",
        "endpoint": url,
        "access_key_id": "TESTACCESSKEY",
        "secret_access_key": "test-secret",
        "tls": tls,
    }
    return {
        "auth": {"mode": "open"},
        "targets": {"main": target},
        "routing": {"default_target": "main"},
    }


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    return made


def test_a_target_with_a_private_ca_is_verified_and_served(
    authority: trustme.CA, tmp_path: Path
) -> None:
    with (
        store(server_context(authority)) as url,
        Gateway.start(config(url, ca_file=str(tmp_path / "ca.pem"))) as gateway,
    ):
        assert gateway.request("GET", "/bucket/key").body == BODY
        assert gateway.request("PUT", "/bucket/key", BODY * 8).body == BODY * 8


@pytest.mark.parametrize(
    "fault", ["a certificate nobody vouches for", "a certificate of another name"]
)
def test_an_unverified_target_gets_nothing(
    authority: trustme.CA, tmp_path: Path, fault: str
) -> None:
    name, trusted = ("localhost", False) if "nobody" in fault else ("elsewhere.example", True)
    tls = {"ca_file": str(tmp_path / "ca.pem")} if trusted else {}
    with (
        store(server_context(authority, name)) as url,
        Gateway.start(config(url, **tls)) as gateway,
    ):
        answer = gateway.request("GET", "/bucket/key")
        assert answer.status == 503
        assert b"<Code>ServiceUnavailable</Code>" in answer.body
        gateway.wait_for_log("is for another name" if trusted else "name the CA that signed it")


def test_verification_can_be_switched_off(authority: trustme.CA) -> None:
    with (
        store(server_context(authority, "elsewhere.example")) as url,
        Gateway.start(config(url, verify=False)) as gateway,
    ):
        assert gateway.request("GET", "/bucket/key").body == BODY


def test_a_client_certificate_is_shown_to_the_target(authority: trustme.CA, tmp_path: Path) -> None:
    client = authority.issue_cert("gateway@example.com")
    client.private_key_pem.write_to_path(tmp_path / "client.key")
    client.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    context = server_context(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    ca = {"ca_file": str(tmp_path / "ca.pem")}
    pair = {"cert_file": str(tmp_path / "client.pem"), "key_file": str(tmp_path / "client.key")}
    with store(context) as url, Gateway.start(config(url, **ca, **pair)) as gateway:
        assert gateway.request("GET", "/bucket/key").body == BODY
        assert gateway.reload(config(url, **ca)) is not None
        assert gateway.request("GET", "/bucket/key").status == 503


def test_a_bucket_in_the_host_is_a_name_that_the_target_must_prove(
    authority: trustme.CA, tmp_path: Path
) -> None:
    context = server_context(authority, "localhost", "one.localhost", "two.localhost")
    named: list[str | None] = []
    context.sni_callback = lambda _, name, __: named.append(name)
    with store(context) as url:
        virtual = config(url, ca_file=str(tmp_path / "ca.pem"))
        virtual["targets"]["main"]["addressing"] = "virtual"  # type: ignore[index]
        virtual["router"] = {"workers": 1}
        with Gateway.start(virtual) as gateway:
            for path in ("/one/a%2fb", "/two/a", "/one/c", "/with.dots/a"):
                asked = gateway.request("HEAD", path).headers["x-asked"]
                bucket = path.split("/")[1]
                if bucket in ("one", "two"):
                    assert asked == f"{bucket}.localhost {path.removeprefix(f'/{bucket}')}"
                else:
                    assert asked == f"localhost {path}"
            assert set(named) == {"one.localhost", "two.localhost", "localhost"}
            assert gateway.request("HEAD", "/three/a").status == 503
            gateway.wait_for_log("cannot connect to localhost:[0-9]+ as three.localhost")
            virtual["targets"]["main"]["addressing"] = "path"  # type: ignore[index]
            gateway.reload(virtual)
            assert gateway.request("HEAD", "/three/a").headers["x-asked"] == "localhost /three/a"


def test_a_target_of_the_other_scheme_is_named_with_its_remedy(
    authority: trustme.CA, tmp_path: Path
) -> None:
    """D7: http:// to a port of TLS, https:// to a port of plain http."""
    with store(server_context(authority)) as url, Target() as plain:
        mixed = config(url.replace("https:", "http:"))
        del mixed["targets"]["main"]["tls"]  # type: ignore[index]
        with Gateway.start(mixed) as gateway:
            assert gateway.request("GET", "/bucket/key").status == 503
            gateway.wait_for_log("write https:// in the target's endpoint")
            gateway.reload(config(f"https://127.0.0.1:{plain.port}"))
            assert gateway.request("GET", "/bucket/key").status == 503
            gateway.wait_for_log("write http:// in the target's endpoint")


@pytest.mark.slow
def test_a_burst_of_bodies_leaves_no_memory_behind(authority: trustme.CA, tmp_path: Path) -> None:
    """Each of its connections had 0.6 MiB of buffers: 40 MiB in all."""
    count, body, mebibyte = 64, b"b" * (1 << 20), 1 << 20
    started = threading.Barrier(count)

    class Store(_Store):
        def do_GET(self) -> None:
            started.wait(20)
            self._answer(body)

    def get(gateway: Gateway, found: list[int]) -> None:
        found.append(len(gateway.request("GET", "/bucket/key").body))

    settings = config("", ca_file=str(tmp_path / "ca.pem"))
    with store(server_context(authority), Store) as url:
        settings["targets"]["main"] |= {"endpoint": url, "pool": {"idle_seconds": 1}}
        with Gateway.start(settings, workers=1) as gateway:
            gateway.request("PUT", "/bucket/key", b"x")  # what it imports is there
            (worker,) = gateway.worker_pids()
            before, found = cgroups.pages(worker).private, list[int]()
            threads = [threading.Thread(target=get, args=(gateway, found)) for _ in range(count)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(40)
            assert found == [len(body)] * count
            assert cgroups.pages(worker).private - before > 16 * mebibyte
            wait_until(
                lambda: cgroups.pages(worker).private - before < 8 * mebibyte,
                "it is given back",
                30,
            )
