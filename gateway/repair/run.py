"""Aborts the uploads that repair lines name, each at its target, and says what became of it.

Rules: an upload whose copy may still run is left alone; a target that cannot be reached is asked
once, not for each of its uploads; the requests are signed as a worker signs them: with the target's
own credentials, and if the target refuses those, with the ones that identities have there, because
the upload was begun by one of these. No text of a target is repeated but a code in S3's form.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from datetime import UTC, datetime
from enum import Enum
from typing import Final, NamedTuple

from fastpath.composed.operation import DEADLINE_SECONDS
from fastpath.ipc.process_identity import is_running
from fastpath.ipc.repair_lines import LEFT, LeftUpload, RepairLine
from fastpath.routing.snapshot import Snapshot, Target
from fastpath.s3.refusals import (
    REFUSAL_STATUSES,
    OtherRegion,
    Refusal,
    SignatureRefused,
    classify_refusal,
)
from fastpath.signing.sigv4.sign import Signer
from fastpath.upstream.bucket_regions import BucketRegions
from gateway.connect.attempt import Answer, Attempt, Failed
from gateway.connect.classify import refusal as known_refusal

_OPERATION: Final = "AbortMultipartUpload"
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{1,63}\Z")
# S3 knows no such upload any more; lakeFS says NoSuchKey of it. A bucket takes its uploads along.
_GONE: Final = frozenset({"NoSuchUpload", "NoSuchKey", "NoSuchBucket"})


class Outcome(Enum):
    """What became of an upload; the value is the word of the summary."""

    ABORTED = "aborted"
    GONE = "gone already"
    MAY_RUN = "may still be in use"
    FAILED = "not aborted"

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of the upload."""
        return self in (Outcome.ABORTED, Outcome.GONE)


class Result(NamedTuple):
    """What became of one upload; `text` is for an operator."""

    outcome: Outcome
    text: str


class Repair:
    """Aborts uploads at the targets of one snapshot."""

    def __init__(
        self, snapshot: Snapshot, incomplete: Collection[str], seconds: float, *, now: bool
    ) -> None:
        """Gives each request `seconds`.

        incomplete: names of targets that the configuration has, but not with all they need.
        now: uploads whose copy may still run are aborted too.
        """
        self._snapshot = snapshot
        self._incomplete = incomplete
        self._seconds = seconds
        self._now = now
        self._regions = BucketRegions()
        self._unreachable: dict[str, str] = {}  # by target: why

    def abort(self, line: RepairLine) -> Result:
        """Aborts the upload of one line."""
        why = "" if self._now else may_run(line, time.time())
        if why:
            return Result(Outcome.MAY_RUN, f"left alone: {why} (wait, or give --now)")
        name = line.upload.target
        target = self._snapshot.targets.get(name)
        if target is None:
            what = "is incomplete" if name in self._incomplete else "is not"
            return _failed(f"the target {what} in the configuration")
        if name in self._unreachable:
            return _failed(self._unreachable[name])
        try:
            return self._abort_at(target, line.upload)
        except Failed as failed:
            self._unreachable[name] = f"the target cannot be reached: {failed}"
            return _failed(self._unreachable[name])

    def _abort_at(self, target: Target, upload: LeftUpload) -> Result:
        """Asks with one credential after the other until one is accepted. Raises Failed."""
        first = None
        for signer in self._signers(target):
            result = self._ask(target, signer, upload)
            if not result.is_refused:
                return result.told
            first = first or result
        if first is None:
            return _failed("the target has no credentials (give access_key_id)")
        return first.told

    def _signers(self, target: Target) -> list[Signer]:
        own = [caller.signers.get(target.name) for caller in self._snapshot.callers.values()]
        found: list[Signer] = []
        for signer in (target.signer, *own):
            if signer is not None and not any(signer.equals(one) for one in found):
                found.append(signer)
        return found

    def _ask(self, home: Target, signer: Signer, upload: LeftUpload) -> _Answered:
        """Asks a target, and then the region that it names instead. Raises Failed."""
        answered = self._send(home, signer, upload)
        region = answered.other_region(home)
        if region and self._regions.record_redirect(home, upload.bucket, region):
            answered = self._send(home, signer, upload)
        return answered

    def _send(self, home: Target, signer: Signer, upload: LeftUpload) -> _Answered:
        to = self._regions.destination(home, signer, upload.bucket, _OPERATION)
        assert isinstance(to.signer, Signer)  # as the one it is made of
        attempt = Attempt(to.target, time.monotonic() + self._seconds)
        answer = attempt.abort_upload(to.signer, upload.bucket, upload.key, upload.upload_id)
        return _Answered(answer, to.signer)


class _Answered(NamedTuple):
    """A target's answer to an AbortMultipartUpload, and who signed it."""

    answer: Answer
    signer: Signer

    @property
    def is_refused(self) -> bool:
        """Whether these credentials, or what they are allowed, are refused."""
        return self.answer.status in (401, 403) or isinstance(self._refusal(), SignatureRefused)

    def other_region(self, home: Target) -> bytes:
        """The region that the target names instead of the one that was asked; empty if none."""
        refusal = self._refusal(regions=home.profile.has_regions)
        return refusal.region if isinstance(refusal, OtherRegion) else b""

    def _refusal(self, *, regions: bool = False) -> Refusal:
        answer = self.answer
        if answer.status not in REFUSAL_STATUSES:
            return None
        region = self.signer.region
        return classify_refusal(answer.status, answer.headers, answer.body, region, regions=regions)

    @property
    def told(self) -> Result:
        """The answer in words."""
        status, code = self.answer.status, self.answer.error.get("Code", "")
        if 200 <= status < 300:
            return Result(Outcome.ABORTED, "aborted")
        if status == 404 and code in _GONE:
            return Result(Outcome.GONE, f"gone already ({code})")
        shown = f"{status} {code}" if _CODE.match(code) else str(status)
        if self.is_refused:
            known = known_refusal(code)
            why = f"{known[0]}, {known[1]}" if known else "look at the policy of its credentials"
            return _failed(f"the target refuses it: {shown} ({why})")
        if status == 404:
            return _failed("the target answers 404, and not as S3 does (look at its endpoint)")
        return _failed(f"the target answers {shown} (try it again; look at the target's own log)")


def _failed(why: str) -> Result:
    return Result(Outcome.FAILED, f"not aborted: {why}")


def may_run(line: RepairLine, now: float) -> str:
    """Why the copy of an upload may still run; empty if it cannot. `now` in epoch seconds."""
    if line.state == LEFT or now > line.time + DEADLINE_SECONDS:
        return ""
    running = is_running(line.process)
    if running is False:
        return ""
    which = f"worker {line.worker} (pid {line.process.pid}) on {line.process.host}"
    end = moment(line.time + DEADLINE_SECONDS)
    if running:
        return f"{which} is running, and its copy may be, until {end}"
    return f"{which} cannot be seen from here, and its copy may run until {end}"


def moment(seconds: float) -> str:
    """A time in epoch seconds as ISO 8601 in UTC, as a log has it."""
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}Z"
