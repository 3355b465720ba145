"""Browser forms through real processes: a long file streams, a torn form leaves no object."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles import forms
from tests.doubles.recording import RecordingStore, recording_store
from tests.process.harness import Gateway

KEY = ("FORMCLIENT", "form-secret")
CONDITIONS = [{"bucket": "b-b"}, {"key": "k"}]
MIB = 1024 * 1024
DATA = bytes(range(256)) * 4096 * 24  # 24 MiB


@pytest.fixture(scope="module")
def store() -> Iterator[RecordingStore]:
    with recording_store() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(store: RecordingStore) -> Iterator[Gateway]:
    keys = {"access_key_id": "TARGETKEY", "secret_access_key": "target-secret"}
    identity = {"name": "page", "access_key_id": KEY[0], "secret_access_key": KEY[1]}
    config = {
        "auth": {"identities": [identity]},
        "targets": {"main": {"profile": "generic", "endpoint": store.endpoint, **keys}},
        "routing": {"default_target": "main"},
    }
    with Gateway.start(config, workers=1, access_log="-") as running:
        yield running


def talk(gateway: Gateway, data: bytes, *, leave: bool = False) -> bytes:
    with socket.create_connection(gateway.address, timeout=20) as client:
        client.sendall(data)
        return b"" if leave else client.recv(65536)


def form(data: bytes = DATA, **how: object) -> bytes:
    fields = forms.signed(KEY, {"key": "k"}, CONDITIONS)
    return forms.request(forms.body(fields, data, **how))  # type: ignore[arg-type]


def peak_kib(gateway: Gateway) -> int:
    (pid,) = gateway.worker_pids()
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def test_a_long_file_streams_through_bounded_memory(
    gateway: Gateway, store: RecordingStore
) -> None:
    store.forget()
    assert talk(gateway, form(b"small")).startswith(b"HTTP/1.1 204 ")
    before = peak_kib(gateway)
    assert talk(gateway, form()).startswith(b"HTTP/1.1 204 ")
    assert peak_kib(gateway) - before < 8 * 1024  # of 24 MiB
    _, request = store.requests
    assert request.request_line == b"PUT /b-b/k HTTP/1.1"
    assert (request.body == DATA) is True


@pytest.mark.parametrize("end", [b"--", b"--\r\r", b"x-\r\n", b"\r\n--\r\n"])
def test_a_long_form_with_a_wrong_end_leaves_no_object(
    gateway: Gateway, store: RecordingStore, end: bytes
) -> None:
    store.forget()
    assert b"<Code>MalformedPOSTRequest</Code>" in talk(gateway, form(end=end))
    assert store.requests == []


def test_a_browser_that_leaves_in_the_middle_leaves_no_object(
    gateway: Gateway, store: RecordingStore
) -> None:
    store.forget()
    whole = form()
    talk(gateway, whole[: len(whole) // 2], leave=True)
    gateway.stdout.wait_for("ClientGone", 20)
    assert store.requests == []
