"""The account of a gateway's life: what became of every request, and of every access line.

Rules: told once, at the end, when every worker is reaped and control has written its last line, so
that nothing is on its way; a line counts as lost if it was not written, whoever lost it.

Not here: counting (`fastpath.ipc.counters`), when it is told (`supervisor`).
"""

from __future__ import annotations

from collections.abc import Mapping

from fastpath.ipc.counters import Slot


def told(totals: Mapping[Slot, int], *, access_log: bool) -> str:
    """The account in one line."""
    finished, cut = totals[Slot.REQUESTS], totals[Slot.CUT]
    text = (
        f"requests: {totals[Slot.STARTED]} started, {finished} finished, {cut} cut, "
        f"{totals[Slot.LOST]} lost with a worker"
    )
    if access_log:
        written = totals[Slot.LOG_WRITTEN]
        # A control process that was killed may have written a few that it did not count.
        text += f"; access lines: {written} written, {max(finished + cut - written, 0)} lost"
    if totals[Slot.NOTICES_LOST]:
        text += f"; messages: {totals[Slot.NOTICES_LOST]} lost"
    return text
