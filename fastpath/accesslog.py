"""One line of the access log: what it tells, and its two forms.

    text: time remote identity method bucket/key operation target#rule status code bytes_in
          bytes_out seconds request_id worker#generation     ("-" for nothing)
    json: an object with the fields of `AccessLine`, and "kind": "access"

Rules: pure; a line is ASCII and has no control character whatever a client sent, so that no request
can forge a line or move a terminal's cursor; the text form has the same number of words always.

Not here: sending lines (`journal`), writing them (`gateway.control.logs`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

# What a word may hold as it is: printable ASCII but space, quote, backslash and percent.
_SAFE = "!#$&'()*+,/:;=?@[]{}|^~`<>"
_PLAIN = re.compile(rf"[A-Za-z0-9._\-{re.escape(_SAFE)}]+")

_encode = json.JSONEncoder(separators=(",", ":")).encode


class AccessLine(NamedTuple):
    """What is told of one request; `time` in epoch seconds; empty or None: nothing is known."""

    time: float
    request_id: str
    remote: str
    method: str
    operation: str
    bucket: str
    key: str
    identity: str
    target: str
    rule: int | None
    status: int
    code: str
    bytes_in: int | None
    bytes_out: int | None
    seconds: float | None
    generation: int | None
    worker: int


def as_text(line: AccessLine) -> bytes:
    """The line as words, without its line feed."""
    path = f"{line.bucket}/{line.key}" if line.key else line.bucket
    target = _word(line.target)
    seconds = line.seconds
    return (
        f"{_moment(line.time)} {_word(line.remote)} {_word(line.identity)} {_word(line.method)} "
        f"{_word(path)} {line.operation or '-'} "
        f"{f'{target}#{line.rule}' if line.rule else target} {line.status} {line.code or '-'} "
        f"{_number(line.bytes_in)} {_number(line.bytes_out)} "
        f"{'-' if seconds is None else f'{seconds:.4f}'} {line.request_id} "
        f"{line.worker}#{_number(line.generation)}"
    ).encode()


def as_json(line: AccessLine) -> bytes:
    """The line as an object, without its line feed."""
    return _encode({"kind": "access", **line._asdict()}).encode()


FORMS: dict[str, Callable[[AccessLine], bytes]] = {"text": as_text, "json": as_json}


def _word(text: str) -> str:
    if _PLAIN.fullmatch(text) is not None:
        return text
    return quote(text, safe=_SAFE) if text else "-"


def _number(value: int | None) -> int | str:
    return "-" if value is None else value


def _moment(seconds: float) -> str:
    second = int(seconds)
    return f"{_second(second)}.{int((seconds - second) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]
