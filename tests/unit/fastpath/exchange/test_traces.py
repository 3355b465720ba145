"""Traces: what a client says of its trace goes up with its request and its calls, unsigned."""

from __future__ import annotations

import re

from tests.doubles.http1 import get, ok
from tests.doubles.signing import RawClient
from tests.doubles.wire import KEY, Rig
from tests.unit.fastpath.http.test_trace_context import TRACE, VALID

LINES = {"traceparent": VALID.decode(), "tracestate": "a=b, c=d"}


def _signed_headers(head: bytes) -> set[bytes]:
    found = re.search(rb"SignedHeaders=([^,]+),", head)
    assert found is not None
    return set(found[1].split(b";"))


def test_it_goes_up_as_it_came_and_unsigned_though_the_client_signed_it() -> None:
    rig = Rig(mode="sigv4")
    client = rig.connect()
    signer = RawClient("s3.test", 9000, *KEY)
    client.says(signer.head("GET", b"/b-b/key", 0, LINES))
    assert b"\r\ntraceparent: %b\r\n" % VALID in rig.target.heard
    assert b"\r\ntracestate: a=b, c=d\r\n" in rig.target.heard
    assert b"traceparent" not in _signed_headers(rig.target.heard)
    rig.target.says(ok(b"whole"))
    (line,) = rig.lines("access")
    assert line["trace_id"] == TRACE.decode()


def test_a_header_that_is_not_valid_goes_up_and_is_not_logged() -> None:
    rig = Rig()
    rig.connect().says(get("/b-b/k", "traceparent: 00-nonsense"))
    assert b"\r\ntraceparent: 00-nonsense\r\n" in rig.target.heard
    rig.target.says(ok(b"whole"))
    assert [line["trace_id"] for line in rig.lines("access")] == [""]
