"""One line of the access log: its fields and its two forms.

    text: time remote identity method bucket/key operation target#rule status code bytes_in
          bytes_out seconds request_id worker#generation     ("-" for nothing)
    json: an object with the fields of `AccessLine`, and "kind": "access"    (docs/logs.md)

A request of the gateway's own to a target has a line too: without a remote, of the kind "call".

Rules: a line is ASCII without control characters whatever a client sent, so that no request can
forge a line or move a terminal's cursor. The text form always has the same number of words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

# Characters that a word holds unescaped: printable ASCII but space, quote, backslash and percent.
_SAFE = "!#$&'()*+,/:;=?@[]{}|^~`<>"
_PLAIN = re.compile(rf"[A-Za-z0-9._\-{re.escape(_SAFE)}]+")

# Kinds of lines.
OF_CLIENT, CALL = "access", "call"

_encode = json.JSONEncoder(separators=(",", ":")).encode


class AccessLine(NamedTuple):
    """The facts of one request; `time` in epoch seconds; empty or None stands for unknown."""

    time: float
    request_id: str
    remote: str
    method: str
    operation: str
    bucket: str
    key: str
    identity: str
    target: str
    rule: int | str | None  # its number, or what decided instead
    status: int
    code: str
    bytes_in: int | None
    bytes_out: int | None
    seconds: float | None
    generation: int | None
    worker: int
    access_key_id: str = ""  # that a verified signature was made with; not in the text form
    proxy: str = ""  # whose connection it was, if `remote` is what it says; not in the text form
    trace_id: str = ""  # of the client's traceparent; not in the text form


def as_text(line: AccessLine, _kind: str = OF_CLIENT) -> bytes:
    """The line as words, without its line feed."""
    # Unpacked at once: so many attributes, and as many calls, cost 5,000 instructions (heads).
    (moment, request_id, remote, method, operation, bucket, key, identity, target, rule) = line[:10]
    (status, code, bytes_in, bytes_out, seconds, generation, worker) = line[10:17]
    second = int(moment)
    target = _kept_word(target)
    return (
        f"{_second(second)}.{int((moment - second) * 1000):03d}Z "
        f"{_kept_word(remote)} {_kept_word(identity)} {_word(method)} "
        f"{_word(f'{bucket}/{key}' if key else bucket)} {operation or '-'} "
        f"{f'{target}#{rule}' if rule else target} {status} {code or '-'} "
        f"{'-' if bytes_in is None else bytes_in} {'-' if bytes_out is None else bytes_out} "
        f"{'-' if seconds is None else f'{seconds:.4f}'} {request_id} "
        f"{worker}#{'-' if generation is None else generation}"
    ).encode()


def as_json(line: AccessLine, kind: str = OF_CLIENT) -> bytes:
    """The line as an object, without its line feed."""
    fields = line._asdict()
    if line.seconds is not None:
        fields["seconds"] = round(line.seconds, 6)
    return _encode({"kind": kind, **fields}).encode()


FORMS: dict[str, Callable[[AccessLine, str], bytes]] = {"text": as_text, "json": as_json}


def _word(text: str) -> str:
    if _PLAIN.fullmatch(text) is not None:
        return text
    return quote(text, safe=_SAFE) if text else "-"


# For a client's address and names of the configuration, which repeat in many lines.
_kept_word = lru_cache(maxsize=1024)(_word)


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]
