"""Reads the headers of Trace Context (W3C), which say what trace a request is part of.

Rules: the gateway begins no trace and has no span of its own: a target sees what the client sent.
It signs neither header, because proxies on the way to a target may replace both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# version-trace-parent-flags; a version that is not known yet may say more (section 3.2).
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]*)?"
)


def trace_id(traceparent: bytes) -> str:
    """Return the id of the trace, 32 hexadecimal digits; empty if the header is not valid."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or (traceparent.startswith(b"00") and len(traceparent) > 55):
        return ""
    return found[1].decode()


def trace_headers(fields: Mapping[bytes, bytes]) -> Sequence[tuple[bytes, bytes]]:
    """Return what the gateway's own requests for this one carry of it."""
    traceparent = fields.get(b"traceparent", b"")
    if not traceparent or not trace_id(traceparent):
        return ()
    state = fields.get(b"tracestate", b"")
    found = [(b"traceparent", traceparent), (b"tracestate", state)]
    return found if state else found[:1]
