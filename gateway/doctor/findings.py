"""A finding: what was looked at, how it is, and what helps if it is not well."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.config.problems import Problem, Severity
from gateway.connect.classify import Finding as ConnectFinding


class Level(StrEnum):
    """How a finding is meant."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `subject`: `configuration`, `target s3`, ...; `step` may be
    empty; `problem` has the place in the configuration, if it has one.
    """

    level: Level
    subject: str
    step: str
    message: str
    remedy: str = ""
    problem: Problem | None = None

    def as_dict(self) -> dict[str, object]:
        """The form of `--json`."""
        place = self.problem.as_dict() if self.problem is not None else {}
        return {
            "level": self.level.value,
            "subject": self.subject,
            "step": self.step,
            "message": self.message,
            "remedy": self.remedy,
            **{name: place.get(name) for name in ("file", "line", "column", "path")},
        }


def of_problem(problem: Problem, subject: str, step: str) -> Finding:
    """Returns the finding of a problem of the configuration."""
    level = Level.ERROR if problem.severity is Severity.ERROR else Level.WARNING
    level = Level.SKIPPED if problem.tolerated else level
    return Finding(level, subject, step, problem.message, problem.suggestion, problem)


def of_answer(found: ConnectFinding, subject: str, step: str) -> Finding:
    """Returns the finding of what a target answered."""
    level = Level.ERROR if found.severity is Severity.ERROR else Level.WARNING
    return Finding(level, subject, step, found.message, found.remedy)
