"""`make chaos` and `make soak`, for seconds; and their clients notice what they are there for."""

from __future__ import annotations

import re

import pytest

from tests.doubles.target import Request, Target
from tests.process import chaos, soak
from tests.process.harness import wait_until
from tests.process.traffic import Traffic


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_ten_seconds_of_chaos() -> None:
    figures, wrong = chaos.run(10, seed=1)
    assert wrong == [], figures


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_ten_seconds_of_traffic_and_reloads() -> None:
    figures, wrong = soak.run(10, seed=1)
    # Caches are still being filled: whether memory is flat takes minutes.
    assert [one for one in wrong if "more memory" not in one] == [], figures


class Careless(Target):
    """A store that makes a mistake in every tenth PUT."""

    def __init__(self, mistake: str) -> None:
        super().__init__()
        self.mistake = mistake
        self.puts = 0

    def _store(self, request: Request) -> tuple[str, bytes]:
        self.puts += request.method == "PUT"
        if request.method != "PUT" or self.puts % 10:
            return super()._store(request)
        if self.mistake == "loses":
            return "200 OK", b""
        if self.mistake == "cuts":
            request.body = request.body[:-1] or b"x"
            return super()._store(request)
        super()._store(request)
        return "503 Slow Down" if self.mistake == "fails" else "403 Forbidden", b""


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        ("none", None),
        ("fails", None),
        ("loses", "it is gone|that nobody wrote there"),
        ("cuts", "that nobody wrote there"),
        ("refuses", "PUT .*: 403, not 200"),
    ],
)
def test_a_store_that_makes_mistakes_is_found_out(mistake: str, says: str | None) -> None:
    """Without a gateway: what the clients are told is what the store says."""
    with Target() if mistake == "none" else Careless(mistake) as store:
        traffic = Traffic(("127.0.0.1", store.port), 2, seed=1)
        with traffic.running():
            wait_until(lambda: traffic.sent > 300, "300 requests")
        traffic.compare(store.objects)
    found = "\n".join(traffic.wrong())
    assert bool(traffic.failed()) is (mistake == "fails")
    assert re.search(says, found) if says else not found


@pytest.mark.parametrize(
    ("samples", "growth"),
    [
        ([], 0),
        ([5, 5], 0),
        ([1, 50, 100, 100, 100, 100, 100, 100, 100], 0),
        ([100, 100, 100, 100, 110, 120, 130, 140, 150], 30),
        ([100, 100, 100, 100, 100, 900, 100, 100, 100], 0),
    ],
)
def test_growth_is_that_of_the_last_third(samples: list[int], growth: float) -> None:
    assert soak.grown(samples) == growth


def test_what_grows_is_named() -> None:
    samples = soak.Samples([0] * 6 + [3 * soak.MIB] * 3, [10] * 6 + [30] * 3)
    assert samples.growth() == [
        "3.0 MiB more memory in the last third",
        "20 more descriptors in the last third",
    ]
