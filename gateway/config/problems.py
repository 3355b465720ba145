"""The problems of a configuration: `file:line:column: path: message (suggestion)`.

Rules: a problem never holds the value of a secret; one problem does not stop the search for others;
a consequence of a broken value is not reported as another problem.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]


class Place(NamedTuple):
    """A position in a source: a file, `$VARIABLE` or `--flag`. Lines and columns count from 1."""

    source: str
    line: int = 1
    column: int = 1


class Severity(StrEnum):
    """Whether a gateway can run with the problem."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. A `tolerated` one is a warning that only `check` prints."""

    place: Place
    path: str
    message: str
    suggestion: str = ""
    severity: Severity = Severity.ERROR
    tolerated: bool = False

    def format(self) -> str:
        """Returns the line that terminals and logs show."""
        note = "warning: " if self.severity is Severity.WARNING else ""
        hint = f" ({self.suggestion})" if self.suggestion else ""
        source, line, column = self.place
        return f"{source}:{line}:{column}: {self.path}: {note}{self.message}{hint}"

    def as_dict(self) -> dict[str, object]:
        """Returns the form of `check --format json`."""
        return {
            "file": self.place.source,
            "line": self.place.line,
            "column": self.place.column,
            "path": self.path,
            "message": self.message,
            "suggestion": self.suggestion,
            "severity": self.severity.value,
        }


class Problems:
    """The problems of one load, without repetitions."""

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self._broken: set[tuple[str, str]] = set()

    def add(self, problem: Problem) -> None:
        """Adds a problem, unless the same was reported at its path already."""
        identity = (problem.path, problem.message.partition(":")[0])
        if identity not in self._broken:
            self._broken.add(identity)
            self._found.append(problem)

    @property
    def fatal(self) -> bool:
        """Whether one of them is an error."""
        return any(problem.severity is Severity.ERROR for problem in self._found)

    def sorted(self) -> list[Problem]:
        """Returns the problems by source and position, else in order of appearance."""
        return sorted(self._found, key=lambda problem: problem.place)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)


def format_path(path: Path) -> str:
    """Formats `("routing", "rules", 0, "target")` as `routing.rules[0].target`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns `did you mean X?` for the closest known word, else the empty string."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"did you mean {names[close[0]]}?" if close else ""


def suggest(name: str, known: Iterable[str]) -> str:
    """Suggests the closest known name, or else all of them."""
    names = sorted(known)
    return did_you_mean(name, names) or (f"known: {one_of(names)}" if names else "")


def one_of(words: Iterable[str]) -> str:
    """Joins words as `a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
