"""The samples for the plots: rates, quantiles, what is bounded and what a page asks for again."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from gateway.metrics.history import COLUMNS, KEPT, LISTED, OTHERS, Counts, History, quantile

BOUNDS = (0.01, 0.1, 1.0)


def counts(requests: int = 0, *, failed: int = 0, out: int = 0, buckets: Any = None) -> Counts:
    return Counts((requests, 0, failed, 0, out), tuple(buckets or (requests, 0, 0, 0)))


def history(*readings: dict[str, Counts] | None) -> History:
    found = History(lambda: None, BOUNDS)
    for number, reading in enumerate(readings):
        found.take(reading, at=1000.0 + 2 * number, moment=2.0 * number)
    return found


def rows(found: History, since: int = 0) -> list[dict[str, dict[str, float | None]]]:
    """The samples' rows by target, with the names of their numbers; of all under `all`."""
    answer: Any = json.loads(json.dumps(found.answer(since), allow_nan=False))
    return [
        {
            name: dict(zip(answer["columns"], row, strict=True))
            for name, row in {**sample["targets"], "all": sample["all"]}.items()
        }
        for sample in answer["samples"]
    ]


def test_a_rate_is_of_one_second() -> None:
    (sample,) = rows(history({"a": counts(10)}, {"a": counts(30, failed=4, out=5000)}))
    assert sample["a"]["requests"] == 10.0
    assert sample["a"]["errors_5xx"] == 2.0
    assert sample["a"]["bytes_out"] == 2500.0


def test_nothing_is_known_until_there_was_a_reading_before() -> None:
    assert rows(history(None, {"a": counts(1000)})) == []


def test_a_target_without_requests_is_not_there_and_one_that_is_new_is() -> None:
    (sample,) = rows(history({"idle": counts(7)}, {"idle": counts(7), "new": counts(4)}))
    assert set(sample) == {"new", "all"}
    assert sample["new"]["requests"] == 2.0


def test_all_is_the_sum_of_the_targets_with_its_own_quantiles() -> None:
    before = {"fast": counts(), "slow": counts()}
    after = {"fast": counts(98, buckets=(98, 0, 0, 0)), "slow": counts(2, buckets=(0, 0, 2, 0))}
    (sample,) = rows(history(before, after))
    assert sample["all"]["requests"] == 50.0
    assert (sample["all"]["p50"] or 0) < 0.01
    assert 0.1 < (sample["all"]["p99"] or 0) <= 1.0


def test_quantiles_are_of_ten_seconds() -> None:
    slow = counts(1, buckets=(0, 0, 1, 0))
    found = rows(history({"a": counts()}, *[{"a": slow}] * 7))
    assert ["a" in sample for sample in found] == [True] * 5 + [False] * 2
    assert [sample["all"]["p50"] for sample in found] == [0.55] * 5 + [None] * 2
    assert [sample["all"]["requests"] for sample in found] == [0.5] + [0.0] * 6


def test_the_history_is_ten_minutes_long() -> None:
    found = history(*[{"a": counts(number)} for number in range(KEPT + 20)])
    answer: Any = found.answer()
    assert [sample["number"] for sample in answer["samples"]] == list(range(20, KEPT + 20))


def test_a_page_asks_for_what_it_has_not() -> None:
    found = history(*[{"a": counts(number)} for number in range(6)])
    answer: Any = found.answer(since=3)
    assert [sample["number"] for sample in answer["samples"]] == [4, 5]


def test_another_control_process_is_known_by_its_name() -> None:
    assert history().answer()["boot"] != history().answer()["boot"]


def test_of_many_targets_the_busiest_are_listed_and_the_others_are_one() -> None:
    names = [f"t{number}" for number in range(LISTED + 10)]
    after = {name: counts(2 * number + 2) for number, name in enumerate(names)}
    (sample,) = rows(history(dict.fromkeys(names, counts()), after))
    assert set(sample) == {*names[10:], OTHERS, "all"}
    assert sample[OTHERS]["requests"] == sum(range(1, 11))
    assert sample["all"]["requests"] == sum(range(1, LISTED + 11))


@pytest.mark.parametrize(
    ("buckets", "q", "expected"),
    [
        ((10, 0, 0, 0), 0.5, 0.005),
        ((50, 50, 0, 0), 0.5, 0.01),
        ((50, 50, 0, 0), 0.75, 0.055),
        ((0, 0, 0, 3), 0.5, 1.0),  # above the last bound
        ((0, 0, 1, 0), 0.99, 0.991),
    ],
)
def test_a_quantile_is_between_the_bounds_of_its_bucket(
    buckets: tuple[int, ...], q: float, expected: float
) -> None:
    assert quantile(buckets, BOUNDS, q) == pytest.approx(expected)


def test_a_quantile_of_nothing_is_no_number() -> None:
    assert math.isnan(quantile((0, 0, 0, 0), BOUNDS, 0.5))
    assert len(COLUMNS) == 8
