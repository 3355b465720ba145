"""Reads a Dockerfile: its stages, and the instructions of each.

Rules: only what this project's files use: comments, continued lines, `FROM ... AS`, exec forms.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.repo.tree import ROOT


@dataclass
class Stage:
    """One stage: what it begins with, and its instructions in order."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        return [rest for name, rest in self.instructions if name == word]

    def one(self, word: str) -> str:
        (found,) = self.all(word)
        return found

    def words(self, word: str) -> list[str]:
        """The words of an instruction in exec form."""
        found = json.loads(re.sub(r"^.*?CMD (?=\[)", "", self.one(word)))
        assert isinstance(found, list)
        return found


def stages(path: Path = ROOT / "Dockerfile") -> list[Stage]:
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE)
    found: list[Stage] = []
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            found.append(Stage(rest.partition(" AS ")[0]))
        elif word and found:
            found[-1].instructions.append((word, " ".join(rest.split())))
    return found
