"""Many slow large bodies: one worker's memory stays in its bound (docs/performance.md)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastpath.sockets.unsent_bytes import UNSENT_BYTES
from loadtest.bench import readers, sending
from loadtest.bench.certificates import Certificates
from loadtest.bench.report import READERS_GOAL
from loadtest.bench.workloads import MIB
from tests.doubles.vast import vast_store
from tests.process.harness import Gateway, open_config, wait_until

SECONDS = 4.0
WAYS = [way for way in readers.WAYS if not way.secure_store]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_64_slow_bodies(way: readers.Way, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    if way.upload:
        with readers.SlowStore() as slow:
            found = readers.through(way, slow.port, certificates, 64, SECONDS)
    else:
        with vast_store(64 * MIB) as store:
            port = store.server_address[1]
            found = readers.through(way, port, certificates, 64, SECONDS)
    assert found.private > 8  # a worker was looked at
    assert found.bound <= READERS_GOAL, found


def test_the_kernel_takes_a_bounded_part_of_what_a_client_does_not_read() -> None:
    """A client that reads nothing: its queue stops growing at the bound, not at tcp_wmem."""
    with (
        vast_store(64 * MIB) as store,
        Gateway.start(open_config(store.endpoint), workers=1) as gateway,
        sending.connect(gateway.address[1], receive_bytes=65536) as client,
    ):
        client.sendall(b"GET /bucket/key HTTP/1.1\r\nHost: localhost\r\n\r\n")
        ours, theirs = gateway.address[1], client.getsockname()[1]
        seen: list[int] = []

        def stopped() -> bool:
            seen.append(queued(ours, theirs))
            return len(seen) > 15 and seen[-1] > 0 and len(set(seen[-15:])) == 1

        wait_until(stopped, "the queue grows no more")
        assert seen[-1] < 1.5 * UNSENT_BYTES


def queued(port: int, peer: int) -> int:
    """Bytes in the send queue of a connection of loopback, as the kernel lists it."""
    line = rf"0100007F:{port:04X} 0100007F:{peer:04X} \w\w (\w{{8}}):"
    found = re.search(line, Path("/proc/net/tcp").read_text())
    return int(found[1], 16) if found else 0
