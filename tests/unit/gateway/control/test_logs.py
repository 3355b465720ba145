"""Lines of the access log: fixed words, nothing that a client can forge."""

from __future__ import annotations

import json

import pytest

from gateway.control.logs import access_text, as_json, entries, event_text

ENTRY: dict[str, object] = {
    "kind": "access",
    "time": 1700000000.5,
    "request_id": "0A1B",
    "remote": "127.0.0.1:5555",
    "method": "GET",
    "operation": "GetObject",
    "bucket": "photos",
    "key": "a/b.jpg",
    "identity": "analytics",
    "target": "lakefs",
    "rule": 3,
    "status": 200,
    "code": "",
    "bytes_in": 0,
    "bytes_out": 1024,
    "seconds": 0.00125,
    "generation": 7,
    "worker": 1,
}


def test_an_access_line_is_these_words() -> None:
    assert access_text(ENTRY) == (
        "2023-11-14T22:13:20.500Z 127.0.0.1:5555 analytics GET photos/a/b.jpg GetObject lakefs#3"
        " 200 - 0 1024 0.0013 0A1B 1#7"
    )


def test_a_line_about_a_refused_head_has_the_same_number_of_words() -> None:
    sparse = {"kind": "access", "time": 1.0, "status": 400, "code": "BadRequest", "worker": 0}
    words = access_text(sparse).split(" ")
    assert len(words) == len(access_text(ENTRY).split(" "))
    assert words[7:9] == ["400", "BadRequest"]


@pytest.mark.parametrize(
    "key", ["a b", "a\nb", "a\r\nb", "\x1b[31m", 'a"b', "\u202ea", "\x00", "\u2028", "é", "%41"]
)
def test_a_key_cannot_forge_a_line(key: str) -> None:
    line = access_text({**ENTRY, "key": key})
    assert line.isascii()
    assert line.isprintable()
    assert len(line.split(" ")) == len(access_text(ENTRY).split(" "))


@pytest.mark.parametrize("field", sorted(ENTRY))
@pytest.mark.parametrize("value", [None, "x y\n", [1], {"a": 1}, 1.5, True])
def test_any_value_in_any_field_is_still_one_line(field: str, value: object) -> None:
    line = access_text({**ENTRY, field: value})
    assert line.isprintable()
    assert len(line.split(" ")) == len(access_text(ENTRY).split(" "))


def test_a_json_line_is_the_entry() -> None:
    entry = {**ENTRY, "key": "é\n\x1b"}
    line = as_json(entry)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == entry


def test_an_event_says_what_else_is_known() -> None:
    event = {
        "kind": "event",
        "level": "warning",
        "worker": 2,
        "message": "target\nlakefs\x1b refuses",
        "request_id": "0A1B",
        "target": "la ke",
        "empty": "",
    }
    assert event_text(event) == "worker 2: target?lakefs? refuses request_id=0A1B target=la%20ke"


def test_what_is_no_entry_is_skipped() -> None:
    datagram = b'{"kind": "access"}\nnonsense\n[1]\n\n\xff\n{"kind": "event"}\n{"kind":'
    assert [entry["kind"] for entry in entries(datagram)] == ["access", "event"]
