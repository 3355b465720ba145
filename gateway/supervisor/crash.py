"""Describes the exception that ends a process, and ends the children of a crashed supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gateway.supervisor.timeouts import CONTROL_EXIT_SECONDS, NOW_SECONDS

if TYPE_CHECKING:
    from gateway.supervisor.children import Child
    from gateway.supervisor.control_process import ControlProcess
    from gateway.supervisor.workers import Workers

_INNERMOST = 3
_LOOK_SECONDS = 0.02


def describe(fault: BaseException) -> str:
    """`ValueError: text (place.py:12 < caller.py:34 < ...)`; no traceback, which has many lines."""
    text = "".join(traceback.format_exception_only(fault)).strip().splitlines()[-1]
    places = [
        f"{os.path.basename(frame.f_code.co_filename)}:{line}"
        for frame, line in traceback.walk_tb(fault.__traceback__)
    ]
    return f"{text} ({' < '.join(places[: -_INNERMOST - 1 : -1])})" if places else text


def end_children(workers: Workers, control: ControlProcess) -> None:
    """Has the workers cut what runs and log it, then has control write those lines.

    The supervisor has crashed: any step may fail too. Children that are left in the end are killed.
    """
    living = list(workers.living())
    with contextlib.suppress(Exception):
        workers.drain(0.0)
    _wait(living, NOW_SECONDS)
    child = control.child
    with contextlib.suppress(Exception):
        control.dismiss()
    _wait([child] if child is not None else [], CONTROL_EXIT_SECONDS)


def _wait(children: Iterable[Child], seconds: float) -> None:
    """Waits until they have ended; kills them when the time is over."""
    left = {child.pid for child in children}
    until = time.monotonic() + seconds
    while left and time.monotonic() < until:
        left = {pid for pid in left if not _has_ended(pid)}
        time.sleep(_LOOK_SECONDS)
    for pid in left:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except OSError:
        return True  # reaped already
