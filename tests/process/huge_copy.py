"""One copy of many MiB between two targets, through a worker whose memory is watched.

    python -m tests.process.huge_copy MIB

Rules: the source is generated and the destination counts, both with the same running checksum; one
line of figures; status 1 if a byte is wrong or the worker took more than it may.
"""

from __future__ import annotations

import contextlib
import sys
import time

from tests.doubles.vast import MIB
from tests.doubles.vast_copies import Destination, Source, running, tally
from tests.process.harness import Gateway
from tests.process.huge import BOUND
from tests.process.memory import own_cgroup, watched

SECONDS = 600.0  # for the whole copy


def configuration(source: str, destination: str) -> dict[str, object]:
    """`to-*` buckets are at the destination, all others at the source."""
    keys = {"access_key_id": "k", "secret_access_key": "s"}
    return {
        "auth": {"mode": "open"},
        "targets": {
            "source": {"profile": "generic", "endpoint": source, **keys},
            "destination": {"profile": "generic", "endpoint": destination, **keys},
        },
        "routing": {
            "rules": [{"pattern": "to-*", "target": "destination"}],
            "default_target": "source",
        },
    }


def main(mib: int) -> int:
    size = mib * MIB
    with (
        running(Source(size)) as source,
        running(Destination()) as destination,
        Gateway.start(configuration(source.endpoint, destination.endpoint), workers=1) as gateway,
        own_cgroup(gateway) as group,
    ):
        (worker,) = gateway.worker_pids()
        with watched(worker, group) as peak:
            started = time.monotonic()
            with contextlib.closing(gateway.connect(SECONDS)) as connection:
                copied = {"x-amz-copy-source": "from-b/key"}
                connection.request("PUT", "/to-b/key", headers=copied)
                answer = connection.getresponse()
                document = answer.read()
            seconds = time.monotonic() - started
        assert gateway.worker_pids() == [worker]
    assert (answer.status, b"<ETag>" in document) == (200, True), document
    assert (destination.taken.bytes, destination.objects) == (size, 1)
    assert destination.taken.sum == tally(size).sum
    charged = f"{peak.charged / MIB:.1f} MiB charged to its cgroup, " if group else "no cgroup, "
    sys.stdout.write(
        f"copy of {mib} MiB: {seconds:.1f} s ({mib / seconds:.0f} MiB/s), every byte as it was; "
        f"worker at most: {charged}{peak.share / MIB:.1f} MiB proportional share; "
        f"bound {BOUND / MIB:.0f} MiB\n"
    )
    return 0 if peak.bound <= BOUND else 1


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
