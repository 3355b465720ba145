"""Writes and removes the pid file, if the operator asked for one.

Rules: it is written when the sockets are bound, so that a second instance cannot overwrite the file
of the first, or once all is ready, if it is to serve beside the first; only the process that it
names removes it.
"""

from __future__ import annotations

import contextlib
import os


class PidfileError(Exception):
    """The file cannot be written; the text is for the operator."""


def write(path: object) -> None:
    """Writes the pid of this process to `path`, if it is a path. Raises PidfileError."""
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
    """Opens a file without waiting, in case it is a pipe that nobody has opened."""
    return os.open(path, flags | os.O_NONBLOCK, 0o666)
