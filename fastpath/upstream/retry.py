"""Whether a request whose upstream connection failed may be sent once more.

Rules: a request is never done twice when it matters, so
- no byte of the answer reached the gateway, and no byte of the body was consumed;
- only over a connection that had served before and then closed: that may have been in the moment
  of reuse, while a fresh one that dies, or any that is silent for too long, says something about
  the target;
- POST, and anything conditional, never once its head was sent: if the first try did arrive, the
  second would be answered differently (RFC 9110 section 9.2.2);
- once.

Not here: which connection the second try uses (`exchange` asks `pool` for a fresh one).
"""

from __future__ import annotations

from collections.abc import Mapping

# Methods that are done twice as well as once (RFC 9110 section 9.2.2).
REPLAYABLE = frozenset({b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"})
_CONDITIONS = (
    b"if-match",
    b"if-none-match",
    b"if-modified-since",
    b"if-unmodified-since",
)
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS"})


def may_resend(
    method: bytes, fields: Mapping[bytes, bytes], *, stale: bool, body_taken: bool, tries: int
) -> bool:
    """Whether a request whose head was sent, and that got no byte of an answer, is sent again."""
    if body_taken or not stale or tries > 1 or method not in REPLAYABLE:
        return False
    return method in _SAFE or not any(name in fields for name in _CONDITIONS)
