"""Clients that speak TLS to the gateway: served, refused, rotated under, drained, cut."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.doubles.target import Fault, Target
from tests.process.conftest import OBJECT
from tests.process.harness import Gateway, ask, wait_until

HEALTH = b"GET /-/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Issuer:
    """An authority, the files of its present certificate, and clients that trust it."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self._directory = directory
        self.issue("localhost")

    def issue(self, *names: str) -> None:
        """Writes a new pair over the old one, as a certificate manager does."""
        issued = self._authority.issue_cert("localhost", *names)
        self._put("key.pem", issued.private_key_pem.bytes())
        self._put("cert.pem", b"".join(pem.bytes() for pem in issued.cert_chain_pems))

    def _put(self, name: str, data: bytes) -> None:
        fresh = self._directory / f"{name}.new"
        fresh.write_bytes(data)
        fresh.replace(self._directory / name)

    def listener(self) -> dict[str, str]:
        """The section `router.tls`."""
        files = {f"{part}_file": str(self._directory / f"{part}.pem") for part in ("cert", "key")}
        return {"listen_address": "127.0.0.1:0", **files}

    def trust(self) -> ssl.SSLContext:
        """A client's context."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


@pytest.fixture
def config(config: dict[str, object], issuer: Issuer) -> dict[str, object]:
    return {**config, "router": {"tls": issuer.listener()}}


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@contextlib.contextmanager
def client(gateway: Gateway, issuer: Issuer) -> Iterator[http.client.HTTPSConnection]:
    """A client that checks the certificate."""
    connection = http.client.HTTPSConnection(
        "localhost", port_of(gateway.tls_url), timeout=20, context=issuer.trust()
    )
    with contextlib.closing(connection):
        yield connection


@contextlib.contextmanager
def raw(gateway: Gateway, context: ssl.SSLContext, *said: bytes) -> Iterator[ssl.SSLSocket]:
    """A TLS connection that has said something."""
    plain = socket.create_connection(("127.0.0.1", port_of(gateway.tls_url)), timeout=20)
    with context.wrap_socket(
        plain, server_hostname="localhost", suppress_ragged_eofs=False
    ) as connection:
        for piece in said:
            connection.sendall(piece)
        yield connection


class Split:
    """A TLS client whose socket is at hand: an SSLSocket tells no reset from an end."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        self.connection = connection
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")

    def hello(self) -> bytes:
        """What a client says first."""
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._out.read()

    def shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.connection.sendall(self._out.read())
                self._in.write(self.connection.recv(65536))
            else:
                return

    def say(self, data: bytes) -> None:
        self._tls.write(data)
        self.connection.sendall(self._out.read())

    def hear(self) -> bytes:
        """Some bytes, perhaps none. OSError if the connection broke, EOFError at its end."""
        with contextlib.suppress(ssl.SSLWantReadError):
            return self._tls.read(65536)
        received = self.connection.recv(65536)
        if not received:
            raise EOFError
        self._in.write(received)
        return b""

    def hear_out(self) -> None:
        """Everything, until OSError or EOFError."""
        while True:
            self.hear()


@contextlib.contextmanager
def split(gateway: Gateway, issuer: Issuer) -> Iterator[Split]:
    address = ("127.0.0.1", port_of(gateway.tls_url))
    with socket.create_connection(address, timeout=20) as connection:
        yield Split(connection, issuer.trust())


def everything(connection: socket.socket) -> bytes:
    """What comes until the peer says that it is all."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def names_on(connection: ssl.SSLSocket) -> set[str]:
    found: Any = connection.getpeercert()  # typeshed knows the keys of no certificate
    return {name for _, name in found["subjectAltName"]}


def test_http_and_https_side_by_side(config: dict[str, object], issuer: Issuer) -> None:
    with Gateway.start(config) as gateway, client(gateway, issuer) as secure:
        assert gateway.tls_url.startswith("https://127.0.0.1:")
        assert ask(secure, "GET", "/bucket/key").body == OBJECT
        assert ask(secure, "PUT", "/bucket/new", OBJECT * 1000).status == 200
        assert ask(secure, "GET", "/-/healthz").body == b"ok\n"
        assert gateway.request("GET", "/bucket/new").body == OBJECT * 1000


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_and_protocol(
    config: dict[str, object], issuer: Issuer, version: ssl.TLSVersion
) -> None:
    context = issuer.trust()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Gateway.start(config) as gateway, raw(gateway, context, HEALTH) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        assert connection.selected_alpn_protocol() == "http/1.1"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_1_1_is_refused(config: dict[str, object], issuer: Issuer) -> None:
    context = issuer.trust()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        Gateway.start(config) as gateway,
        pytest.raises((ssl.SSLError, ConnectionResetError)),
        raw(gateway, context),
    ):
        pass


def test_protocols_that_are_mixed_up_are_answered_and_told(
    config: dict[str, object], issuer: Issuer
) -> None:
    """D7: plain http to the TLS port, the reverse, and a client that does not trust our CA."""
    with Gateway.start(config) as gateway:
        address = ("127.0.0.1", port_of(gateway.tls_url))
        for asked in (HEALTH, HEALTH.replace(b"GET", b"DELETE")):
            with socket.create_connection(address, timeout=5) as plain:
                plain.sendall(asked)
                said = everything(plain)
            assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert b"<Message>The plain HTTP request was sent to an HTTPS port" in said
        gateway.wait_for_log("to an address of TLS .write https:// in the client's endpoint")
        with (
            pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"),
            socket.create_connection(gateway.address, timeout=5) as plain,
        ):
            issuer.trust().wrap_socket(plain, server_hostname="localhost")
        gateway.wait_for_log("a client speaks TLS to an address of plain http .write http://")
        with (
            pytest.raises(ssl.SSLCertVerificationError),
            socket.create_connection(address, timeout=5) as plain,
        ):
            ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
        gateway.wait_for_log("a client does not trust the gateway's certificate")
        with client(gateway, issuer) as secure:
            assert ask(secure, "GET", "/bucket/key").status == 200
        assert not gateway.log_contains("error")


def test_a_handshake_that_never_ends_is_cut(config: dict[str, object], issuer: Issuer) -> None:
    config["router"] = {"tls": issuer.listener(), "limits": {"handshake_seconds": 0.3}}
    with Gateway.start(config, 1) as gateway:
        address = ("127.0.0.1", port_of(gateway.tls_url))
        with socket.create_connection(address, timeout=10) as silent:
            silent.sendall(b"\x16\x03\x01")
            began = time.monotonic()
            assert silent.recv(1) == b""
            assert 0.2 < time.monotonic() - began < 5


def test_a_renewed_certificate_is_taken_up_and_drops_nobody(
    config: dict[str, object], issuer: Issuer
) -> None:
    with Gateway.start(config) as gateway, client(gateway, issuer) as old:
        assert ask(old, "GET", "/bucket/key").status == 200
        issuer.issue("renewed.example")
        assert gateway.reload() == 2
        with raw(gateway, issuer.trust(), HEALTH) as fresh:
            assert names_on(fresh) == {"localhost", "renewed.example"}
        connected = old.sock
        assert ask(old, "GET", "/bucket/key").body == OBJECT
        assert old.sock is connected
        assert names_on(connected) == {"localhost"}


def test_a_renewed_certificate_is_noticed_without_a_signal(
    config: dict[str, object], issuer: Issuer
) -> None:
    with Gateway.start(config, 1) as gateway:
        issuer.issue("renewed.example")
        gateway.wait_for_log("generation 2 is served by", 30)
        with raw(gateway, issuer.trust()) as fresh:
            assert "renewed.example" in names_on(fresh)


def test_a_pair_that_does_not_match_changes_nothing(
    config: dict[str, object], issuer: Issuer, tmp_path: Path
) -> None:
    with Gateway.start(config) as gateway:
        trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(tmp_path / "key.pem")
        assert gateway.reload() is None
        assert gateway.log_contains("router.tls.key_file: is not the key of the certificate")
        with client(gateway, issuer) as secure:
            assert ask(secure, "GET", "/bucket/key").status == 200


def test_addresses_need_a_restart(config: dict[str, object], issuer: Issuer) -> None:
    """The listener that is there goes on with the certificate it had."""
    with Gateway.start(config) as gateway:
        assert gateway.reload({**config, "router": {}}) == 2
        assert gateway.log_contains("router.tls.listen_address: a change needs a restart")
        with client(gateway, issuer) as secure:
            assert ask(secure, "GET", "/bucket/key").status == 200


def test_a_replaced_worker_listens_again(config: dict[str, object], issuer: Issuer) -> None:
    with Gateway.start(config, 1) as gateway:
        gateway.kill_worker(0)
        with client(gateway, issuer) as secure:  # waits in the queue for the replacement
            assert ask(secure, "GET", "/bucket/key").status == 200


@pytest.mark.parametrize("said", ["PUT /bucket/key HTTP/1.1", "PUT / HTTP/1.1"])
def test_an_early_refusal_arrives(config: dict[str, object], issuer: Issuer, said: str) -> None:
    """Half of the body is on its way when it is clear that nobody wants it."""
    head = f"{said}\r\nHost: localhost\r\nContent-Length: 1000000\r\nx-bad: \x00\r\n\r\n".encode()
    with Gateway.start(config, 1) as gateway:
        with raw(gateway, issuer.trust(), head, b"z" * 500000) as connection:
            answer = b""
            while b"</Error>" not in answer:
                piece = connection.recv(65536)
                assert piece, answer
                answer += piece
        assert b" 400 " in answer.partition(b"\r\n")[0]


def test_an_answer_without_a_length_ends_properly(
    config: dict[str, object], issuer: Issuer
) -> None:
    request = b"GET /bucket/key HTTP/1.0\r\nHost: localhost\r\n\r\n"
    with (
        Gateway.start(config, 1) as gateway,
        raw(gateway, issuer.trust(), request) as connection,
    ):
        assert everything(connection).endswith(OBJECT)  # an end without close_notify would raise


def test_an_answer_that_breaks_off_looks_broken(
    config: dict[str, object], issuer: Issuer, target: Target
) -> None:
    target.objects["/bucket/key"] = OBJECT * 1000
    target.fault = Fault.DIE
    request = b"GET /bucket/key HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Gateway.start(config, 1) as gateway, split(gateway, issuer) as connection:
        connection.shake_hands()
        connection.say(request)
        with pytest.raises(ConnectionResetError):
            connection.hear_out()


def test_a_slow_reader_gets_the_whole_of_a_last_answer(
    config: dict[str, object], issuer: Issuer, target: Target
) -> None:
    """Its connection is closed while the gateway still holds the end of the answer.

    How much the kernel takes is not known; of these sizes some are a little more than that.
    """
    sizes = [200_000 * count for count in range(1, 26)]
    for size in sizes:
        target.objects[f"/bucket/{size}"] = b"x" * size
    request = b"GET /bucket/%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    config["router"] = {"tls": issuer.listener(), "limits": {"discard_seconds": 0.1}}
    with Gateway.start(config, 1) as gateway, contextlib.ExitStack() as open_ones:
        readers = [
            open_ones.enter_context(raw(gateway, issuer.trust(), request % size)) for size in sizes
        ]
        threading.Event().wait(3.0)  # nobody reads meanwhile
        with ThreadPoolExecutor(len(readers)) as together:  # each end takes its time
            answers = together.map(everything, readers)
            assert [len(answer.partition(b"\r\n\r\n")[2]) for answer in answers] == sizes


def test_draining_answers_what_was_asked_and_lets_the_idle_go(
    config: dict[str, object], issuer: Issuer, target: Target
) -> None:
    with (
        Gateway.start(config) as gateway,
        raw(gateway, issuer.trust(), HEALTH) as idle,
        client(gateway, issuer) as busy,
    ):
        assert idle.recv(1000)
        with target.holding():
            busy.request("GET", "/bucket/key")
            target.wait_for_held(1)
            gateway.signal(signal.SIGTERM)
            gateway.wait_for_log("draining")
            assert everything(idle) == b""
        answer = busy.getresponse()
        assert (answer.read(), answer.getheader("connection")) == (OBJECT, "close")
        assert gateway.wait() == 0
        assert gateway.log_contains("stopped: clean")


def test_a_client_that_never_says_goodbye_does_not_hold_a_drain(
    config: dict[str, object], issuer: Issuer
) -> None:
    with Gateway.start(config, 1) as gateway, raw(gateway, issuer.trust(), HEALTH) as idle:
        assert idle.recv(1000)
        began = time.monotonic()
        assert gateway.stop() == 0  # `idle` does not even read
        assert time.monotonic() - began < 10


def test_draining_waits_for_a_handshake(config: dict[str, object], issuer: Issuer) -> None:
    """A client that connected before the drain is served, not cut in its handshake."""
    with Gateway.start(config, 1) as gateway:
        with split(gateway, issuer) as waiting:
            hello = waiting.hello()
            waiting.connection.sendall(hello[:20])
            with client(gateway, issuer) as other:  # so that the first one was accepted
                assert ask(other, "GET", "/-/healthz").status == 200
            gateway.signal(signal.SIGTERM)
            wait_until(lambda: _is_refused(gateway), "nobody listens")
            waiting.connection.sendall(hello[20:])
            waiting.shake_hands()
            waiting.say(b"GET /bucket/key HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while OBJECT not in answer:
                answer += waiting.hear()
        assert b"connection: close" in answer.lower()
        assert gateway.wait() == 0


def _is_refused(gateway: Gateway) -> bool:
    address = ("127.0.0.1", port_of(gateway.tls_url))
    try:
        socket.create_connection(address, timeout=0.2).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def test_500_idle_connections(config: dict[str, object], issuer: Issuer) -> None:
    """Memory per connection stays in the tens of KiB: docs/processes.md names the figure."""
    context = issuer.trust()
    with Gateway.start(config, 1) as gateway, contextlib.ExitStack() as held:
        pid = gateway.worker_pids()[0]
        for _ in range(10):  # what is made once
            held.enter_context(raw(gateway, context, HEALTH)).recv(1000)
        before = _private_kib(pid)
        for _ in range(500):
            assert held.enter_context(raw(gateway, context, HEALTH)).recv(1000)
        assert (_private_kib(pid) - before) / 500 < 80
        with client(gateway, issuer) as secure:
            assert ask(secure, "GET", "/bucket/key").status == 200


def _private_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(row.split()[1]) for row in text.splitlines() if row.startswith("Private_Dirty"))


def test_certificates_are_not_read_by_workers(config: dict[str, object], issuer: Issuer) -> None:
    """No path of a certificate is open in a worker, nor is a memory file left."""
    with Gateway.start(config, 1) as gateway, client(gateway, issuer) as secure:
        assert ask(secure, "GET", "/bucket/key").status == 200
        directory = Path(f"/proc/{gateway.worker_pids()[0]}/fd")
        opened = {os.readlink(entry) for entry in directory.iterdir()}
        assert not {name for name in opened if "pem" in name or "memfd" in name}
