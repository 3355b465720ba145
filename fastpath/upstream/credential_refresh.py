"""A worker asks control for fresh credentials of a target, and lets requests wait for them.

Rules: a worker asks at most once per target in ASK_SECONDS, however many requests were refused.
Only temporary credentials are waited for (others change when somebody writes a file), for at most
WAIT_SECONDS, by at most MAX_WAITING requests.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from fastpath.signing.sigv4.sign import Signer, Unsigned

if TYPE_CHECKING:
    from fastpath.ipc.log import WorkerLog
    from fastpath.routing.identities import Caller
    from fastpath.routing.snapshot import Snapshot, Target

# A chain answers in milliseconds, STS in a second or two; clients time out after 60.
WAIT_SECONDS = 5.0
# Fresh credentials that are refused as well are not replaced by asking faster.
ASK_SECONDS = 30.0
MAX_WAITING = 1024  # as many as may wait for a connection


class Refused(NamedTuple):
    """A request whose signature a target refused: the target as configured, and who signed it."""

    home: Target
    caller: Caller
    signer: Signer


class CredentialRefresh:
    """The credential refresh of one worker."""

    def __init__(self, log: WorkerLog, clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._asked: dict[str, float] = {}  # by target name
        self._confirmed: dict[str, float] = {}  # when a target last accepted the signature
        # Each waiting request: what was refused, and until when it waits.
        self._waiting: dict[asyncio.Future[Signer | None], tuple[Refused, float]] = {}

    def request(self, target: str) -> None:
        """Ask control for fresh credentials, unless the worker asked a moment ago."""
        now = self._clock()
        if now - self._asked.get(target, -math.inf) >= ASK_SECONDS:
            self._asked[target] = now
            self._log.request_credentials(target)

    def check_is_due(self, target: str) -> bool:
        """Whether it is time to check that the target still accepts the gateway's signature."""
        return self._clock() - self._confirmed.get(target, -math.inf) >= ASK_SECONDS

    def confirm(self, target: str) -> None:
        """Note that the target accepted the gateway's signature."""
        self._confirmed[target] = self._clock()

    async def other_signer(self, refused: Refused, snapshot: Snapshot) -> Signer | None:
        """A signer with other credentials, once there is one; None if there is none in time.

        `snapshot` is the one in force. The signer is for the region of the refused one.
        """
        signer = _signer_now(refused, snapshot)
        if signer is None:
            until = self._asked.get(refused.home.name, -math.inf) + WAIT_SECONDS
            if not refused.signer.temporary or len(self._waiting) >= MAX_WAITING:
                return None
            if until <= self._clock():
                return None
            waiter = asyncio.get_running_loop().create_future()
            self._waiting[waiter] = (refused, until)
            try:
                signer = await waiter
            finally:
                del self._waiting[waiter]
        return signer.in_region(refused.signer.region) if signer is not None else None

    def install(self, snapshot: Snapshot) -> None:
        """Answer the requests whose credentials a new snapshot changed."""
        self._confirmed.clear()
        self._asked = {n: when for n, when in self._asked.items() if n in snapshot.targets}
        for waiter, (refused, _) in self._waiting.items():
            signer = _signer_now(refused, snapshot)
            if signer is not None and not waiter.done():
                waiter.set_result(signer)

    def sweep(self, now: float) -> None:
        """Answer the requests whose time to wait is over."""
        for waiter, (_, until) in self._waiting.items():
            if until <= now and not waiter.done():
                waiter.set_result(None)


def signer_in_force(
    home: Target, caller: Caller, signer: Signer | Unsigned, snapshot: Snapshot
) -> Signer | Unsigned:
    """Return who signs what is sent only now for a request that began with `signer`.

    Temporary credentials may expire while the request is served; they were renewed before that in
    `snapshot`, which is the one in force. The signer is for the region of the other one.
    """
    if not isinstance(signer, Signer) or not signer.temporary:
        return signer
    now = _signer_now(Refused(home, caller, signer), snapshot)
    return signer if now is None else now.in_region(signer.region)


def _signer_now(refused: Refused, snapshot: Snapshot) -> Signer | None:
    """The signer of such a request in `snapshot`; None if it is no other, or the route changed."""
    home, caller, signer = refused
    target = snapshot.targets.get(home.name)
    if target is None or target.route.key != home.route.key:
        return None
    now = snapshot.signer(target, snapshot.callers.get(caller.access_key_id, caller))
    return now if isinstance(now, Signer) and not now.equals(signer) else None
