"""The admin plane of a real gateway: what it answers, to whom, and that it is in nobody's way."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.admin.server import MAX_CONNECTIONS
from tests.doubles.signing import RawClient
from tests.doubles.target import Target
from tests.process.harness import Gateway, ask, run_to_end, wait_until
from tests.process.test_tls_listener import Issuer

TOKEN = "an-admin-token-0123456789"
LINE = r"admin plane on (https?)://(\S+):(\d+)"
READING = (
    "/live",
    "/ready",
    "/started",
    "/metrics",
    "/api/status",
    "/api/config",
    "/api/routes",
    "/api/decision?bucket=bucket&key=key",
    "/api/decisions",
    "/api/errors",
    "/api/reloads",
    "/api/targets",
    "/api/workers",
    "/api/stats",
    "/api/history",
    "/openapi.json",
    "/",
)


class Plane:
    """A client of the admin plane of a gateway."""

    def __init__(self, gateway: Gateway, context: ssl.SSLContext | None = None) -> None:
        found = gateway.wait_for_log(LINE)
        self.scheme, self.port = found[1], int(found[3])
        self._context = context

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: object = None,
        **fields: str,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers; underscores in the names of fields stand for hyphens."""
        data = None if body is None else json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if data is not None:
            headers["content-type"] = "application/json"
        url = f"{self.scheme}://127.0.0.1:{self.port}{path}"
        asked = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=30, context=self._context) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read(), refused.headers

    def get(self, path: str, **fields: str) -> Any:
        """The document of an answer."""
        status, body, _ = self.ask(path, **fields)
        assert status == 200, body
        return json.loads(body)

    def change(self, path: str, body: object = None, token: str = TOKEN, **fields: str) -> Any:
        """Status and document of a POST with the token."""
        bearer = {"authorization": f"Bearer {token}"} if token else {}
        status, text, _ = self.ask(path, "POST", body, **bearer, **fields)
        return status, json.loads(text)


def with_token(config: Mapping[str, Any], **admin: object) -> dict[str, Any]:
    return {**config, "admin": {"token": TOKEN, **admin}}


def connect(plane: Plane) -> socket.socket:
    return socket.create_connection(("127.0.0.1", plane.port), timeout=10)


def get_object(gateway: Gateway) -> int:
    """The status of a GET by a client of its own."""
    with contextlib.closing(gateway.connect(30)) as client:
        return ask(client, "GET", "/bucket/key").status


def probe(plane: Plane) -> int:
    """The status of `/live`; 0 if the connection broke."""
    try:
        return plane.ask("/live")[0]
    except (OSError, http.client.HTTPException):
        return 0


def resident(pid: int) -> int:
    """MiB of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) // 1024


def served_certificate(plane: Plane) -> str:
    return ssl.get_server_certificate(("127.0.0.1", plane.port))


@pytest.fixture(scope="module")
def secrets() -> dict[str, str]:
    """Every secret of the configuration, by what it is."""
    return {
        "token": TOKEN,
        "secret key of a target": "target-secret-0123456789abcdef",
        "secret key of an identity": "alice-secret-0123456789abcdef",
        "second key of an identity": "alice-rotated-0123456789abcdef",
        "key of upload ids": "upload-ids-0123456789abcdef0123456789abcdef",
    }


@pytest.fixture(scope="module")
def shared(
    secrets: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Plane]]:
    """A gateway with every kind of secret; its tests change nothing that another one sees."""
    file = tmp_path_factory.mktemp("secrets") / "upload-ids"
    file.write_text(secrets["key of upload ids"])
    with Target() as target:
        target.objects["/bucket/key"] = b"0123456789"
        config = {
            "targets": {
                "store": {
                    "profile": "generic",
                    "endpoint": target.url,
                    "access_key_id": "TARGETKEY00",
                    "secret_access_key": secrets["secret key of a target"],
                }
            },
            "auth": {
                "identities": [
                    {
                        "name": "alice",
                        "keys": [
                            {
                                "access_key_id": "ALICE0",
                                "secret_access_key": secrets["secret key of an identity"],
                            },
                            {
                                "access_key_id": "ALICE1",
                                "secret_access_key": secrets["second key of an identity"],
                            },
                        ],
                    }
                ],
            },
            "routing": {"default_target": "store"},
            "router": {"secret_file": str(file)},
            "admin": {"token": TOKEN},
        }
        with Gateway.start(config, 2, admin="127.0.0.1:0", log_level="debug") as gateway:
            yield gateway, Plane(gateway)


# What it says


def test_no_answer_and_no_line_of_the_log_holds_a_secret(
    shared: tuple[Gateway, Plane], secrets: dict[str, str]
) -> None:
    gateway, plane = shared
    host, port = gateway.address
    signed = RawClient(host, port, "ALICE1", secrets["second key of an identity"])
    assert signed.send("GET", b"/bucket/key")[0] == 200
    forged = RawClient(host, port, "ALICE0", "not-the-key")
    assert forged.send("GET", b"/bucket/key")[0] == 403
    wait_until(lambda: len(plane.get("/api/decisions")["decisions"]) >= 2, "both are told")
    said = [plane.ask(path) for path in READING]
    assert [status for status, _, _ in said] == [200] * len(READING)
    refused = [
        plane.ask("/api/reload", "POST", {"dry_run": True}, authorization=f"Bearer {TOKEN}"),
        plane.ask("/api/reload", "POST", {"x": TOKEN}, authorization=f"Bearer {TOKEN}"),
        plane.ask("/api/config", "POST", {}, authorization=f"Bearer {TOKEN}"),
        plane.ask("/api/drain", "POST", {}, authorization="Bearer wrong"),
        plane.ask("/nowhere"),
    ]
    texts = [body for _, body, _ in said + refused]
    texts += [str(headers).encode() for _, _, headers in said + refused]
    everything = b"\n".join([*texts, gateway.log.text().encode()]).decode()
    found = [what for what, secret in secrets.items() if secret in everything]
    assert found == []
    assert "ALICE1" in everything  # else the search proves nothing


def test_what_it_says_of_the_configuration_and_of_a_request(shared: tuple[Gateway, Plane]) -> None:
    gateway, plane = shared
    shown = plane.get("/api/config")
    assert shown["generation"] == plane.get("/api/status")["generation"] == 1
    assert shown["configuration"]["admin"] == {"token": "<redacted>"}
    assert shown["origins"]["router.workers"] == "--workers"
    assert shown["origins"]["admin.token"].startswith(str(gateway.config_path))
    decided = plane.get("/api/decision?bucket=bucket&key=a%20key&operation=PutObject&size=5")
    assert (decided["target"], decided["key"]) == ("store", "a key")
    assert decided["text"][-1].startswith("target store: http://127.0.0.1:")
    status, body, _ = plane.ask("/api/decision?bucket=bucket&size=many")
    refused = json.loads(body)
    assert (status, refused["code"], refused["path"]) == (400, "InvalidArgument", "/api/decision")


def test_every_path_of_the_document_is_there_with_head_and_no_others(
    shared: tuple[Gateway, Plane],
) -> None:
    _, plane = shared
    paths = plane.get("/openapi.json")["paths"]
    reading = {path for path, methods in paths.items() if "get" in methods}
    assert reading - {"/page/{name}"} == {path.partition("?")[0] for path in READING}
    for path in READING:
        status, body, headers = plane.ask(path, "HEAD")
        assert (status, body) == (200, b"")
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert not [name for name in headers if name.lower().startswith("access-control")]
        assert "server" not in {name.lower() for name in headers}
    for path in ("/nowhere", "/api/status/", "/api/", "/page/../app.py", "/page/..%2fapp.py"):
        status, body, _ = plane.ask(path)
        assert (status, json.loads(body)["code"]) == (404, "NotFound"), path


def test_a_method_that_a_path_has_not_is_refused(shared: tuple[Gateway, Plane]) -> None:
    _, plane = shared
    assert plane.change("/api/status")[0] == 405
    status, body, headers = plane.ask("/api/reload")
    assert (status, json.loads(body)["code"]) == (405, "MethodNotAllowed")
    assert headers["allow"] == "POST"


# Who may ask


def test_nothing_is_changed_without_the_token_or_for_another_page(
    shared: tuple[Gateway, Plane],
) -> None:
    gateway, plane = shared
    before = {path: plane.get(path) for path in ("/api/config", "/api/targets", "/api/reloads")}
    mark = len(gateway.log)
    evil = {"origin": "http://evil.example.com"}
    for path in ("/api/reload", "/api/drain", "/api/targets/store/disable"):
        assert plane.change(path, {}, token="")[0] == 401
        assert plane.change(path, {}, token=TOKEN + "x")[0] == 401
        assert plane.change(path, {}, **evil)[0] == 403
        assert plane.change(path, {}, sec_fetch_site="cross-site")[0] == 403
        assert plane.change(path, {}, host="evil.example.com")[0] == 421
    assert {path: plane.get(path) for path in before} == before
    assert plane.get("/ready") == {"ready": True}
    assert "drain" not in "\n".join(list(gateway.log)[mark:])


def test_a_name_that_was_bound_to_loopback_reads_nothing(shared: tuple[Gateway, Plane]) -> None:
    _, plane = shared
    for path in READING:
        status, body, _ = plane.ask(path, host=f"rebound.example.com:{plane.port}")
        assert (status, json.loads(body)["code"]) == (421, "UnknownHost")


def test_a_body_is_small_json(shared: tuple[Gateway, Plane]) -> None:
    _, plane = shared
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert plane.ask("/api/reload", "POST", {"dry_run": "x" * 5000}, **bearer)[0] == 413
    assert plane.ask("/api/reload", "POST", {"dry_run": 1}, **bearer)[0] == 400
    assert plane.ask("/api/reload", "POST", [], **bearer)[0] == 400
    assert plane.ask("/api/reload", "POST", {"dry-run": True}, **bearer)[0] == 400
    with connect(plane) as form:
        body = b"dry_run=true"
        head = f"POST /api/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        kind = "Content-Type: application/x-www-form-urlencoded\r\n"
        form.sendall(f"{head}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert form.recv(4096).startswith(b"HTTP/1.1 415")


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head(
    shared: tuple[Gateway, Plane],
) -> None:
    _, plane = shared
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", plane.port, timeout=10)) as one:
        took = []
        for _ in range(10):
            began = time.monotonic()
            assert ask(one, "GET", "/live").status == 200
            took.append(time.monotonic() - began)
    assert min(took[2:]) < 0.03  # a delayed acknowledgement takes 0.04 s at least


# What clients can hold


def test_thousands_of_silent_clients_take_no_more_than_their_places(
    shared: tuple[Gateway, Plane],
) -> None:
    gateway, plane = shared
    descriptors = Path(f"/proc/{gateway.control_pid()}/fd")
    before = len(list(descriptors.iterdir()))
    most = 0
    with contextlib.ExitStack() as held:
        for number in range(400):
            held.enter_context(connect(plane)).sendall(b"GET /live HTTP/1.1\r\nHost: ")
            if number % 50 == 49:
                most = max(most, len(list(descriptors.iterdir())) - before)
        assert plane.get("/live") == {"live": True}
    assert 0 < most <= MAX_CONNECTIONS + 2  # and one that is being accepted
    assert gateway.log_contains("ready")


def test_a_head_without_end_is_cut(shared: tuple[Gateway, Plane]) -> None:
    gateway, plane = shared
    before = resident(gateway.control_pid())
    sent = 0
    with connect(plane) as endless, contextlib.suppress(OSError):
        endless.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\nx: ")
        while sent < 100_000_000:
            sent += endless.send(b"a" * 65536)
    assert sent < 50_000_000
    assert resident(gateway.control_pid()) < before + 16


# How it changes what runs


def test_it_reloads_disables_and_drains_with_the_token(
    config: dict[str, Any], target: Target
) -> None:
    with Gateway.start(with_token(config), 2, admin="127.0.0.1:0") as gateway:
        plane = Plane(gateway)
        gateway.write_config({**with_token(config), "routing": {"default_target": "nowhere"}})
        status, refused = plane.change("/api/reload")
        assert (status, refused["ok"]) == (409, False)
        assert any("nowhere" in line for line in refused["problems"]), refused
        rule = {"pattern": "b-*", "target": "main"}
        changed = {**config["routing"], "rules": [rule]}
        gateway.write_config({**with_token(config), "routing": changed})
        status, tried = plane.change("/api/reload", {"dry_run": True})
        assert (status, tried["ok"]) == (200, True)
        assert plane.get("/api/routes")["total"] == 0
        status, reloaded = plane.change("/api/reload")
        assert (status, reloaded["generation"], reloaded["acknowledged"]) == (200, 2, [0, 1])
        assert plane.get("/api/routes")["rules"][0]["pattern"] == "b-*"
        recent = plane.get("/api/reloads")["reloads"]
        assert [one["ok"] for one in recent] == [True, False]
        assert plane.change("/api/targets/main/disable")[1]["disabled"] is True
        assert plane.get("/api/targets")["targets"][0]["disabled"] is True
        assert plane.change("/api/targets/main/enable")[1]["disabled"] is False
        assert plane.change("/api/targets/mian/disable")[0] == 409
        assert gateway.log_contains(r"reload: asked for by the admin plane \(from 127.0.0.1\)")
        with ThreadPoolExecutor(1) as client, target.holding():
            last = client.submit(get_object, gateway)
            target.wait_for_held(1)
            assert plane.change("/api/drain") == (200, {"ok": True, "draining": True})
            wait_until(lambda: plane.ask("/ready")[0] == 503, "it says that it drains")
            assert plane.ask("/live")[0] == 200
        assert last.result() == 200
        assert gateway.wait() == 0


def test_a_reload_changes_the_token_and_names_but_not_tls(
    config: dict[str, Any], tmp_path: Path
) -> None:
    issuer = Issuer(tmp_path)
    files = {name: issuer.listener()[name] for name in ("cert_file", "key_file")}
    with Gateway.start(with_token(config), 1, admin="127.0.0.1:0") as gateway:
        plane = Plane(gateway)
        other = "another-token-0123456789"
        assert plane.ask("/live", host="gw.example.com")[0] == 421
        changed = {"token": other, "hosts": ["gw.example.com"], "tls": files}
        assert gateway.reload({**config, "admin": changed}) == 1  # workers have the same
        gateway.wait_for_log("admin.tls: a change needs a restart")
        assert plane.change("/api/reload")[0] == 401
        status, answer = plane.change("/api/reload", token=other)
        assert (status, answer["needs_restart"]) == (200, ["admin.tls"])
        assert plane.ask("/live", host="gw.example.com")[0] == 200
        os.kill(gateway.control_pid(), signal.SIGKILL)  # which is no restart of the gateway
        assert plane.get("/live") == {"live": True}


def test_with_tls_the_certificate_of_the_last_reload_is_shown(
    config: dict[str, Any], tmp_path: Path
) -> None:
    issuer = Issuer(tmp_path)
    issuer.issue("127.0.0.1")
    files = {name: issuer.listener()[name] for name in ("cert_file", "key_file")}
    with Gateway.start(with_token(config, tls=files), 1, admin="127.0.0.1:0") as gateway:
        plane = Plane(gateway, issuer.trust())
        assert plane.scheme == "https"
        assert plane.get("/live") == {"live": True}
        with connect(plane) as plain:
            plain.sendall(b"GET /api/config HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"HTTP" not in plain.recv(4096)
        first = served_certificate(plane)
        issuer.issue("127.0.0.1")
        assert gateway.reload() == 1
        assert served_certificate(plane) != first
        os.kill(gateway.control_pid(), signal.SIGKILL)
        assert plane.get("/live") == {"live": True}
        assert gateway.reload(with_token(config)) is not None  # without TLS from the next start on
        with pytest.raises((OSError, http.client.HTTPException)):
            urllib.request.urlopen(f"http://127.0.0.1:{plane.port}/live", timeout=10)
        assert plane.get("/live") == {"live": True}


# When things go wrong


def test_control_is_killed_and_replaced_while_all_are_answered(config: dict[str, Any]) -> None:
    with Gateway.start(with_token(config), 2, admin="127.0.0.1:0") as gateway:
        plane = Plane(gateway)
        probes: list[int] = []
        answers: list[int] = []
        stop = threading.Event()

        def work(done: list[int], send: Callable[[], int]) -> None:
            while not stop.is_set():
                done.append(send())

        threads = [
            threading.Thread(target=work, args=(answers, lambda: get_object(gateway))),
            threading.Thread(target=work, args=(probes, lambda: probe(plane))),
        ]
        for thread in threads:
            thread.start()
        for _ in range(2):
            killed = gateway.control_pid()
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda one=killed: gateway.control_pid() not in (0, one), "it is replaced")
            count = len(answers)
            wait_until(lambda before=count: len(answers) > before + 20, "clients are answered")
            assert plane.get("/started") == {"started": True}
        stop.set()
        for thread in threads:
            thread.join(20)
        assert set(answers) == {200}
        assert set(probes) <= {200, 0}  # 0: a connection of the control that was killed
        assert plane.change("/api/reload")[0] == 200


def test_probes_are_answered_though_a_new_control_cannot_read_its_configuration(
    config: dict[str, Any],
) -> None:
    with Gateway.start(config, 1, admin="127.0.0.1:0") as gateway:
        plane = Plane(gateway)
        token = gateway.directory / "token"
        gateway.expected_files.add("token")
        token.write_text(TOKEN)
        assert gateway.reload({**config, "admin": {"token_file": str(token)}}) == 1
        assert plane.change("/api/reload")[0] == 200
        token.unlink()
        os.kill(gateway.control_pid(), signal.SIGKILL)
        assert plane.get("/live") == {"live": True}
        assert plane.get("/ready") == {"ready": True}
        assert plane.get("/started") == {"started": True}
        assert plane.ask("/api/config")[0] == 503
        assert plane.change("/api/drain")[0] == 403  # nobody's token is known


def test_a_taken_address_is_a_warning_unless_somebody_has_asked_for_it(
    config: dict[str, Any],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, log = run_to_end(config, admin=address)
        assert status == 3
        assert f"the admin plane cannot listen on {address}: Address already in use" in log


def test_a_taken_default_address_leaves_the_plane_out(config: dict[str, Any]) -> None:
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # then somebody else has it, which is as good
            held.enter_context(socket.create_server(("127.0.0.1", 9090)))
        # A section `router` that says nothing of it does not ask for the address.
        config = {**config, "router": {"limits": {"head_seconds": 5}}}
        with Gateway.start(config, 1, admin=None) as gateway:
            gateway.wait_for_log(
                "there is no admin plane: cannot listen on 127.0.0.1:9090: .*--admin"
            )
            assert get_object(gateway) == 200
