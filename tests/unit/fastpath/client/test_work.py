"""What a peer's input costs to read: twice the input is twice the work, and nothing is compiled.

Work is counted as calls, of Python and of C, so that the machine's speed says nothing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from fastpath.errors import S3Error
from fastpath.forms.reader import FormReader, names_after_file
from fastpath.http.head import ResponseFault, parse_request_head, parse_response_head
from fastpath.http.hop_by_hop import HOP_BY_HOP, header_line_pattern, without_hop_by_hop
from fastpath.http.query import parse_query
from fastpath.limits import Limits
from fastpath.payload.delete_batch import DeleteBatch
from fastpath.s3.addressing import locate_copy_source

Read = Callable[[], object]


def _head(lines: bytes) -> Read:
    raw = b"GET /b/k HTTP/1.1\r\nHost: h\r\n" + lines + b"\r\n"
    return lambda: parse_request_head(raw, Limits())


def _answer(lines: bytes) -> Read:
    return lambda: parse_response_head(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n")


def _left_behind(count: int) -> Read:
    options = b", ".join(b"t%d" % number for number in range(count))
    lines = b"\r\nhost: h\r\nconnection: " + options
    stays = header_line_pattern(HOP_BY_HOP)
    return lambda: without_hop_by_hop(lines, stays, {b"connection": options})


def _batch(document: bytes) -> Read:
    def read() -> None:
        batch = DeleteBatch()
        for at in range(0, len(document), 1000):
            batch.feed(document[at : at + 1000], False)
        batch.feed(b"", True)

    return read


def _form(body: bytes) -> Read:
    def read() -> None:
        reader = FormReader(b"B")
        for at in range(0, len(body), 100):
            reader.feed(body[at : at + 100], False)

    return read


def _numbered(text: bytes, count: int) -> bytes:
    return b"".join(text % number for number in range(count))


FIELD = b'--B\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nx\r\n'
BEHIND = b'\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n--B'

WORK: dict[str, Callable[[int], Read]] = {
    "query": lambda n: lambda: parse_query(_numbered(b"a%d=%%41&", 1000 * n)),
    "query of one name": lambda n: lambda: parse_query(b"a&" * (4000 * n)),
    "fields": lambda n: _head(_numbered(b"a%d: x\r\n", 400 * n)),
    "fields of one name": lambda n: _head(b"a: x\r\n" * (400 * n)),
    "options of a connection": lambda n: _head(b"Connection: " + b"a," * (40 * n) + b"b\r\n"),
    "lines left behind": lambda n: _left_behind(40 * n),
    "fields of an answer": lambda n: _answer(b"a: x\r\n" * (5000 * n)),
    "a range of many": lambda n: _head(b"Range: bytes=" + b"0-1," * (1500 * n) + b"2-3\r\n"),
    "copy source": lambda n: lambda: locate_copy_source(b"/b/" + b"%41/../" * (70 * n) + b"k"),
    "keys of a batch": lambda n: _batch(
        b"<Delete>" + _numbered(b"<Object><Key>%d</Key></Object>", 450 * n) + b"</Delete>"
    ),
    "references in a batch": lambda n: _batch(
        b"<Delete><Object><Key>" + b"&#65;" * (3000 * n) + b"</Key></Object></Delete>"
    ),
    "fields of a form": lambda n: _form(_numbered(FIELD, 150 * n)),
    "parts behind a file": lambda n: (
        lambda: names_after_file(b"--B" + BEHIND * (45 * n) + b"--", b"B")
    ),
}


def _calls(read: Read) -> int:
    count = 0

    def told(frame: FrameType, event: str, what: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")
        assert what is not re.compile
        assert frame.f_code is not re.compile.__code__, "compiled for what a peer sent"

    sys.setprofile(told)
    try:
        read()
    except (S3Error, ResponseFault):
        pass
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", WORK)
def test_twice_the_input_is_twice_the_work(name: str) -> None:
    """A4: and no more."""
    once, twice = (_calls(WORK[name](size)) for size in (1, 2))
    assert twice <= 2.1 * once + 10
