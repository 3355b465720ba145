"""Which writes conditions take: at their edges, without a size, by type, across midnight."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import TZPATH

import pytest

from fastpath.routing.asked import Asked
from fastpath.routing.write_conditions import read_conditions


def a_write(size: int | None = 5, content_type: bytes = b"", time: float = 0.0) -> Asked:
    return Asked("PutObject", "", b"b-b", b"k", size, content_type, time)


def takes(asked: Asked, *, zone: str | None = None, **conditions: object) -> bool:
    names = ("max_size", "min_size", "content_types", "hours")
    entry = [conditions.get(name) for name in names]
    return not read_conditions([*entry, None if zone is None else 0], [zone or ""]).unmet(asked)


@pytest.mark.parametrize(
    ("size", "small", "large"),
    [(0, True, False), (9, True, False), (10, True, True), (11, False, True), (None, False, True)],
)
def test_sizes_are_inclusive_and_an_unknown_one_is_infinite(
    size: int | None, small: bool, large: bool
) -> None:
    assert takes(a_write(size), max_size=10) is small
    assert takes(a_write(size), min_size=10) is large


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"image/png", True),
        (b"IMAGE/PNG;q=1", True),
        (b" image/png ; x=y", True),
        (b"text/css", True),
        (b"text", False),
        (b"image/gif", False),
        (b"", False),
        (b"\xff/png", False),
    ],
)
def test_types_are_compared_without_parameters_and_case(sent: bytes, expected: bool) -> None:
    assert takes(a_write(content_type=sent), content_types=["image/png", "text/*"]) is expected


@pytest.mark.parametrize(("sent", "shown"), [(b"text/css", "text/css"), (b"", "none")])
def test_the_words_name_the_type_that_is_not_met(sent: bytes, shown: str) -> None:
    conditions = read_conditions([None, None, ["image/*"], None, None], [""])
    words = f"its content type ({shown}) is not among content_types"
    assert conditions.unmet(a_write(content_type=sent)) == words


def at(hour: int, minute: int = 0, month: int = 1) -> float:
    return datetime(2026, month, 15, hour, minute, tzinfo=UTC).timestamp()


def zone(name: str) -> str:
    (file, *_) = (Path(path) / name for path in TZPATH if (Path(path) / name).exists())
    return base64.b64encode(file.read_bytes()).decode()


@pytest.mark.parametrize(
    ("hours", "inside", "outside"),
    [
        ((2, 6), (2, 4, 6), (1, 7, 23)),
        ((22, 5), (22, 23, 0, 5), (6, 12, 21)),
        ((3, 3), (3,), (2, 4)),
    ],
)
def test_hours_are_inclusive_and_wrap_midnight(
    hours: tuple[int, int], inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    utc = zone("UTC")
    for hour in inside:
        assert takes(a_write(time=at(hour, 59)), hours=hours, zone=utc)
    for hour in outside:
        assert not takes(a_write(time=at(hour, 59)), hours=hours, zone=utc)


def test_hours_are_those_of_the_zone_summer_and_winter() -> None:
    berlin = zone("Europe/Berlin")
    for month, utc in ((1, 21), (7, 20)):  # 22:00 there
        assert takes(a_write(time=at(utc, 0, month)), hours=(22, 22), zone=berlin)
        assert not takes(a_write(time=at(utc - 1, 59, month)), hours=(22, 22), zone=berlin)


def test_all_conditions_must_hold() -> None:
    both = {"max_size": 10, "content_types": ["image/*"]}
    assert takes(a_write(5, b"image/png"), **both)
    assert not takes(a_write(11, b"image/png"), **both)
    assert not takes(a_write(5, b"text/plain"), **both)
