"""The chapter `width`: what it reads from an access log, what it makes of its figures."""

from __future__ import annotations

from pathlib import Path

from fastpath.ipc.access_log import AccessLine, as_text
from loadtest.bench import width


def line(worker: int) -> bytes:
    words = ("", "127.0.0.1:1", "GET", "GetObject", "bench", "a#9 b#9", "bench", "store")
    return as_text(AccessLine(0.0, *words, 1, 200, "", 0, 1024, 0.1, 7, worker)) + b"\n"


def test_the_worker_of_each_whole_line_of_a_trial(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    before, trial = line(3) * 2, line(0) + line(12) + line(0)
    log.write_bytes(before + trial + line(1)[:-1])  # the last one is still being written
    assert width._workers_of(log, len(before)) == ["0", "12", "0"]


def test_the_tables_are_of_medians_and_of_the_worst() -> None:
    turns = [
        {"workers": workers, "cores": cores, "requests": 1000.4 * workers, "cpu_us": 99.6}
        for workers in (2, 1)
        for cores in ("one", "all")
    ]
    balance = {"workers": 4, "connections": 8, "lifetime": 20, "requests": 400}
    shares = {"without": [0.375, 0.75, 0.5], "with": [0.3, 0.26, 0.28]}
    shown = width.table({"cores": 16, "workers": turns, "balance": {**balance, **shares}})
    assert shown.splitlines() == [
        "| workers | one core: req/s | CPU | all 16 cores: req/s | CPU |",
        "|---|---|---|---|---|",
        "| 1 | 1,000 | 100 us | 1,000 | 100 us |",
        "| 2 | 2,001 | 100 us | 2,001 | 100 us |",
        "",
        "| 8 connections over 4 workers, 3 trials | busiest worker, median | worst |",
        "|---|---|---|",
        "| each kept | 50% of the requests | 75% |",
        "| each ended after 20 of 400 requests | 28% of the requests | 30% |",
    ]
