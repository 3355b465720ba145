"""One PUT and one GET of many GiB through a worker whose memory is watched: `make huge`.

Rules: the source is generated and the sink discards, both with the same running checksum; one line
of figures; status 1 if a byte is wrong or the worker took more than it may.
"""

from __future__ import annotations

import socket
import sys
import time

from tests.doubles.signing import RawClient
from tests.doubles.vast import MIB, Tally, VastStore, length_of, read_head, send, vast_store
from tests.process.harness import Gateway
from tests.process.memory import own_cgroup, watched

GIB = 1024 * MIB
BOUND = 80 * MIB  # of a worker's memory, whatever the size of an object
KEYS = ("HUGECLIENT", "huge-secret")
IDLE_SECONDS = 60


def configuration(store: VastStore) -> dict[str, object]:
    keys = {"access_key_id": KEYS[0], "secret_access_key": KEYS[1]}
    return {
        "auth": {"identities": [{"name": "client", **keys}]},
        "targets": {"vast": {"profile": "generic", "endpoint": store.endpoint, **keys}},
        "routing": {"default_target": "vast"},
    }


def request(client: RawClient, method: str, length: int) -> socket.socket:
    """A connection on which the head is sent."""
    connection = socket.create_connection((client.host, client.port), timeout=IDLE_SECONDS)
    unsigned = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    connection.sendall(client.head(method, b"/bucket/huge", length, unsigned))
    return connection


def upload(client: RawClient, store: VastStore) -> float:
    """Seconds of the PUT; AssertionError if the store got other bytes."""
    started = time.monotonic()
    with request(client, "PUT", store.size) as connection:
        sent = send(connection, store.size)
        answer = read_head(connection)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert (store.taken.bytes, store.taken.sum) == (store.size, sent.sum)
    return time.monotonic() - started


def download(client: RawClient, store: VastStore) -> float:
    """Seconds of the GET; AssertionError if other bytes came than went up."""
    started, received = time.monotonic(), Tally()
    with request(client, "GET", 0) as connection:
        answer = read_head(connection)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert length_of(answer) == store.size
        received.receive(connection, store.size)
        assert connection.recv(1) == b""
    assert (received.bytes, received.sum) == (store.size, store.taken.sum)
    return time.monotonic() - started


def main(gib: int) -> int:
    with (
        vast_store(gib * GIB) as store,
        Gateway.start(configuration(store), workers=1) as gateway,
        own_cgroup(gateway) as group,
    ):
        client = RawClient(*gateway.address, *KEYS)
        (worker,) = gateway.worker_pids()
        with watched(worker, group) as peak:
            put, get = upload(client, store), download(client, store)
        assert gateway.worker_pids() == [worker]
    charged = f"{peak.charged / MIB:.1f} MiB charged to its cgroup, " if group else "no cgroup, "
    sys.stdout.write(
        f"{gib} GiB: PUT {put:.1f} s ({gib * 1024 / put:.0f} MiB/s), "
        f"GET {get:.1f} s ({gib * 1024 / get:.0f} MiB/s), every byte as it was; worker at most: "
        f"{charged}{peak.share / MIB:.1f} MiB proportional share; bound {BOUND / MIB:.0f} MiB\n"
    )
    return 0 if peak.bound <= BOUND else 1


if __name__ == "__main__":
    size = sys.argv[1] if len(sys.argv) > 1 else ""
    if not (size.isascii() and size.isdigit() and int(size)):
        sys.stderr.write(f"make huge: GIB={size} is no number of GiB\n")
        raise SystemExit(2)
    raise SystemExit(main(int(size)))
