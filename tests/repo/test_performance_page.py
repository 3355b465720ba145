"""docs/performance.md and its picture show the committed result, and nothing else."""

from __future__ import annotations

import json
import re

import pytest

from loadtest.bench import chapters, contenders, contents, machine, report, rounds
from loadtest.bench.__main__ import PAGE, PICTURE, RESULT, _needed, full_plan, quick_plan

COMMITTED = json.loads(RESULT.read_text())


def between(mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->\n(.*?)\n<!-- /{mark} -->", PAGE.read_text(), re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("mark", "table"), [("goals", report.goals_table), ("figures", report.full_table)]
)
def test_the_page_shows_the_committed_result(mark: str, table) -> None:
    assert between(mark) == table(COMMITTED)


@pytest.mark.parametrize("chapter", contents.ALL, ids=lambda chapter: chapter.name)
def test_the_page_shows_each_chapter_of_the_result(chapter: chapters.Chapter) -> None:
    assert between(chapter.name) == chapter.table(COMMITTED[chapter.name])


def test_the_picture_is_of_the_committed_result() -> None:
    assert PICTURE.read_text() == report.picture(COMMITTED)


def test_every_goal_was_measured() -> None:
    assert [name for name, found, _, _ in report.goals(COMMITTED) if found is None] == []


def test_memory_of_slow_bodies_is_that_of_the_worst_way_the_goal_is_about() -> None:
    def way(bound: float, *, in_goal: bool = True) -> dict[str, object]:
        return {"bound": bound, "in goal": in_goal}

    ways = [way(20.0), way(50.0), way(90.0, in_goal=False)]
    assert report.readers_worst({"readers": {"ways": ways}}) == 50.0
    assert report.readers_worst({}) is None
    assert report.readers_worst({"readers": {"ways": []}}) is None


def test_a_run_asks_first_for_every_program_of_its_chapters() -> None:
    quick = rounds.Plan(1, 1, [], ["s3gateway", "envoy"], [])
    every = [chapter.name for chapter in contents.ALL]
    assert _needed(quick, [], None) == {"nginx", "wrk", "envoy"}
    assert _needed(quick, every, None) >= {"nginx", "wrk", "envoy", "strace", "valgrind"}
    assert _needed(quick, every, ["counts"]) == {"nginx", "strace", "valgrind"}
    for chapter in contents.ALL:
        assert set(chapter.programs) <= set(machine.PACKAGES)


def test_a_ratio_is_ours_by_theirs_and_never_a_guess() -> None:
    def figure(contender: str, cpu: float) -> dict[str, object]:
        where = {"workload": "GET 1 KiB", "upstream": "http", "connections": 32}
        return {**where, "contender": contender, "cpu_us": cpu}

    result = {"figures": [figure("s3gateway", 30.0), figure("envoy", 60.0)]}
    assert report.ratio(result, "GET 1 KiB", "envoy") == 0.5
    assert report.ratio(result, "GET 1 KiB", "nginx") is None
    assert report.ratio(result, "GET 1 KiB", "envoy", "https") is None


def test_an_optional_peer_is_shown_where_it_was_measured_and_nowhere_else() -> None:
    """D10's kind: what is left out is told, not shown as measured."""

    def figure(contender: str, cpu: float) -> dict[str, object]:
        where = {"workload": "GET 1 KiB", "upstream": "http", "connections": 32}
        more = {"requests": 1.0, "p50_us": 1.0, "p99_us": 1.0, "megabytes": 1.0}
        return {**where, **more, "contender": contender, "cpu_us": cpu}

    without = [figure("s3gateway", 30.0), figure("envoy", 60.0)]
    with_it = {"figures": [*without, figure("versitygw", 90.0)]}
    assert "| GET 1 KiB / versitygw | 0.33 | | |" in report.goals_table(with_it)
    assert "versitygw" in report.full_table(with_it).splitlines()[0]
    assert "versitygw" in report.picture(with_it)
    assert "0.33" in report.comparison(COMMITTED, with_it)
    for text in (report.goals_table, report.full_table, report.picture):
        assert "versitygw" not in text({"figures": without})


def test_optional_peers_are_left_out_of_a_plan_and_of_what_it_needs() -> None:
    assert set(contenders.OPTIONAL) == set(report.OPTIONAL) <= set(machine.PACKAGES)
    for plan in (full_plan, quick_plan):
        absent = plan(contenders.OPTIONAL)
        assert "versitygw" in plan().contenders
        assert "versitygw" not in absent.contenders
        assert "versitygw" not in _needed(absent, [], None)
