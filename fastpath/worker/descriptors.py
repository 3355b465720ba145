"""How many descriptors a process may have, and what that leaves for clients.

Rules: a connection may need two, its own and one to a target; some are kept back for the worker
itself and for clients that are turned away with an answer.

Not here: turning away (`service`).
"""

from __future__ import annotations

import errno
import os

REFUSED_AT_ONCE = 32  # connections that are being turned away with an answer
_KEPT_BACK = REFUSED_AT_ONCE + 32  # and listeners, channels, log, poll


def most_connections(wanted: int, descriptors: int) -> int:
    """Connections that a worker can serve at a time; at least one."""
    return max(1, min(wanted, (descriptors - _KEPT_BACK) // 2))


def is_out() -> bool:
    """Whether not one descriptor is left. The loop accepts and closes then, and says nothing."""
    try:
        os.close(os.dup(0))
    except OSError as fault:
        return fault.errno in (errno.EMFILE, errno.ENFILE)
    return False
