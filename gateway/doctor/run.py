"""Looks at everything, and yields the findings in order: settings, machine, each target."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from fastpath.routing.snapshot import Target
from gateway.config import Loaded
from gateway.connect import Report, ask, prepare, skipped
from gateway.connect.attempt import Failed
from gateway.doctor.answers import answers
from gateway.doctor.findings import Finding, Level, of_problem
from gateway.doctor.machine import machine
from gateway.doctor.network import Unreachable, network
from gateway.doctor.scratch import Place, scratch
from gateway.doctor.settings import configuration, variables


def diagnose(
    loaded: Loaded, environ: Mapping[str, str], seconds: float, writes: Sequence[Place]
) -> Iterator[Finding]:
    """Yields all findings; each target has so many seconds for each of two rounds."""
    yield from configuration(loaded)
    yield from variables(loaded, environ)
    if loaded.model is None:
        message = "mend the configuration first: no target was looked at"
        yield Finding(Level.SKIPPED, "targets", "", message)
        return
    yield from machine(loaded.model)
    prepared = prepare(loaded, seconds)
    ways = [_Way(target, seconds) for target in prepared.snapshot.targets.values()]
    until = time.monotonic() + seconds + 1.0  # a step that meets its own deadline says why
    looked = [(way.target, way.findings_by(until)) for way in ways]
    reached = [target.name for target, found in looked if not _fails(found)]
    reports = {one.target: one for one in ask(loaded, prepared, reached, seconds)}
    for target, found in looked:
        yield from found
        if target.name in reports:
            yield from _credentials(reports[target.name], found)
            yield from _scratched(target, writes)
    for report in skipped(loaded):
        yield Finding(Level.SKIPPED, f"target {report.target}", "", "; ".join(report.said))


class _Way:
    """The looks at one target that need no credentials, in a thread of their own."""

    def __init__(self, target: Target, seconds: float) -> None:
        self.target = target
        self._deadline = time.monotonic() + seconds
        self._found: list[Finding] = []
        self._about = f"target {target.name}"
        self._thread = threading.Thread(target=self._run, name=self._about, daemon=True)
        self._thread.start()

    def findings_by(self, until: float) -> list[Finding]:
        """Returns what was found; waits for it until then."""
        self._thread.join(max(0.0, until - time.monotonic()))
        found = list(self._found)
        if self._thread.is_alive():
            message = "no answer in time"
            remedy = "look at the DNS, at host and port; raise --timeout"
            found.append(Finding(Level.ERROR, self._about, "network", message, remedy))
        return found

    def _run(self) -> None:
        try:
            for finding in network(self.target, self._deadline):
                self._found.append(finding)
            for finding in answers(self.target, self._deadline):
                self._found.append(finding)
        except Unreachable as unreachable:
            self._found.append(unreachable.finding)
        except Failed as failed:
            what, remedy = failed.cause
            self._found.append(Finding(Level.ERROR, self._about, "answer", what, remedy))
        except Exception as fault:  # a defect here must not look like a target without findings
            message = f"could not be looked at: {type(fault).__name__}"
            self._found.append(Finding(Level.ERROR, self._about, "", message, "report this"))


def _fails(found: Sequence[Finding]) -> bool:
    """Whether there is no use in signed requests."""
    ended = ("dns", "tls", "answer", "network", "")
    if any(one.level is Level.ERROR and one.step in ended for one in found):
        return True
    return all(one.level is not Level.OK for one in found if one.step == "tcp")


def _credentials(report: Report, looked: Sequence[Finding]) -> Iterator[Finding]:
    about = f"target {report.target}"
    told = {one.message for one in looked}
    for problem in report.problems:
        if problem.message not in told:  # of the clock, or of the certificate
            yield of_problem(problem, about, "credentials")
    for text in report.said:
        yield Finding(Level.OK, about, "credentials", text)


def _scratched(target: Target, writes: Sequence[Place]) -> Iterator[Finding]:
    for place in writes:
        if place.target == target.name:
            yield from scratch(target, place)
