"""Finds the repair lines in a log of the gateway, whatever else is in it and before them.

    2026-11-28T23:57:59.123Z s3gateway: info: {"kind":"repair",...}       the text form
    {"kind":"repair",...}                                                 the JSON form
    [pod/gateway-0/s3gateway] 2026-... s3gateway: info: {"kind":...}      behind a prefix
    {"log":"{\\"kind\\":\\"repair\\",...}\\n","stream":"stderr"}          in a line of Docker's

Rules: no text of a client is ever taken for a repair line, or its sender would choose which uploads
an operator aborts. In the text form a repair line is the whole message: what stands further behind
in a message may be a client's. In JSON, a client's text is in a string, where its quotes are
escaped, so that an object is none; only the strings that hold a whole line are looked into. A line
that begins as a repair line, and is none, is reported: it may be all that is left of one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO

from fastpath.ipc.repair_lines import DONE, KIND, LEFT, LeftUpload, RepairLine, UnusableLine, read

MAX_LINE_BYTES = 65536  # a repair line has up to 5 KiB; Docker's escapes make it twice as long

# What the writer of messages puts before one (`gateway.supervisor.notices`).
_MESSAGE = re.compile(r"\.\d{3}Z s3gateway: [a-z]+: ")
_BEGINNING = re.compile(rf'\{{\s*"kind"\s*:\s*"{KIND}"')
_WHOLE_LINE = ("log", "MESSAGE")  # members of Docker's lines, and of journald's
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Found:
    """A repair line, and the number of its line in the log."""

    number: int
    line: RepairLine


@dataclass(slots=True)
class FoundLines:
    """What a log says of uploads that were begun.

    left: those that no line says are done, in the order of the log.
    done: how many are.
    unusable: numbers of lines that begin as repair lines, and what is wrong with them.
    """

    left: list[Found] = field(default_factory=list)
    done: int = 0
    unusable: list[tuple[int, str]] = field(default_factory=list)


def find_lines(log: IO[bytes]) -> FoundLines:
    """Reads a log to its end."""
    found = FoundLines()
    begun: dict[LeftUpload, Found] = {}
    done: set[LeftUpload] = set()
    for number, text in _lines(log):
        if KIND not in text:
            continue
        try:
            line = repair_line(text)
        except UnusableLine as fault:
            found.unusable.append((number, str(fault)))
            continue
        if line is None:
            continue
        if line.state == DONE:
            done.add(line.upload)
        elif line.state == LEFT or line.upload not in begun:
            begun[line.upload] = Found(number, line)
    found.left = [one for upload, one in begun.items() if upload not in done]
    found.done = len(done)
    return found


def _lines(log: IO[bytes]) -> Iterator[tuple[int, str]]:
    """The lines by number; of a line that is too long to be one of these, an empty text."""
    number = 0
    while piece := log.readline(MAX_LINE_BYTES):
        number += 1
        is_whole = piece.endswith(b"\n") or len(piece) < MAX_LINE_BYTES
        while not is_whole:
            piece = log.readline(MAX_LINE_BYTES)
            is_whole = piece.endswith(b"\n") or len(piece) < MAX_LINE_BYTES
            piece = b""
        yield number, piece.decode("utf-8", "replace")


def repair_line(text: str) -> RepairLine | None:
    """The repair line in a line of a log; None if there is none. Raises UnusableLine."""
    end = 0
    while (start := text.find("{", end)) >= 0:
        message = _MESSAGE.search(text, end, start)
        if message is not None and message.end() < start:
            return None
        entry, end = _object_at(text, start)
        if entry is None and _BEGINNING.match(text, start):
            raise UnusableLine("it is no JSON object: was it cut off?")
        if entry is not None and entry.get("kind") == KIND:
            return read(entry)
        if message is not None:
            return None
        if entry is not None and "kind" not in entry:
            whole = next((entry[name] for name in _WHOLE_LINE if name in entry), None)
            if isinstance(whole, str):
                return repair_line(whole)
    return None


def _object_at(text: str, start: int) -> tuple[Mapping[str, object] | None, int]:
    """The JSON object that begins here, and its end; None, and where to look for the next."""
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start + 1
