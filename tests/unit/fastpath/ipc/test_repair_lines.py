"""Repair lines: what is written is read back, and what is none is refused with the reason."""

from __future__ import annotations

import json

import pytest

from fastpath.ipc.process_identity import ProcessIdentity
from fastpath.ipc.repair_lines import (
    BEGUN,
    DONE,
    LeftUpload,
    RepairLine,
    UnusableLine,
    read,
    written,
)

PROCESS = ProcessIdentity("gateway-0", 17, 4026531836, 8112)
UPLOAD = LeftUpload("lakefs", b"repo", b"main/a b", b"2~id/+=", "4730A96E00000001")
LINE = RepairLine(UPLOAD, BEGUN, 1795910279.123, 3, PROCESS)


def test_a_line_is_one_object_that_says_what_to_do() -> None:
    entry = json.loads(written(LINE))
    assert "the target" in entry.pop("message")
    assert entry == {
        "kind": "repair",
        "action": "abort-upload",
        "state": "begun",
        "time": 1795910279.123,
        "level": "info",
        "worker": 3,
        "target": "lakefs",
        "bucket": "repo",
        "key": "main/a%20b",
        "upload_id": "2~id/+=",
        "request_id": "4730A96E00000001",
        "host": "gateway-0",
        "pid": 17,
        "pid_namespace": 4026531836,
        "started": 8112,
    }
    assert json.loads(written(LINE._replace(state=DONE)))["state"] == "done"


@pytest.mark.parametrize(
    "key",
    [
        b"\n\r\x00\x1b[2J",
        b'x","key":"other"}\n{"kind":"repair"',
        b"\\\\\\",
        b"100%25%zz%",
        b"\xff\xfe no UTF-8",
        "é\N{SNOWMAN}\u2028\u202e".encode(),
        b"a/../b//",
        b"+ ~",
    ],
)
def test_no_key_is_lost_or_forges_a_line(key: bytes) -> None:
    line = LINE._replace(upload=UPLOAD._replace(key=key, upload_id=key))
    text = written(line).decode("ascii")
    assert text.isprintable()
    assert read(json.loads(text)) == line


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"action": "restore-object"}, "action restore-object is not known to this version"),
        ({"state": "half"}, "state half is not known"),
        ({"target": None}, "target is missing"),
        ({"target": "lake\x1bfs"}, "target is missing, or no text of printable ASCII"),
        ({"key": "é"}, "key is missing, or no text of printable ASCII"),
        # A DELETE with an empty id may delete the object.
        ({"upload_id": ""}, "bucket, key or upload_id is empty"),
        ({"key": ""}, "bucket, key or upload_id is empty"),
        ({"pid": "17"}, "pid is missing, or no number"),
        ({"pid": -1}, "pid is missing, or no number"),
        ({"time": True}, "time is missing, or no number"),
        ({"time": float("nan")}, "time is missing, or no number"),
        ({"time": 1e18}, "time is no time in seconds"),
    ],
)
def test_what_cannot_be_used_is_refused(changed: dict[str, object], told: str) -> None:
    with pytest.raises(UnusableLine, match=told):
        read({**json.loads(written(LINE)), **changed})
