"""`fastpath.composed.chains.first_look`: the head of a write after the look for its object."""

from __future__ import annotations

from fastpath.composed.chains.first_look import with_replaced
from fastpath.http.head import parse_request_head
from fastpath.limits import Limits
from tests.doubles.http1 import put

SENT = put("/b-b/k", b"x", "X-Kept: 1", 'If-Match: "a"')


def test_other_headers_are_kept_and_one_without_a_value_is_left_out() -> None:
    head = parse_request_head(SENT.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", Limits())
    changed = with_replaced(head, {b"if-match": b"", b"if-none-match": b"*"})
    left = [field for field in head.headers if field[0] != b"if-match"]
    assert len(left) == len(head.headers) - 1
    assert list(changed.headers) == [*left, (b"if-none-match", b"*")]
    assert changed.fields == dict(changed.headers)
