"""Looks at what a target answers to anybody: how fast, by which clock, and what it seems to be.

Rules: the requests are unsigned GETs; what a target says of itself (Server, lakeFS's health check)
is only compared, never printed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Final

from fastpath.routing.snapshot import Target
from gateway.connect import classify
from gateway.connect.attempt import Answer, Attempt
from gateway.doctor.findings import Finding, Level, of_answer

REQUESTS: Final = 3  # of which the median counts
# A clock this far off is told; AWS and others refuse signatures from 15 minutes on.
TOLD_SKEW_SECONDS: Final = 30.0

# What begins the Server header -> the profile of such a store.
_SERVERS: Final = {b"amazons3": "s3", b"seaweedfs": "seaweedfs", b"minio": "generic"}
_GATEWAY: Final = b"s3gateway"
_LAKEFS_PATH: Final = b"/api/v1/healthcheck"  # 204 of lakeFS alone
_PROFILE: Final = "profile"


def answers(target: Target, deadline: float) -> Iterator[Finding]:
    """Yields what is found. Raises Failed; `deadline` is in monotonic seconds."""
    about = f"target {target.name}"
    attempt = Attempt(target, deadline)
    seconds, found = [], []
    for _ in range(REQUESTS):
        began = time.monotonic()
        found.append(attempt.get(b"/"))
        seconds.append(time.monotonic() - began)
    middle = 1000 * statistics.median(seconds)
    said = f"{found[-1].status} to an unsigned GET, in {middle:.1f} ms (a new connection each)"
    yield Finding(Level.OK, about, "answer", said)
    yield _clock(found[-1], about)
    yield from _kind(attempt, target, found[-1], about)


def _clock(answer: Answer, about: str) -> Finding:
    if answer.skew is None:
        return Finding(Level.SKIPPED, about, "clock", "its answers have no Date")
    if abs(answer.skew) < TOLD_SKEW_SECONDS:
        return Finding(Level.OK, about, "clock", f"{abs(answer.skew):.0f} s from this machine's")
    if abs(answer.skew) >= classify.WARNED_SKEW:
        return of_answer(classify.clock(answer.skew), about, "clock")
    message = f"is {abs(answer.skew):.0f} s {classify.side(answer.skew)} this machine's"
    return Finding(Level.WARNING, about, "clock", message, "synchronise both (NTP)")


def _kind(attempt: Attempt, target: Target, answer: Answer, about: str) -> Iterator[Finding]:
    profile = target.profile.name
    server = answer.headers.get(b"server", b"").lower()
    if profile == "lakefs":
        if attempt.health().status != 200:
            message = "its profile is lakefs, but no lakeFS answers /_health there"
            remedy = "write the address of lakeFS in endpoint, or another profile"
            yield Finding(Level.ERROR, about, _PROFILE, message, remedy)
            return
    elif server.startswith(_GATEWAY):
        message = "another s3gateway answers there"
        remedy = "name the store itself, unless gateways are to stand in a row"
        yield Finding(Level.WARNING, about, _PROFILE, message, remedy)
        return
    elif attempt.get(_LAKEFS_PATH).status == 204:
        message = f"lakeFS answers there, but its profile is {profile}"
        yield Finding(Level.ERROR, about, _PROFILE, message, "set profile: lakefs")
        return
    known = next((word for name, word in _SERVERS.items() if server.startswith(name)), profile)
    if known == profile:
        yield Finding(Level.OK, about, _PROFILE, f"nothing speaks against {profile}")
        return
    message = f"it seems to be a store of the profile {known}, not {profile}"
    remedy = f"set profile: {known}, or find out what it can do: s3gateway probe {target.name}"
    yield Finding(Level.WARNING, about, _PROFILE, message, remedy)
