"""What the log writer makes of lines that are no access lines."""

from __future__ import annotations

import json

import pytest

from gateway.control.log_reader import as_json, event_text, parse


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


def test_a_json_event_is_the_entry() -> None:
    event = {"kind": "event", "message": "\xe9\n\x1b"}
    line = as_json(event)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == event


@pytest.mark.parametrize("line", [b"nonsense", b"[1]", b"", b"\xff", b'{"kind":'])
def test_what_is_no_entry_is_skipped(line: bytes) -> None:
    assert parse(line) is None
    assert parse(b'{"kind": "event"}') == {"kind": "event"}
