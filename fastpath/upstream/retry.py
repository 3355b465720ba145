"""Decides whether a request whose connection to the target broke may be sent once more.

After an answer, response filters decide that (`upstream.refusals`, translations).

Rules: no request is done twice where that matters, so a request is sent again only
- if no byte of the answer came and no byte of the body was consumed;
- after a connection that had served before and then closed, perhaps in the moment of reuse (a
  fresh connection that breaks, or a silent target, says something about the target);
- if it is neither a POST nor conditional: if the first try did arrive, the second would be answered
  differently (RFC 9110 section 9.2.2);
- once.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastpath.ipc.cells import TargetCounter
from fastpath.response.filters import Reason
from fastpath.s3.conditions import CONDITIONS

# As what a request is counted that goes up again after a response.
RETRY_COUNTERS: Mapping[Reason, TargetCounter] = {
    Reason.REGION: TargetCounter.RETRIES_REGION,
    Reason.CREDENTIALS: TargetCounter.RETRIES_CREDENTIALS,
    Reason.TRANSLATION: TargetCounter.RETRIES_TRANSLATION,
}

# Methods that are done twice as well as once (RFC 9110 section 9.2.2).
REPLAYABLE = frozenset({b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"})
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS"})


def may_resend(
    method: bytes, fields: Mapping[bytes, bytes], *, stale: bool, body_taken: bool, tries: int
) -> bool:
    """Whether a request whose head was sent and that got no answer may be sent again."""
    if body_taken or not stale or tries > 1 or method not in REPLAYABLE:
        return False
    return method in _SAFE or not any(name in fields for name in CONDITIONS)
