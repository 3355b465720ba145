"""The headers of an upstream request that describe a body which the gateway changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class BodyHeaders(NamedTuple):
    """What the upstream head says of the body.

    payload: the value of x-amz-content-sha256.
    length: of the body as it is sent; None if that is the client's.
    drop: names of the client's headers that no longer apply.
    lines: header lines that replace them.
    add: more headers, which are signed.
    """

    payload: bytes
    length: int | None
    drop: tuple[bytes, ...]
    lines: bytes
    add: Sequence[tuple[bytes, bytes]] = ()
