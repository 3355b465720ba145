"""The addresses in the kernel's table, and what counts as a worker's answer."""

from __future__ import annotations

import sys

import pytest

from gateway.status import ready as module

LITTLE = sys.byteorder == "little"


@pytest.mark.skipif(not LITTLE, reason="the kernel's table is in the byte order of the machine")
@pytest.mark.parametrize(
    ("word", "host"),
    [
        ("0100007F:1F90", "127.0.0.1"),
        ("0A00000A:1F90", "10.0.0.10"),
        ("00000000:1F90", "127.0.0.1"),
        ("00000000000000000000000000000000:1F90", "::1"),
        ("00000000000000000000000001000000:1F90", "::1"),
        ("B80D0120000000000000000001000000:1F90", "2001:db8::1"),
    ],
)
def test_addresses_of_the_table(word: str, host: str) -> None:
    assert module._host(word) == host


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nok\n", (b"200", b"ok")),
        (b"HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\ndraining\n", (b"503", b"draining")),
        (b'HTTP/1.1 200 OK\r\nA: b\r\n\r\n{"ready": true}\n', None),
        (b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nno\n", None),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\no", None),
        (b"", None),
    ],
)
def test_only_a_worker_counts(answer: bytes, found: tuple[bytes, bytes] | None) -> None:
    match = module._WORKERS.match(answer)
    assert (match.groups() if match else None) == found
