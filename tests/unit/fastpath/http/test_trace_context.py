"""Trace Context: which headers say of which trace a request is part."""

from __future__ import annotations

import pytest

from fastpath.http.trace_context import trace_headers, trace_id

TRACE, PARENT = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
VALID = b"00-%b-%b-01" % (TRACE, PARENT)  # the example of the specification


@pytest.mark.parametrize("header", [VALID, VALID[:-2] + b"00", b"cc" + VALID[2:] + b"-what-ever"])
def test_a_valid_header_names_its_trace(header: bytes) -> None:
    assert trace_id(header) == TRACE.decode()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"ff" + VALID[2:],  # no version
        VALID + b"-more",  # this version ends there
        VALID.upper(),
        b"00-%b-%b-01" % (b"0" * 32, PARENT),
        b"00-%b-%b-01" % (TRACE, b"0" * 16),
        VALID[1:],
        VALID + b"\n",
        VALID + b", " + VALID,  # sent twice
        b"cc" + VALID[2:] + b"-\x1b[2J",
    ],
)
def test_any_other_names_none(header: bytes) -> None:
    assert trace_id(header) == ""
    assert trace_headers({b"traceparent": header, b"tracestate": b"a=b"}) == ()


def test_the_state_is_passed_on_with_its_trace_alone() -> None:
    parent, state = (b"traceparent", VALID), (b"tracestate", b"a=b")
    assert trace_headers({}) == ()
    assert trace_headers(dict([state])) == ()
    assert trace_headers(dict([parent])) == [parent]
    assert trace_headers(dict([state, parent])) == [parent, state]
