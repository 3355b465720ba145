"""Lines of the access log: fixed words, nothing that a client can forge."""

from __future__ import annotations

import json

import pytest

from fastpath.ipc.access_log import AccessLine, as_json, as_text

LINE = AccessLine(
    time=1700000000.5,
    request_id="0A1B",
    remote="127.0.0.1:5555",
    method="GET",
    operation="GetObject",
    bucket="photos",
    key="a/b.jpg",
    identity="analytics",
    target="lakefs",
    rule=3,
    status=200,
    code="",
    bytes_in=0,
    bytes_out=1024,
    seconds=0.00125,
    generation=7,
    worker=1,
)
REFUSED = LINE._replace(
    method="",
    operation="",
    bucket="",
    key="",
    identity="",
    target="",
    rule=None,
    status=400,
    code="BadRequest",
    bytes_in=None,
    bytes_out=None,
    seconds=None,
    generation=None,
)
FOREIGN = ("remote", "method", "bucket", "key", "identity")  # what a client has a say in
STRANGE = [
    "a b",
    "a\nb",
    "a\r\nb",
    "\x1b[31m",
    'a"b',
    "\u202ea",
    "\x00",
    "\u2028",
    "\x7f",
    "\xe9",
    "%41",
    "",
]


def words(line: AccessLine) -> list[str]:
    return as_text(line).decode("ascii").split(" ")


def test_an_access_line_is_these_words() -> None:
    assert as_text(LINE) == (
        b"2023-11-14T22:13:20.500Z 127.0.0.1:5555 analytics GET photos/a/b.jpg GetObject lakefs#3"
        b" 200 - 0 1024 0.0013 0A1B 1#7"
    )


def test_without_a_rule_the_target_stands_alone() -> None:
    assert words(LINE._replace(rule=0))[6] == "lakefs"


def test_a_line_about_a_refused_head_has_the_same_number_of_words() -> None:
    assert len(words(REFUSED)) == len(words(LINE))
    assert words(REFUSED)[2:13] == ["-"] * 5 + ["400", "BadRequest"] + ["-"] * 3 + ["0A1B"]


@pytest.mark.parametrize("field", FOREIGN)
@pytest.mark.parametrize("value", STRANGE)
def test_no_text_of_a_client_can_forge_a_line(field: str, value: str) -> None:
    line = as_text(LINE._replace(**{field: value})).decode("ascii")
    assert line.isprintable()
    assert len(line.split(" ")) == len(words(LINE))


@pytest.mark.parametrize("value", STRANGE)
def test_a_json_line_is_the_line(value: str) -> None:
    text = as_json(LINE._replace(key=value)).decode("ascii")
    assert not any(ord(character) < 0x20 for character in text)
    assert json.loads(text) == {"kind": "access", **LINE._asdict(), "key": value}


@pytest.mark.parametrize("fraction", [0.0, 0.0004, 0.9999])
def test_a_time_has_three_digits_behind_the_point(fraction: float) -> None:
    moment = words(LINE._replace(time=1700000000 + fraction))[0]
    assert moment == f"2023-11-14T22:13:20.{int(fraction * 1000):03d}Z"
