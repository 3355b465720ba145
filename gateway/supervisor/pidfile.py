"""The pid file, if one was asked for.

Rules: written only once the sockets are bound, so that a second instance cannot take over the file
of the first; removed only by the process it names.

Not here: deciding anything by it; the claim on the port is what keeps a second instance away.
"""

from __future__ import annotations

import contextlib
import os


class PidfileError(Exception):
    """The file cannot be written; the text is for the operator."""


def write(path: object) -> None:
    """Writes our pid to `path`, if it is a path. Raises PidfileError."""
    if not isinstance(path, str) or not path:
        return
    try:
        with open(path, "w", encoding="ascii", opener=_at_once) as file:
            file.write(f"{os.getpid()}\n")
    except OSError as error:
        raise PidfileError(f"cannot write the pid file {path}: {error.strerror}") from error


def remove(path: object) -> None:
    """Removes the file if it names this process."""
    if not isinstance(path, str) or not path:
        return
    with contextlib.suppress(OSError, ValueError):
        with open(path, encoding="ascii", opener=_at_once) as file:
            ours = int(file.read()) == os.getpid()
        if ours:
            os.unlink(path)


def _at_once(path: str, flags: int) -> int:
    """Opens a file; a pipe at its place would make us wait for its other end."""
    return os.open(path, flags | os.O_NONBLOCK, 0o666)
