"""Opens closed standard descriptors, makes writes to standard error non-blocking, raises the limit.

Rules: the flags of a file that a shell or an init system shares with other programs are not
changed.
"""

from __future__ import annotations

import fcntl
import os
import resource
import stat
from typing import Final

_STANDARD_ERROR: Final = 2


def fill_standard_descriptors() -> None:
    """Opens those of 0, 1, 2 that are closed, or the first sockets would get their numbers."""
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > _STANDARD_ERROR:
            os.close(descriptor)
            return
        os.set_inheritable(descriptor, True)


def unblock_standard_error() -> None:
    """Opens a pipe or terminal at descriptor 2 a second time, for writes that never wait.

    The flag belongs to the open file, which others may hold too (the shell that started us), so it
    is not set on theirs. Whatever writes to descriptor 2 from here on, in any child, the
    interpreter included, loses what the pipe or terminal does not take at once.
    """
    mode = os.fstat(_STANDARD_ERROR).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        return
    append = fcntl.fcntl(_STANDARD_ERROR, fcntl.F_GETFL) & os.O_APPEND
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | append
    try:
        opened = os.open(f"/proc/self/fd/{_STANDARD_ERROR}", flags)
    except OSError:
        return  # another user's, or nobody reads it: `notices` looks before it writes
    os.dup2(opened, _STANDARD_ERROR)
    os.close(opened)


def raise_limit() -> int:
    """Raises the limit of descriptors as far as it may be raised; returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
