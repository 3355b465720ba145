"""A merged list of a million keys through one worker: every key, in order, in little memory."""

from __future__ import annotations

import contextlib
import re

import pytest

from tests.doubles.generated_lists import COUNT, generated, key_of
from tests.process.harness import Gateway
from tests.process.huge import MIB
from tests.process.memory import own_cgroup, watched

# What the rest of the list may take more than its first tenth. Keeping its rows would take
# 300 MiB.
BOUND = 8 * MIB


def configuration(first: str, second: str) -> dict[str, object]:
    """A store, and an old one behind it."""
    target = {
        "profile": "s3",
        "addressing": "path",
        "access_key_id": "a",
        "secret_access_key": "b",
    }
    return {
        "auth": {"mode": "open"},
        "targets": {
            "first": {**target, "endpoint": first},
            "second": {**target, "endpoint": second},
        },
        "routing": {"default_target": "first", "fallback": ["second"]},
    }


class Reader:
    """Reads the list page after page, and checks every key."""

    def __init__(self, gateway: Gateway) -> None:
        self._connection = gateway.connect(60)
        self._token = ""
        self.count = 0

    def read(self, until: int) -> None:
        while self.count < until:
            token = f"&continuation-token={self._token}" if self._token else ""
            self._connection.request("GET", f"/bucket?list-type=2&encoding-type=url{token}")
            answer = self._connection.getresponse()
            document = answer.read().decode()
            assert answer.status == 200, document
            keys = re.findall("<Key>(.*?)</Key>", document)
            end = self.count + len(keys)
            assert keys == [key_of(number) for number in range(self.count, end)]
            self.count = end
            self._token = (re.findall("<NextContinuationToken>(.*?)<", document) or [""])[0]
            assert self._token or self.count == COUNT
            assert len(keys) == 1000

    def close(self) -> None:
        self._connection.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_million_keys_of_two_targets() -> None:
    with (
        generated("first") as first,
        generated("second") as second,
        Gateway.start(configuration(first, second), 1) as gateway,
        own_cgroup(gateway) as group,
        contextlib.closing(Reader(gateway)) as reader,
    ):
        (worker,) = gateway.worker_pids()
        with watched(worker, None) as begun:
            reader.read(COUNT // 10)
        with watched(worker, group) as peak:
            reader.read(COUNT)
        assert gateway.worker_pids() == [worker]
    assert begun.share
    assert peak.share <= begun.share + BOUND, (begun, peak)
