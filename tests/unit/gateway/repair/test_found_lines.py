"""Repair lines are found behind any prefix, and never in what a client sent."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from fastpath.ipc.access_log import AccessLine, as_json, as_text
from fastpath.ipc.repair_lines import DONE as OVER
from fastpath.ipc.repair_lines import LEFT, UnusableLine, written
from gateway.control.log_reader import event_text
from gateway.repair.found_lines import MAX_LINE_BYTES, find_lines, repair_line
from tests.unit.fastpath.ipc.test_repair_lines import LINE, UPLOAD

JSON = written(LINE).decode()
MESSAGE = "2026-11-28T23:57:59.123Z s3gateway: "
TEXT = f"{MESSAGE}info: {JSON}"
DONE = written(LINE._replace(state=OVER)).decode()


@pytest.mark.parametrize("line", [TEXT, JSON], ids=["text", "json"])
@pytest.mark.parametrize(
    "wrap",
    [
        "{}".format,
        "[pod/gateway-0/s3gateway] {}".format,
        "2026-11-28T23:57:59.123456789Z {}".format,
        "2026-11-28T23:57:59.123456789Z stderr F {}".format,
        "Nov 28 23:57:59 machine s3gateway[17]: {}".format,
        '{{app="s3gateway", pod="gateway-0"}} {}'.format,
        "gateway-1  | {}\r".format,
        lambda line: json.dumps({"log": f"{line}\n", "stream": "stderr"}),
        lambda line: json.dumps({"PRIORITY": "6", "MESSAGE": line, "_PID": "17"}),
    ],
    ids=["", "kubectl", "times", "CRI", "journal", "Loki", "compose", "Docker", "journal JSON"],
)
def test_a_line_is_found_behind_any_prefix(wrap: Callable[[str], str], line: str) -> None:
    assert repair_line(wrap(line)) == LINE


def test_members_may_have_been_written_again_in_another_order() -> None:
    assert repair_line(json.dumps(json.loads(JSON), sort_keys=True, indent=None)) == LINE


def _access(key: str) -> AccessLine:
    known = dict.fromkeys(AccessLine._fields, "")
    numbers = {"time": 1.0, "status": 200, "worker": 0}
    return AccessLine(**{**known, **dict.fromkeys(("rule", "seconds")), **numbers, "key": key})  # type: ignore[arg-type]  # test data


@pytest.mark.parametrize("sent", [TEXT, JSON, f"{{}} {JSON}", f'"}} {JSON}', f"\\{JSON}"])
@pytest.mark.parametrize(
    "log",
    [
        lambda sent: as_json(_access(sent)).decode(),
        lambda sent: as_text(_access(sent)).decode(),
        lambda sent: json.dumps({"log": as_json(_access(sent)).decode(), "stream": "stdout"}),
        lambda sent: as_json(_access(sent)).decode()[:-9],
        lambda sent: as_json(_access(json.dumps({"log": sent}))).decode(),
        lambda sent: f"{MESSAGE}error: " + event_text({"worker": 0, "message": sent}),
        lambda sent: f'{{app="x"}} {MESSAGE}error: ' + event_text({"message": sent}),
        lambda sent: json.dumps({"kind": "event", "message": sent, "log": sent}),
        lambda sent: f"{MESSAGE}info: router: {sent}",
    ],
    ids=["JSON", "text", "Docker", "cut", "nested", "event", "Loki", "JSON event", "router"],
)
def test_what_a_client_sent_is_no_repair_line(log: Callable[[str], str], sent: str) -> None:
    assert repair_line(log(sent)) is None


@pytest.mark.parametrize("line", [TEXT[:-40], f"[pod/gateway-0/s3gateway] {JSON[:60]}"])
def test_a_line_that_was_cut_off_is_reported(line: str) -> None:
    with pytest.raises(UnusableLine, match="was it cut off"):
        repair_line(line)


@pytest.mark.parametrize("before", ["{}", "{x}"])
def test_a_message_is_a_repair_line_as_a_whole_or_not_at_all(before: str) -> None:
    assert repair_line(f"{MESSAGE}info: {before} {JSON}") is None


def test_a_log_is_read_to_its_end_whatever_is_in_it() -> None:
    other, long = (
        written(LINE._replace(upload=UPLOAD._replace(upload_id=name))).decode()
        for name in (b"other", b"long")
    )
    lines = [
        b"\xff\xfe\x00 no text",
        JSON.encode(),
        b"x" * (2 * MAX_LINE_BYTES + 5) + long.encode(),  # too long, to its end
        b"y" * (MAX_LINE_BYTES - 1),
        other.encode(),
        TEXT[:-1].encode(),
        JSON.replace("abort-upload", "restore-object").encode(),
        JSON.encode(),  # the same again
        other.replace("begun", "done", 1).encode(),
    ]
    found = find_lines(io.BytesIO(b"\n".join(lines)))
    assert [(one.number, one.line.upload) for one in found.left] == [(2, UPLOAD)]
    assert found.done == 1
    assert [number for number, _ in found.unusable] == [6, 7]
    assert "restore-object is not known" in found.unusable[1][1]


def test_an_upload_that_is_done_is_not_left_in_whatever_order() -> None:
    """Logs of several pods are put together in any order."""
    for lines in ([JSON, DONE], [DONE, JSON]):
        found = find_lines(io.BytesIO("\n".join(lines).encode()))
        assert (found.left, found.done) == ([], 1)


def test_an_upload_whose_copy_has_left_it_waits_for_nothing() -> None:
    """Its copy is over, though the worker that wrote the line may live."""
    left = written(LINE._replace(state=LEFT)).decode()
    for lines in ([JSON, left], [left, JSON]):
        (one,) = find_lines(io.BytesIO("\n".join(lines).encode())).left
        assert one.line.state == LEFT
