"""Asks every target at the same time, and reports which setting each finding concerns.

Rules: there is one thread for each target, and nobody waits for it beyond the deadline (a name
lookup cannot be interrupted); targets that no rule leads to, and that lack a
setting, are listed, but not asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from fastpath.routing.snapshot import Snapshot, load_snapshot
from fastpath.signing.sigv4.sign import Signer
from gateway.config import Loaded
from gateway.config.compile import compile_snapshot
from gateway.config.problems import Path, Place, Problem, Severity, format_path
from gateway.config.schema import Config
from gateway.connect import chains, classify
from gateway.connect.attempt import Answer, Attempt, Failed
from gateway.connect.classify import Finding
from gateway.control.credentials import Keyring

MAX_BUCKETS = 5  # of those that rules name, for each target
_GLOB = frozenset("*?[{")
_LATE = Finding("no answer in time", "look at the DNS, at host and port; raise --timeout")


@dataclass(slots=True)
class Report:
    """The result for one target; `said` are lines for a person."""

    target: str
    endpoint: str
    state: str = "skipped"  # ok, failed or skipped
    said: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """The form of `check --format json`."""
        facts = {"target": self.target, "endpoint": self.endpoint, "state": self.state}
        return {**facts, "said": list(self.said)}


@dataclass(frozen=True, slots=True)
class _Who:
    """Credentials for a target, whose they are, and which setting has them."""

    name: str
    signer: Signer
    path: Path


def connect(loaded: Loaded, seconds: float) -> list[Report]:
    """Asks every target of a valid configuration, each for at most `seconds`."""
    prepared = prepare(loaded, seconds)
    return ask(loaded, prepared, prepared.snapshot.targets, seconds) + skipped(loaded)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The configuration as a worker has it, and what its credentials' sources could not give."""

    snapshot: Snapshot
    warnings: Sequence[str]


def prepare(loaded: Loaded, seconds: float) -> Prepared:
    """Resolves the credentials of a valid configuration, each source within `seconds`."""
    model = loaded.model
    assert model is not None  # in order
    keyring = Keyring(model, deadline_seconds=seconds)
    document = {"instance": "", **compile_snapshot(model, keyring.resolve())}
    return Prepared(load_snapshot(0, document), keyring.warnings)


def ask(loaded: Loaded, prepared: Prepared, names: Iterable[str], seconds: float) -> list[Report]:
    """Asks these targets at the same time, each for at most `seconds`."""
    model = loaded.model
    assert model is not None  # in order
    trials = [_Trial(name, model, prepared.snapshot, loaded, seconds) for name in names]
    for trial in trials:
        trial.warn(prepared.warnings)
        trial.thread.start()
    until = time.monotonic() + seconds + 1.0  # a request that meets its own deadline reports why
    return [trial.report_by(until) for trial in trials]


def skipped(loaded: Loaded) -> list[Report]:
    """Reports the targets that no rule leads to."""
    model = loaded.model
    assert model is not None  # in order
    configured = loaded.tree.get(("targets",))
    names = configured if isinstance(configured, dict) else {}
    said = "no rule leads here"
    return [Report(name, "", said=[said]) for name in names if name not in model.targets]


class _Trial:
    """The requests to one target, and its report."""

    def __init__(
        self, name: str, model: Config, snapshot: Snapshot, loaded: Loaded, seconds: float
    ) -> None:
        self._target = snapshot.targets[name]
        self._model = model
        self._loaded = loaded
        self._lakefs = self._target.profile.name == "lakefs"
        self._report = Report(name, str(model.targets[name].endpoint))
        self._path: Path = ("targets", name)
        self._people = self._credentials(snapshot)
        self._attempt = Attempt(self._target, time.monotonic() + seconds)
        self._found: list[tuple[Path, Finding]] = []
        self.thread = threading.Thread(target=self._run, name=f"connect {name}", daemon=True)

    def warn(self, warnings: Iterable[str]) -> None:
        """Adds what the keyring reports about this target's credentials."""
        start = f"target {self._target.name}: "
        for warning in warnings:
            if warning.startswith(start):
                remedy = "look at its aws_profile, role_arn or the default chain"
                self._add(self._path, Finding(warning.removeprefix(start), remedy, ""))

    def report_by(self, until: float) -> Report:
        """Returns the report; waits for it until then."""
        self.thread.join(max(0.0, until - time.monotonic()))
        found = list(self._found)
        if self.thread.is_alive():
            found.append((self._path, _LATE))
        self._report.problems = [self._problem(path, finding) for path, finding in found]
        failed = any(problem.severity is Severity.ERROR for problem in self._report.problems)
        self._report.state = "failed" if failed else "ok"
        return self._report

    # --- who asks ---

    def _credentials(self, snapshot: Snapshot) -> list[_Who]:
        """Returns the target's own credentials, and those of identities with others there."""
        name = self._target.name
        people = []
        if self._target.signer is not None:
            people.append(_Who("the target's credentials", self._target.signer, self._path))
        own = {caller.name: caller.signers.get(name) for caller in snapshot.callers.values()}
        for index, identity in enumerate(self._model.identities):
            signer = own.get(identity.name)
            if signer is not None:
                path: Path = ("auth", "identities", index, "credentials", name)
                people.append(_Who(f"identity {identity.name}", signer, path))
        return people

    # --- asking ---

    def _run(self) -> None:
        try:
            if not self._people:
                self._look_in()
            for who in self._people:
                self._try(who, first=who is self._people[0])
        except Failed as failed:
            self._add(self._path, Finding(*failed.cause))
        except Exception as fault:  # a defect here must not look like a target without findings
            message = f"could not be tried: {type(fault).__name__}"
            self._add(self._path, Finding(message, "report this", ""))

    def _look_in(self) -> None:
        """Sends an unsigned request, because there are no credentials: can it be reached?"""
        answer = self._attempt.health()
        for finding in classify.of_connection(answer, time.time()):
            self._add(self._path, finding)
        message = "has no credentials: every request is refused"
        if not self._found:
            self._add(self._path, Finding(message, "give access_key_id and secret_access_key", ""))

    def _try(self, who: _Who, *, first: bool) -> None:
        answer = self._attempt.list_buckets(who.signer)
        if first:
            for finding in classify.of_connection(answer, time.time()):
                self._add(self._path, finding)
        tls = self._target.route.tls is not None
        found = list(classify.of_list(answer, tls=tls, lakefs=self._lakefs))
        for finding in found:
            self._add(who.path, finding)
        if found:
            return
        vague = classify.is_denied(answer) or classify.lists_nothing(answer)
        said = f"{who.name}: ListBuckets {answer.status}"
        served = self._buckets(who)
        self._look_for_missing(who, chains.names_in(answer.body))
        if served:
            said += f", HEAD of {', '.join(served)}"
        elif classify.is_denied(answer):
            self._deny(who)
            return
        elif vague:
            message = f"cannot tell: ListBuckets is answered {answer.status}"
            remedy = "name a bucket in a rule and it is tried instead"
            self._add(who.path, Finding(message, remedy, "", Severity.WARNING))
        self._report.said.append(said)

    def _deny(self, who: _Who) -> None:
        """Reports that nothing was allowed; asks lakeFS's health check whether it is up at all."""
        if self._lakefs and self._attempt.health().status != 200:
            message = "AccessDenied, and no lakeFS answers /_health there"
            remedy = "write the address of lakeFS in endpoint, or another profile"
            self._add(self._path, Finding(message, remedy))
            return
        tried = bool(self._named())
        self._add(who.path, classify.of_denied(lakefs=self._lakefs, tried=tried))

    def _named(self) -> dict[str, int]:
        """Returns the buckets that rules send here by their full name, with the rule's index."""
        named: dict[str, int] = {}
        for rule in self._model.rules:
            if _GLOB & set(rule.pattern):
                continue
            if rule.target == self._target.name:
                renamed = rule.rewrite.bucket if rule.rewrite is not None else None
                named.setdefault(renamed or rule.pattern, rule.number - 1)
            elif self._target.name in rule.fallback:
                named.setdefault(rule.pattern, rule.number - 1)
        for target, bucket, index in chains.behind_conditions(self._model):
            if target == self._target.name:
                named.setdefault(bucket, index)
        return dict(list(named.items())[:MAX_BUCKETS])

    def _buckets(self, who: _Who) -> list[str]:
        """Returns the buckets that this credential may read; reports what is wrong with others."""
        served = []
        region = self._target.region.decode()
        for bucket, index in self._named().items():
            answer = self._attempt.head_bucket(who.signer, bucket.encode())
            regions = self._target.profile.has_regions
            finding = classify.of_bucket(answer, bucket, region, regions=regions)
            if answer.status < 300:
                served.append(bucket)
            if finding is None:
                continue
            here = finding.setting == "region"
            path: Path = ("routing", "rules", index, "pattern")
            self._add(self._path if here else path, finding)
        return served

    def _look_for_missing(self, who: _Who, listed: Sequence[str]) -> None:
        """Tries whether reads would move on from here, where the target is not a chain's last."""
        tried: set[str] = set()
        for look in chains.looks(self._model):
            if look.target != self._target.name:
                continue
            for bucket in look.buckets(listed):
                if bucket in tried or len(tried) == MAX_BUCKETS:
                    continue
                tried.add(bucket)
                answer = self._attempt.get_object(who.signer, bucket, look.missing_key())
                finding = classify.of_missing(answer, bucket)
                if finding is not None:
                    self._add(look.path, finding)

    # --- what was found ---

    def _add(self, path: Path, finding: Finding) -> None:
        if (path, finding) not in self._found:
            self._found.append((path, finding))

    def _problem(self, path: Path, finding: Finding) -> Problem:
        if finding.setting and path[0] == "auth" and finding.setting in ("endpoint", "region"):
            path = self._path
        tree = self._loaded.tree
        if finding.setting:
            path = (*path, _written(finding.setting, path, tree.get))
        shown = path[1:] if path[0] == "targets" and path[1] in tree.short else path
        place = tree.place(path) or Place(self._loaded.source)
        message = finding.message
        if path[0] != "targets":
            message = f"target {self._target.name}: {message}"
        return Problem(place, format_path(shown), message, finding.remedy, finding.severity)


def _written(setting: str, path: Path, get: Callable[[Path], object]) -> str:
    """Returns the setting, or its `_file` form if the configuration uses that."""
    named = f"{setting}_file"
    return named if get((*path, setting)) is None and get((*path, named)) is not None else setting


__all__ = ["MAX_BUCKETS", "Answer", "Prepared", "Report", "ask", "connect", "prepare", "skipped"]
