"""A worker asks control for fresh credentials of a target, and lets requests wait for them.

Rules: a worker asks at most once per target in ASK_SECONDS, however many requests were refused.
Only temporary credentials are waited for (others change when somebody writes a file), for at most
WAIT_SECONDS, by at most MAX_WAITING requests. Each waiting request is called exactly once, with
new credentials or without.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from fastpath.signing.sigv4.sign import Signer

if TYPE_CHECKING:
    from fastpath.ipc.log import WorkerLog
    from fastpath.request.admitted import Admitted
    from fastpath.routing.snapshot import Snapshot

# A chain answers in milliseconds, STS in a second or two; clients time out after 60.
WAIT_SECONDS = 5.0
# Fresh credentials that are refused as well are not replaced by asking faster.
ASK_SECONDS = 30.0
MAX_WAITING = 1024  # as many as may wait for a connection


class RefusedRequest(Protocol):
    """A request whose signature the target refused."""

    admitted: Admitted
    snapshot: Snapshot

    def credentials_refreshed(self, signer: Signer) -> None:
        """Send the request again, signed with other credentials."""

    def credentials_unavailable(self) -> None:
        """Give up: there are no other credentials."""


class CredentialRefresh:
    """The credential refresh of one worker."""

    def __init__(self, log: WorkerLog, clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._asked: dict[str, float] = {}  # by target name
        self._confirmed: dict[str, float] = {}  # when a target last accepted the signature
        self._waiting: dict[RefusedRequest, float] = {}  # until when

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

    def wait(self, request: RefusedRequest, snapshot: Snapshot) -> None:
        """Call the request with other credentials, now or once they come; or without, in time."""
        refused, signer = _refused(request), _signer_now(request, snapshot)
        if not signer.equals(refused):
            request.credentials_refreshed(signer)
            return
        until = self._asked.get(request.admitted.target.name, -math.inf) + WAIT_SECONDS
        if until > self._clock() and refused.temporary and len(self._waiting) < MAX_WAITING:
            self._waiting[request] = until
        else:
            request.credentials_unavailable()

    def give_up(self, request: RefusedRequest) -> None:
        """Let the request wait no longer, without a call."""
        self._waiting.pop(request, None)

    def install(self, snapshot: Snapshot) -> None:
        """Call the requests whose credentials a new snapshot changed."""
        self._confirmed.clear()
        self._asked = {n: when for n, when in self._asked.items() if n in snapshot.targets}
        for request in list(self._waiting):
            signer = _signer_now(request, snapshot)
            if request in self._waiting and not signer.equals(_refused(request)):
                del self._waiting[request]
                request.credentials_refreshed(signer)

    def sweep(self, now: float) -> None:
        """Call the requests whose time to wait is over."""
        for request in [request for request, until in self._waiting.items() if until <= now]:
            del self._waiting[request]
            request.credentials_unavailable()


def _refused(request: RefusedRequest) -> Signer:
    signer = request.admitted.signer
    assert isinstance(signer, Signer)  # an unsigned request has no signature to refuse
    return signer


def _signer_now(request: RefusedRequest, snapshot: Snapshot) -> Signer:
    """The signer of such a request in `snapshot`; the refused one if the route has changed."""
    decision, caller = request.admitted.decision, request.admitted.caller
    ours, theirs = request.snapshot.targets[decision.target], snapshot.targets.get(decision.target)
    if theirs is None or theirs.route.key != ours.route.key:
        return _refused(request)
    caller = snapshot.callers.get(caller.access_key_id, caller)
    return snapshot.signer(theirs, caller) or _refused(request)
