"""The chapter `dead_target`: what it makes of what clients met, and of reads along chains."""

from __future__ import annotations

import pytest

from loadtest.bench import dead_target
from loadtest.bench.steady import Met

SECONDS = dead_target._SECONDS


def turn(answered: int, p99: float, refused: int) -> dict[str, object]:
    """Of three, with as many answers of B; `refused` of them 503."""
    near = Met({"200": answered}, 1.0, p99)
    return {"near": near, "other": Met({"200": 10, "503": refused}, 0.5, 9.0), "cpu": 0.1}


def test_figures_are_the_medians_of_turns_and_errors_are_told_apart() -> None:
    found = dead_target._medians([turn(100, 3.0, 20), turn(400, 9.0, 40), turn(200, 4.0, 0)])
    other = {"answers": {"200": 10 / SECONDS, "503": 20 / SECONDS}, "p50_ms": 0.5}
    assert found == {
        "requests": 200 / SECONDS,
        "p50_ms": 1.0,
        "p99_ms": 4.0,
        "cpu_us": pytest.approx(500.0),
        "other": other,
    }


def test_nobody_asks_b_where_it_has_no_client() -> None:
    alone = {**turn(100, 3.0, 0), "other": None}
    assert "other" not in dead_target._medians([alone])


def test_each_state_and_each_kind_of_request_has_its_row() -> None:
    state = {"requests": 199.6, "p50_ms": 1.04, "p99_ms": 3.0, "cpu_us": 450.4}
    other = {"answers": {"200": 0.0, "503": 150.4}, "p50_ms": 0.7}
    states = {name: {**state, "other": other} for name in dead_target.STATES}
    states["alone"] = state

    def delays(median: float) -> dict[str, float]:
        return {"median": median, "longest": median + 1}

    def chain(first: float) -> dict[str, object]:
        opening = {"before": delays(first), "after": delays(0.9)}
        read = {name: delays(0.5) for name in ("plain", "has", "has, open")}
        return {**read, "lacks": opening, "passed": opening}

    chains = {"refused": chain(5.0), "silent": chain(501.0)}
    shown = dead_target.table({"per_second": 200.0, "states": states, "chains": chains})
    rows = shown.splitlines()
    assert rows[2:5] == [
        "| nobody asks B | 200 | 1.0 / 3.0 | 450 us |  |  |",
        "| B answers | 200 | 1.0 / 3.0 | 450 us | 150 of 503 | 0.7 |",
        "| B refuses connections | 200 | 1.0 / 3.0 | 450 us | 150 of 503 | 0.7 |",
    ]
    assert rows[10:14] == [
        "| A alone, no chain | 0.5 / 1.5 | 0.5 / 1.5 |",
        "| A, then B: A has the key | 0.5 / 1.5 | 0.5 / 1.5 |",
        "| the same, B's breaker open | 0.5 / 1.5 | 0.5 / 1.5 |",
        "| A, then B: A lacks it, the first 5: 503 | 5.0 / 6.0 | 501.0 / 502.0 |",
    ]
    assert len(rows) == 17
