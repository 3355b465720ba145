"""What an upstream head says of a body that does not go up as it came.

Rules: plain data.

Not here: who changes a body (`choose`, `batches`), writing the head (`forward`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Reframing(NamedTuple):
    """`drop` are names of the client's headers that are no longer true, `lines` what replaces them.

    `add`: headers that are signed besides.
    """

    payload: bytes
    length: int | None
    drop: tuple[bytes, ...]
    lines: bytes
    add: Sequence[tuple[bytes, bytes]] = ()
