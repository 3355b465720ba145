"""What the log writer makes of lines that are no access lines."""

from __future__ import annotations

import json
import re
import socket

import pytest

from fastpath.ipc.repair_lines import written
from gateway.control.log_reader import LogReader, as_json, event_text, parse
from gateway.supervisor.notices import Notices
from tests.unit.fastpath.ipc.test_repair_lines import LINE


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


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_repair_line_is_written_whatever_the_level(
    form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    worker, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with worker, control:
        reader = LogReader(control, None, form, Notices("error", form))
        reader.start()
        worker.send(b'{"kind":"event","level":"warning","message":"untold"}\n' + written(LINE))
        reader.stop(10)
    (line,) = capfd.readouterr().err.splitlines()
    if form == "text":
        line = re.fullmatch(r"2026-11-28T23:57:59\.123Z s3gateway: info: (.*)", line)[1]  # type: ignore[index]  # or it fails
    assert line == written(LINE).decode()
