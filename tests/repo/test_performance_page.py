"""docs/performance.md and its picture show the committed result, and nothing else."""

from __future__ import annotations

import json
import re

import pytest

from loadtest.bench import chapters, contents, report
from loadtest.bench.__main__ import PAGE, PICTURE, RESULT

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


def test_a_ratio_is_ours_by_theirs_and_never_a_guess() -> None:
    def figure(contender: str, cpu: float) -> dict[str, object]:
        where = {"workload": "GET 1 KiB", "upstream": "http", "connections": 32}
        return {**where, "contender": contender, "cpu_us": cpu}

    result = {"figures": [figure("s3gateway", 30.0), figure("envoy", 60.0)]}
    assert report.ratio(result, "GET 1 KiB", "envoy") == 0.5
    assert report.ratio(result, "GET 1 KiB", "nginx") is None
    assert report.ratio(result, "GET 1 KiB", "envoy", "https") is None
