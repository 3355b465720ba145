"""Many large bodies that go slowly: one worker's memory stays in its bound (docs/performance.md).

Not here: all ways, nginx as the store (`make bench ONLY=readers`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.bench import readers
from loadtest.bench.certificates import Certificates
from loadtest.bench.report import READERS_GOAL
from loadtest.bench.workloads import MIB
from tests.doubles.vast import vast_store

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
