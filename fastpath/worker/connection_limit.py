"""Computes how many clients a worker may accept from its limit of file descriptors.

Rules: a connection may need two descriptors, its own and one to a target. Some are reserved for the
worker itself and for clients that are turned away with an answer.
"""

from __future__ import annotations

import errno
import os

REFUSED_AT_ONCE = 32  # clients that are being turned away with an answer
_RESERVED = REFUSED_AT_ONCE + 32  # and listeners, channels, log, poll


def most_connections(wanted: int, descriptors: int) -> int:
    """The number of connections that a worker can serve at a time; at least one."""
    return max(1, min(wanted, (descriptors - _RESERVED) // 2))


def is_out() -> bool:
    """Whether no descriptor is left. The loop accepts and closes silently then."""
    try:
        os.close(os.dup(0))
    except OSError as fault:
        return fault.errno in (errno.EMFILE, errno.ENFILE)
    return False
