"""The record that routing rules look at: for decisions and for `explain`.

Rules: it holds plain values of the request as the client sent it, and nothing of a target.
"""

from __future__ import annotations

from typing import NamedTuple


class Asked(NamedTuple):
    """What a request asks for.

    operation: the name by which the request is routed (`Operation.routed_as`).
    identity: the name of the caller; empty without one.
    bucket: empty if the request names none.
    key: decoded; empty if the request names none.
    size: bytes of the body, without the framing of signed chunks; None if the client did not say.
    content_type: empty if the client did not say.
    time: epoch seconds.
    prefix: of the keys that a request about many asks for: a list's, or empty for all; None: it is
    about one key, or about the bucket.
    """

    operation: str
    identity: str
    bucket: bytes
    key: bytes
    size: int | None
    content_type: bytes
    time: float
    prefix: bytes | None = None
