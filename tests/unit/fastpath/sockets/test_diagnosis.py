"""D7: what first bytes and exceptions are taken for, and the remedy that is named."""

from __future__ import annotations

import errno
import socket
import ssl
import threading

import pytest
import trustme

from fastpath.sockets import diagnosis

ANSWERS = {
    "TLS alert": (b"\x15\x03\x01\x00\x02\x02\x46", "write https:// in the target's endpoint"),
    "TLS hello": (b"\x16\x03\x03\x00\x7a\x02", "got a TLS record"),
    "HTTP/2": (b"\0\0\x12\x04\0\0\0\0\0\0\x03", "got HTTP/2"),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", "an SSH server"),
    "SMTP": (b"220 mail.test ESMTP\r\n", "an FTP or mail server"),
    "Redis": (b"-ERR unknown command\r\n", "such as Redis"),
    "MySQL": (b"\x4a\0\0\0\x0a8.0.36-mysql\0", "a MySQL server"),
    "HTTP/0.9": (b"<html>", "without an HTTP head"),
    "bad HTTP": (b"HTTP/1.1 200 OK\nA: b\n\n", "not valid HTTP/1.1"),
    "anything": (b"\x00\x01\x02", "another protocol"),
}


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: f"D7 {case}")
def test_an_answer_that_is_no_http(case: str) -> None:
    data, says = ANSWERS[case]
    cause = str(diagnosis.of_answer(data))
    assert says in cause
    assert data.decode("latin-1") not in cause


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"<center>The plain HTTP request was sent to HTTPS port</center>", True),
        (b"Client sent an HTTP request to an HTTPS server.\n", True),
        (b"You're speaking plain HTTP to an SSL-enabled server port.<br />", True),
        (b"This combination of host and port requires TLS.", True),
        (b"<Error><Code>InvalidArgument</Code></Error>", False),
    ],
    ids=["D7 nginx", "D7 Go", "D7 Apache", "D7 Tomcat", "D7 an error of S3"],
)
def test_plain_http_on_a_tls_port_by_the_words_of_servers(body: bytes, wanted: bool) -> None:
    assert diagnosis.wants_tls(400, body) is wanted
    assert not diagnosis.wants_tls(200, body)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", "a client speaks TLS"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "a client speaks HTTP/2"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY protocol"),
        (b"\r\n\r\n\x00\r\nQUIT\n\x21", "PROXY protocol"),
        (b"GET / HTTP/1.1\r\n", None),
        (b"PUT", None),
    ],
    ids=["D7 TLS", "D7 HTTP/2", "D7 PROXY 1", "D7 PROXY 2", "D7 GET", "D7 part of a word"],
)
def test_a_client_that_speaks_something_else(data: bytes, says: str | None) -> None:
    cause = diagnosis.of_request(data)
    assert (cause is None) if says is None else (says in str(cause))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused"),
        (OSError("Multiple exceptions: [Errno 111] a, [Errno 101] b"), "connection refused"),
        (OSError(errno.EMFILE, "x"), "ulimit -n"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "no local port"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "does not resolve"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "no DNS answers"),
        (TimeoutError(), "a firewall may drop it"),
        (ConnectionResetError(), "closed at once"),
        (UnicodeError("label too long"), "label too long"),
        (OSError(), "OSError"),
    ],
    ids=lambda value: f"D7 {value!r}" if isinstance(value, Exception) else "",
)
def test_a_connect_that_fails(fault: Exception, says: str) -> None:
    assert says in str(diagnosis.of_connect(fault, tls=False))


def shaken(server: ssl.SSLContext | None, client: ssl.SSLContext, name: str) -> Exception:
    """What a client's handshake raises; without a context the server answers plain HTTP."""
    near, far = socket.socketpair()

    def serve() -> None:
        try:
            if server is not None:
                server.wrap_socket(far, server_side=True).close()
            else:
                far.recv(100)
                far.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        except OSError:
            pass
        finally:
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(near, server_hostname=name).close()
    except OSError as fault:
        return fault
    finally:
        near.close()
        thread.join()
    raise AssertionError("the handshake went well")


def test_handshakes_that_fail_by_the_library_itself() -> None:
    """D7: OpenSSL's own reasons, not those that the table hopes for."""
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("right.test").configure_cert(server)
    for context, client, name, says in (
        (None, trusting, "right.test", "write http:// in the target's endpoint"),
        (server, trusting, "wrong.test", "is for another name"),
        (server, ssl.create_default_context(), "right.test", "tls.ca_file"),
    ):
        assert says in str(diagnosis.of_connect(shaken(context, client, name), tls=True))


def test_silence_of_a_new_connection() -> None:
    """D7: only plain http can be a mistaken scheme."""
    assert "https://" in str(diagnosis.of_silence(tls=False))
    assert "https://" not in str(diagnosis.of_silence(tls=True))
