"""Repair lines: what a worker has begun at a target and may leave there, written and read back.

    {"kind":"repair","action":"abort-upload","state":"begun","time":1795910279.123,"level":"info",
     "message":"...","worker":0,"target":"lakefs","bucket":"repo","key":"main/a%20b",
     "upload_id":"...","request_id":"...","host":"...","pid":17,"pid_namespace":4026531836,
     "started":8112}                                                   (one line; docs/repair.md)

A line of the state `done` says of the same upload that it is over; one of the state `left` says
that its copy has failed and could not abort it.

Rules: a line is ASCII without control characters, and no value can end it: bytes of a client are
percent-encoded, which loses none of them. No line holds a secret: an upload id is of no use to
somebody without credentials of the target. Whoever adds an action keeps the members `kind`,
`action` and `state`: older commands report an action that they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from fastpath.ipc.process_identity import ProcessIdentity

KIND: Final = "repair"
ABORT_UPLOAD: Final = "abort-upload"
BEGUN: Final = "begun"
DONE: Final = "done"
LEFT: Final = "left"

_MESSAGES: Final = {
    BEGUN: "an upload was begun at the target: it is left there unless a line says that it is done",
    DONE: "the upload at the target is done",
    LEFT: "an upload is left at the target: its copy has failed, and it could not be aborted",
}
_SAFE: Final = "!#$&'()*+,/:;=?@[]{}|^~`<>"  # as in the text form of the access log

_LATEST: Final = 1 << 37  # in epoch seconds: in the year 6325, so that no date overflows

_encode = json.JSONEncoder(separators=(",", ":")).encode


class LeftUpload(NamedTuple):
    """An upload in parts that the gateway began at a target for a client's request.

    bucket, key, upload_id: the target's own, not the client's.
    """

    target: str
    bucket: bytes
    key: bytes
    upload_id: bytes
    request_id: str


class RepairLine(NamedTuple):
    """One line.

    state: BEGUN, DONE or LEFT.
    time: in epoch seconds.
    process: the worker that wrote it.
    """

    upload: LeftUpload
    state: str
    time: float
    worker: int
    process: ProcessIdentity


class UnusableLine(ValueError):
    """The line cannot be used; the text is for an operator."""


def written(line: RepairLine) -> bytes:
    """The line without its line feed."""
    upload, state = line.upload, line.state
    return _encode(
        {
            "kind": KIND,
            "action": ABORT_UPLOAD,
            "state": state,
            "time": line.time,
            "level": "info",
            "message": _MESSAGES[state],
            "worker": line.worker,
            "target": upload.target,
            "bucket": as_word(upload.bucket),
            "key": as_word(upload.key),
            "upload_id": as_word(upload.upload_id),
            "request_id": upload.request_id,
            **line.process._asdict(),
        }
    ).encode()


def read(entry: Mapping[str, object]) -> RepairLine:
    """The line that this object is. Raises UnusableLine."""
    action, state = _text(entry, "action"), _text(entry, "state")
    if action != ABORT_UPLOAD:
        raise UnusableLine(f"action {action} is not known to this version")
    if state not in _MESSAGES:
        raise UnusableLine(f"state {state} is not known to this version")
    names = [unquote_to_bytes(_text(entry, name)) for name in ("bucket", "key", "upload_id")]
    if not all(names):
        raise UnusableLine("bucket, key or upload_id is empty")
    bucket, key, upload_id = names
    process = ProcessIdentity(
        host=_text(entry, "host"),
        pid=int(_number(entry, "pid")),
        pid_namespace=int(_number(entry, "pid_namespace")),
        started=int(_number(entry, "started")),
    )
    request_id = _text(entry, "request_id")
    upload = LeftUpload(_text(entry, "target"), bucket, key, upload_id, request_id)
    time, worker = _number(entry, "time"), int(_number(entry, "worker"))
    if time > _LATEST:
        raise UnusableLine("time is no time in seconds")
    return RepairLine(upload, state, time, worker, process)


def as_word(name: bytes) -> str:
    """Returns a name as a word of printable ASCII; `%` and what is not printable is encoded."""
    return quote_from_bytes(name, safe=_SAFE)


def _text(entry: Mapping[str, object], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise UnusableLine(f"{name} is missing, or no text of printable ASCII")
    return value


def _number(entry: Mapping[str, object], name: str) -> float:
    value = entry.get(name)
    # The bound keeps out what is no finite number; start times and inodes are far below it.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 64:
        raise UnusableLine(f"{name} is missing, or no number")
    return value
