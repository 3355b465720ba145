"""`s3gateway check --connect`: an operator asks whether the gateway will reach the stores.

Every store is a listener on loopback that does one thing; real ones are in tests/compat.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner, Result

from gateway.cli.main import main

SECRET = "hidden-secret"
LISTED = b"<ListAllMyBucketsResult/>"

Play = Callable[[socket.socket], None]


def answering(
    status: str = "200 OK", body: bytes = LISTED, *, skew: float = 0.0, head: bytes = b""
) -> Play:
    """A store that reads one request and answers it."""

    def play(connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            piece = connection.recv(65536)
            if not piece:  # somebody looks whether connections are taken
                return
            asked += piece
        lines = [
            b"HTTP/1.1 " + status.encode(),
            b"Date: " + formatdate(time.time() + skew, usegmt=True).encode(),
            b"Content-Length: %d" % len(body),
            *([head] if head else []),
        ]
        sent = b"" if asked.startswith(b"HEAD") else body
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + sent)

    return play


def saying(data: bytes) -> Play:
    """A server that speaks first, and not HTTP."""

    def play(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.recv(65536)

    return play


def hanging(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


@contextlib.contextmanager
def listener(play: Play, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Its port. Connections are served one by one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), connection:
                    if context is None:
                        play(connection)
                    else:
                        with context.wrap_socket(connection, server_side=True) as secure:
                            play(secure)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def target(endpoint: str, **more: object) -> dict[str, Any]:
    pair = {"access_key_id": "AKIDTARGET", "secret_access_key": SECRET}
    return {"endpoint": endpoint, **pair, **more}


def check(directory: Path, targets: dict[str, Any], *words: str, **more: Any) -> Result:
    """Run the command over a configuration whose rules lead to every target."""
    rules = [{"pattern": f"{name}-*", "target": name} for name in targets]
    config = {
        "auth": {
            "identities": [{"name": "me", "access_key_id": "AKIDME", "secret_access_key": SECRET}]
        },
        "targets": targets,
        "routing": {"default_target": next(iter(targets)), "rules": rules},
        **more,
    }
    file = directory / "gateway.yaml"
    file.write_text(json.dumps(config, indent=1))
    done = CliRunner().invoke(main, ["check", "-c", str(file), "--connect", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert SECRET not in done.output
    assert "Traceback" not in done.output
    return done


def findings(done: Result) -> list[str]:
    """The problems of targets that a rule leads to."""
    return [line for line in done.stdout.splitlines() if "no rule leads here" not in line]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def server(authority: trustme.CA, name: str = "localhost", **more: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **more).configure_cert(context)
    return context


PLAIN = {
    "D2 in order": (answering(), 0, ""),
    "D2 garbage": (saying(b"\x00\x01\x02garbage"), 5, "got bytes of another protocol"),
    "D2 SSH": (saying(b"SSH-2.0-x\r\n"), 5, "got an SSH server"),
    "D2 closes": (lambda connection: None, 5, "closed the connection without an answer"),
    "D2 hangs": (hanging, 5, "does not answer in time"),
    "D2 wants TLS": (
        answering("400 Bad Request", b"Client sent an HTTP request to an HTTPS server.\n"),
        5,
        "write https:// in the target's endpoint",
    ),
    "D2 wrong secret": (
        answering("403 Forbidden", b"<Error><Code>SignatureDoesNotMatch</Code></Error>"),
        5,
        "store.secret_access_key: the target refuses the signature",
    ),
    "D2 unknown key": (
        answering("403 Forbidden", b"<Error><Code>InvalidAccessKeyId</Code></Error>"),
        5,
        "store.access_key_id: the target does not know the access key id",
    ),
    "D2 skewed": (answering(skew=-2000), 5, "seconds behind this machine's"),
    "D2 a little skewed": (answering(skew=400), 0, "warning: the target's clock"),
    "D2 region": (
        answering(
            "400 Bad Request",
            b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>",
        ),
        5,
        "set region: eu-west-1",
    ),
    "D2 a web page": (answering(body=b"<html>console</html>"), 5, "a web page"),
    "D2 denied": (
        answering("403 Forbidden", b"<Error><Code>AccessDenied</Code></Error>"),
        0,
        "may not list buckets (if they need not, name a bucket in a rule",
    ),
}


@pytest.mark.parametrize("case", PLAIN)
def test_plain_listeners(case: str, tmp_path: Path) -> None:
    play, code, says = PLAIN[case]
    with listener(play) as port:
        done = check(tmp_path, {"store": target(f"http://127.0.0.1:{port}")}, "--timeout", "1")
    assert done.exit_code == code, done.output
    found = findings(done)
    assert len(found) == (1 if says else 0)
    assert says in "".join(found)
    state = "failed" if code else "ok"
    assert f"target store (http://127.0.0.1:{port}): {state}" in done.stderr


def test_tls_listeners(authority: trustme.CA, tmp_path: Path) -> None:
    """D2: certificates and mixed-up schemes, each at the line of its target, all at once."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    past = {
        "not_before": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        "not_after": datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC),
    }
    trusted = {"tls": {"ca_file": str(tmp_path / "ca.pem")}}
    cases: dict[str, tuple[ssl.SSLContext | None, str, dict[str, Any], str]] = {
        "good": (server(authority), "https", trusted, ""),
        "expired": (server(authority, **past), "https", trusted, "certificate has expired"),
        "named": (server(authority, "x.test"), "https", trusted, "is for another name"),
        "unknown": (server(authority), "https", {}, "name the CA that signed it in tls.ca_file"),
        "plain": (None, "https", trusted, "write http:// in the target's endpoint"),
        "secure": (server(authority), "http", {}, "write https:// in the target's endpoint"),
    }
    with contextlib.ExitStack() as stack:
        targets = {}
        for name, (context, scheme, more, _) in cases.items():
            play = saying(b"HTTP/1.1 400 Bad Request\r\n\r\n") if context is None else answering()
            port = stack.enter_context(listener(play, context))
            targets[name] = target(f"{scheme}://localhost:{port}", **more)
        done = check(tmp_path, targets, "--timeout", "5")
    assert done.exit_code == 5
    lines = (tmp_path / "gateway.yaml").read_text().splitlines()
    found = findings(done)
    assert len(found) == len(cases) - 1
    for name, (*_, says) in cases.items():
        (line,) = [line for line in found if f": targets.{name}.endpoint: " in line] or [""]
        assert says in line
        if line:
            assert (
                f'"endpoint": "{targets[name]["endpoint"]}"' in lines[int(line.split(":")[1]) - 1]
            )


def test_hosts_that_are_not_there(tmp_path: Path) -> None:
    """D2: a dead port, a name that does not resolve; one without keys or rules is skipped."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    targets = {
        "dead": target(f"http://127.0.0.1:{port}"),
        "dns": target("https://name.invalid"),
    }
    rules = [{"pattern": "dns-*", "target": "dns"}]
    routing = {"default_target": "dead", "rules": rules}
    spare = {**targets, "spare": {"endpoint": "http://127.0.0.1:9"}}
    done = check(tmp_path, spare, "--timeout", "5", routing=routing)
    assert done.exit_code == 5
    dead, dns = findings(done)
    assert "targets.dead.endpoint: connection refused" in dead
    assert "targets.dns.endpoint: the host's name " in dns
    assert "target spare: skipped; no rule leads here" in done.stderr


def test_a_target_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    """D2: all are asked at once, each within its time."""
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(listener(hanging)) for _ in range(4)]
        targets = {f"t{port}": target(f"http://127.0.0.1:{port}") for port in ports}
        began = time.monotonic()
        done = check(tmp_path, targets, "--timeout", "1.5")
        assert time.monotonic() - began < 4.5
    assert (done.exit_code, len(findings(done))) == (5, 4)


def test_buckets_that_rules_name_are_looked_at(tmp_path: Path) -> None:
    """D2: who may list nothing may still be right; a bucket that is missing is told at its rule."""

    def play(connection: socket.socket) -> None:
        asked = connection.recv(65536)
        status = 404 if b"/gone " in asked else 200 if b"/there " in asked else 403
        connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)

    with listener(play) as port:
        rules = [{"pattern": name, "target": "store"} for name in ("there", "gone", "with-*")]
        done = check(
            tmp_path,
            {"store": target(f"http://127.0.0.1:{port}")},
            routing={"default_target": "store", "rules": rules},
        )
    assert done.exit_code == 0
    (missing,) = findings(done)
    assert "routing.rules[1].pattern: warning: target store: bucket gone does not exist" in missing
    assert "ListBuckets 403, HEAD of there" in done.stderr


def test_a_target_that_hides_missing_keys_is_told(tmp_path: Path) -> None:
    """AWS does without s3:ListBucket, and then no read would come to the fallback."""

    def hiding(hidden: bytes) -> Play:
        def play(connection: socket.socket) -> None:
            asked = connection.recv(65536)
            found, key = b"404 X", b"GET /logs-a/s3gateway-check-"
            body = b"<ListAllMyBucketsResult><Name>logs-a</Name></ListAllMyBucketsResult>"
            if asked.startswith(key):
                body = b"<Error><Code>NoSuchKey</Code></Error>"
                if hidden in asked.partition(b" HTTP")[0]:
                    found, body = b"403 X", b"<Error><Code>AccessDenied</Code></Error>"
            status = found if asked.startswith(key) else b"200 OK"
            head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
            connection.sendall(head + body)

        return play

    def run(hidden: bytes) -> Result:
        sorts = {"profile_overrides": {"lists": ["sorted"]}}
        with listener(hiding(hidden)) as new, listener(hiding(b"/logs-a/")) as old:
            targets = {
                "new": target(f"http://127.0.0.1:{new}", **sorts),
                "old": target(f"http://127.0.0.1:{old}", **sorts),
            }
            rules = [{"pattern": "logs-*", "target": "new", "fallback": ["old"]}]
            routing = {"default_target": "new", "rules": rules}
            return check(tmp_path, targets, routing=routing)

    done = run(b"/logs-a/")
    assert done.exit_code == 5
    (told,) = findings(done)
    assert "routing.rules[0].target: target new: a missing key in bucket logs-a" in told
    assert "403 AccessDenied and not 404" in told
    assert "s3:ListBucket" in told
    assert run(b"/other/").exit_code == 0


def test_credentials_of_identities_are_tried_too(tmp_path: Path) -> None:
    """D2: each where it stands."""

    def play(connection: socket.socket) -> None:
        asked = connection.recv(65536)
        good = b"Credential=AKIDTARGET/" in asked
        body = LISTED if good else b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
        status = b"200" if good else b"403"
        connection.sendall(
            b"HTTP/1.1 %b X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
        )

    own = {"store": {"access_key_id": "AKIDOWN", "secret_access_key": SECRET}}
    me = {"name": "me", "access_key_id": "AKIDME", "secret_access_key": SECRET, "credentials": own}
    with listener(play) as port:
        targets = {"store": target(f"http://127.0.0.1:{port}")}
        done = check(tmp_path, targets, "--format", "json", auth={"identities": [me]})
    assert done.exit_code == 5
    report = json.loads(done.stdout)
    assert report["ok"] is False
    (found,) = [p for p in report["problems"] if p["severity"] == "error"]
    assert found["path"] == "auth.identities[0].credentials.store.secret_access_key"
    assert found["message"].startswith("target store: the target refuses the signature")
    (store,) = report["targets"]
    assert (store["target"], store["state"]) == ("store", "failed")
    assert store["said"] == ["the target's credentials: ListBuckets 200"]


def test_a_configuration_with_errors_asks_nobody(tmp_path: Path) -> None:
    """D2: exit 1 tells it from a target that fails."""
    done = check(tmp_path, {"store": target("http://127.0.0.1:1", regoin="x")})
    assert done.exit_code == 1
    assert "no target was asked" in done.stderr
