"""The corpora of raw requests, signatures and trailers, over real sockets to a real gateway."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastpath.s3.operations import BODY_METHODS
from tests.corpus import request_cases, signatures, sigv2, trailers
from tests.doubles.recording import UPLOAD_ID, RecordingStore, recording_store
from tests.doubles.signing import RawClient
from tests.doubles.uploads import begun
from tests.process.harness import Gateway

STATUS = re.compile(rb"HTTP/1\.1 (\d{3})(?! Continue)")
CODE = re.compile(rb"<Code>(\w+)</Code>")
AT_ONCE = 16


@pytest.fixture(scope="module")
def store() -> Iterator[RecordingStore]:
    with recording_store() as running:
        yield running


def _target(store: RecordingStore) -> dict[str, object]:
    """`main` takes the streaming modes, `lacks` gets plain bodies."""
    target = {
        "endpoint": store.endpoint,
        "access_key_id": "TARGETKEY",
        "secret_access_key": "target-secret",
    }
    return {"main": {"profile": "s3", **target}, "lacks": {"profile": "generic", **target}}


@pytest.fixture(scope="module")
def open_gateway(store: RecordingStore) -> Iterator[Gateway]:
    """Nobody is verified: what counts is whether a request is understood."""
    config = {
        "router": {
            "domains": [domain.decode() for domain in request_cases.DOMAINS],
            "limits": {"head_seconds": 1, "body_idle_seconds": 1},
        },
        "auth": {"mode": "open"},
        "targets": _target(store),
        "routing": {"default_target": "main"},
    }
    with Gateway.start(config, workers=1) as gateway:
        yield gateway


def _auth(accepted: str, access_key_id: str, secret: str) -> dict[str, object]:
    keys = {"access_key_id": access_key_id, "secret_access_key": secret}
    return {"sigv2": accepted, "identities": [{"name": "corpus", **keys}]}


@pytest.fixture(scope="module")
def signed_gateway(store: RecordingStore) -> Iterator[Gateway]:
    config = {
        "auth": _auth("off", signatures.ACCESS_KEY_ID, signatures.SECRET),
        "targets": _target(store),
        "routing": {
            "rules": [{"pattern": "lacks", "target": "lacks"}],
            "default_target": "main",
        },
    }
    with Gateway.start(config, workers=1) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def sigv2_gateway(store: RecordingStore) -> Iterator[Gateway]:
    config = {
        "router": {"domains": [sigv2.DOMAIN]},
        "auth": _auth("all", sigv2.ACCESS_KEY_ID, sigv2.SECRET),
        "targets": _target(store),
        "routing": {"default_target": "main"},
    }
    with Gateway.start(config, workers=1) as gateway:
        yield gateway


def _talk(gateway: Gateway, pieces: list[bytes], answers: int, *, closes: bool) -> bytes:
    """Send the pieces, read that many final answers, and the end if one must come."""
    received = b""
    with socket.create_connection(gateway.address, timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                client.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the last byte: the answer is there to be read
        while closes or len(STATUS.findall(received)) < answers:
            data = client.recv(65536)
            if not data:
                break
            received += data
    return received


@pytest.fixture(scope="module")
def upload_id(open_gateway: Gateway) -> str:
    """Of an upload to the bucket and key of the raw requests."""
    return begun(open_gateway.request("POST", "/bucket/key?uploads").body)


def _check(gateway: Gateway, case: request_cases.Case, pieces: list[bytes]) -> str:
    """What is wrong with the answers, or nothing."""
    expected = len(case.requests) + (case.fault is not None)
    closes = case.fault is not None and case.fault.closes
    try:
        received = _talk(gateway, pieces, expected, closes=closes)
    except OSError as fault:
        return f"{case.name}: {fault!r}"
    statuses = [int(status) for status in STATUS.findall(received)]
    if len(statuses) != expected:
        return f"{case.name}: {len(statuses)} answers {statuses}, expected {expected}"
    if case.fault is None:
        return ""
    if statuses[-1] != case.fault.status:
        return f"{case.name}: {statuses[-1]}, expected {case.fault.status} {case.fault.code}"
    codes = [code.decode() for code in CODE.findall(received)]
    if codes and codes[-1] != case.fault.code:
        return f"{case.name}: {codes[-1]}, expected {case.fault.code}"
    return ""


def _all_wrong(wrongs: Iterator[str]) -> list[str]:
    return [wrong for wrong in wrongs if wrong]


@pytest.mark.parametrize("cut", ["whole", "byte by byte"])
def test_every_raw_request_gets_its_answer(open_gateway: Gateway, upload_id: str, cut: str) -> None:
    """Giant heads are sent whole only: byte by byte they tell nothing new."""

    def check(case: request_cases.Case) -> str:
        raw = case.raw_with(upload_id)
        if cut == "whole":
            return _check(open_gateway, case, [raw])
        pieces = [raw[at : at + 1] for at in range(len(raw))]
        return _check(open_gateway, case, pieces) if len(pieces) < 4096 else ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert _all_wrong(pool.map(check, request_cases.cases())) == []
    assert not open_gateway.log_contains("internal error")


def test_a_refused_request_sends_nothing_upstream(
    open_gateway: Gateway, store: RecordingStore
) -> None:
    store.forget()
    refused = [case for case in request_cases.cases() if not case.requests and case.fault]
    assert len(refused) >= 80
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert _all_wrong(pool.map(lambda c: _check(open_gateway, c, [c.raw]), refused)) == []
    assert store.requests == []
    assert store.faults == []


def test_an_understood_request_reaches_the_target_with_its_own_path(
    open_gateway: Gateway, store: RecordingStore, upload_id: str
) -> None:
    compared = 0
    for case in request_cases.cases():
        if case.fault or len(case.requests) != 1:
            continue
        store.forget()
        assert _check(open_gateway, case, [case.raw_with(upload_id)]) == ""
        if case.requests[0].operation in ("PostObject", "Preflight"):
            continue  # the one goes up as another request, the other does not
        [request], [recorded] = case.requests, store.requests
        sent = case.raw.lstrip().split(b" ")[1].partition(b"?")[0]
        bucket = b"" if request.path_style is not False else b"/" + request.bucket
        if b"uploadId=" in recorded.target:
            assert f"uploadId={UPLOAD_ID}".encode() in recorded.target, case.name
        assert recorded.path == bucket + sent.replace(b"+", b"%2B"), case.name
        length = request.length if request.method in BODY_METHODS else 0
        assert len(recorded.body) == length, case.name
        compared += 1
    assert compared > 60


def test_every_bad_signature_gets_aws_s_answer(
    signed_gateway: Gateway, store: RecordingStore
) -> None:
    store.forget()
    host = "{}:{}".format(*signed_gateway.address)
    forwarded = 0

    def check(case: signatures.Case) -> str:
        rendered = case.render(host, time.time())
        expected = rendered.expected
        received = _talk(signed_gateway, [rendered.raw], 1, closes=False)
        status = int(STATUS.findall(received)[0])
        if expected.accepted:
            wrong = b"<Code>" in received and status not in (404, 405, 501)
            return f"{case.name}: {status}, expected to pass" if wrong else ""
        code = CODE.findall(received)
        if status != expected.status:
            return f"{case.name}: {status}, expected {expected.status} {expected.code}"
        if code and code[0].decode() != expected.code:
            return f"{case.name}: {code[0].decode()}, expected {expected.code}"
        return ""

    cases = signatures.cases()
    refused = [case for case in cases if not case.expect.get("accepted")]
    assert len(refused) >= 60
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert _all_wrong(pool.map(check, refused)) == []
    assert len(store.requests) == forwarded, "a refused request went upstream"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert _all_wrong(pool.map(check, [case for case in cases if case not in refused])) == []


def test_every_sigv2_recipe_gets_aws_s_answer(
    sigv2_gateway: Gateway, store: RecordingStore
) -> None:
    client = RawClient(*sigv2_gateway.address, sigv2.ACCESS_KEY_ID, sigv2.SECRET)
    upload_id = begun(client.send("POST", b"/corpus-bucket/some/key?uploads")[1])
    store.forget()
    host = "{}:{}".format(*sigv2_gateway.address)

    def check(case: sigv2.Case) -> str:
        received = _talk(sigv2_gateway, [case.render(host, time.time())[0]], 1, closes=False)
        status = int(STATUS.findall(received)[0])
        code = [found.decode() for found in CODE.findall(received)]
        if case.accepted:
            return f"{case.name}: {status} {code}" if status in (400, 403) else ""
        wanted = (case.expect["status"], [case.expect["code"]])
        return "" if (status, code) == wanted else f"{case.name}: {status} {code}"

    cases = [
        case.with_upload_id(upload_id) for case in sigv2.cases() if case.recipe.accepts == "all"
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert _all_wrong(pool.map(check, [case for case in cases if not case.accepted])) == []
        assert store.requests == []
        assert _all_wrong(pool.map(check, [case for case in cases if case.accepted])) == []
    assert len(store.requests) == len([case for case in cases if case.accepted])
    for request in store.requests:
        assert sigv2.ACCESS_KEY_ID.encode() not in request.head


def test_every_upload_with_a_trailer_gets_aws_s_answer_or_is_stored(
    signed_gateway: Gateway, store: RecordingStore
) -> None:
    """The store believes every whole request: what it has is what was let by."""
    store.forget()
    client = RawClient(*signed_gateway.address, signatures.ACCESS_KEY_ID, signatures.SECRET)

    def check(case: trailers.Case) -> str:
        path = f"/lacks/{case.name}"
        upload_id = begun(client.send("POST", f"{path}?uploads".encode())[1]) if case.part else ""
        head, body = case.upload(client, path, upload_id)
        received = _talk(signed_gateway, [head, body], 1, closes=True)
        code = [found.decode() for found in CODE.findall(received)]
        found = (int(STATUS.findall(received)[0]), code)
        refused = (case.expect.get("status"), [case.expect.get("code")])
        wanted = refused if case.accepted is None else (200, [])
        return "" if found == wanted else f"{case.name}: {found}, expected {wanted}"

    cases = trailers.cases()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert _all_wrong(pool.map(check, cases)) == []
    good = {f"/lacks/{case.name}".encode(): case.accepted for case in cases}
    assert store.objects == {path: data for path, data in good.items() if data is not None}
