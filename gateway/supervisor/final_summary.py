"""The last message: how many requests and access lines there were, and how many were lost.

Rules: the supervisor writes it when it has reaped every worker and control has written its last
line, so that no number changes any more; a line that was not written counts as lost, whoever lost
it.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastpath.ipc.counters import Slot


def summary(totals: Mapping[Slot, int], *, access_log: bool) -> str:
    """Returns the message."""
    finished, cut, calls = totals[Slot.REQUESTS], totals[Slot.CUT], totals[Slot.CALLS]
    text = (
        f"requests: {totals[Slot.STARTED]} started, {finished} finished, {cut} cut, "
        f"{totals[Slot.LOST]} lost with a worker"
    )
    if calls:
        text += f"; calls to targets: {calls}"
    if access_log:
        written, sampled = totals[Slot.LOG_WRITTEN], totals[Slot.SAMPLED]
        # A control process that was killed may have written a few that it did not count.
        lost = max(finished + cut + calls - written - sampled, 0)
        text += f"; access lines: {written} written, {lost} lost"
        if sampled:
            text += f", {sampled} left out (router.log.sample)"
    if totals[Slot.NOTICES_LOST]:
        text += f"; messages: {totals[Slot.NOTICES_LOST]} lost"
    return text
