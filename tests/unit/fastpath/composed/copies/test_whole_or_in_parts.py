"""Whether a copy is one PutObject, or an upload in parts."""

from __future__ import annotations

import pytest

from fastpath.composed.copies.copy_object import WHOLE
from fastpath.composed.operations import OPERATIONS
from tests.doubles.http1 import ok, put, read_requests
from tests.unit.fastpath.composed.bench import Bench

ETAG = 'ETag: "e"'


def answer_with(size: int) -> bytes:
    """The head of an answer about an object of this size."""
    return ok(b"", ETAG).replace(b"Content-Length: 0", b"Content-Length: %d" % size)


@pytest.mark.parametrize(
    ("size", "hides_parts", "is_whole"),
    [(WHOLE, False, True), (WHOLE + 1, False, False), (WHOLE + 1, True, True)],
)
def test_a_large_object_goes_up_in_parts_unless_its_etag_would_hide_them(
    size: int, hides_parts: bool, is_whole: bool
) -> None:
    bench = Bench(overrides={"hides_parts": hides_parts})
    bench.rig.worker.composed = OPERATIONS
    bench.client.says(put("/g-b/k", b"", "x-amz-copy-source: b-b/source"))
    source = bench.rig.target
    source.says(answer_with(size))
    asked = read_requests(source.heard)[-1][0]
    assert (b"range" not in asked) is is_whole
    if not is_whole:
        return  # it reads a byte, for the headers
    source.says(answer_with(size) + b"x")
    ((head, _),) = read_requests(bench.rig.targets[1].heard)
    assert head.startswith(b"PUT /g-b/k HTTP/1.1\r\n")
    assert b"content-length: %d\r\n" % size in head
