"""Reads CHANGELOG.md: is it in the form of Keep a Changelog, and what does it say of a version?

python -m release.changelog            exits 1 if it is not in order for the version of the code
python -m release.changelog --dated    the same, and the version must have its date
python -m release.changelog --notes    prints what it says of the version, for the release's page

Rules: the newest version stands first, and is the code's; it alone may be `unreleased`.
"""

from __future__ import annotations

import datetime
import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gateway

FILE = Path(__file__).resolve().parents[1] / "CHANGELOG.md"
SECTIONS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")

_TITLE = re.compile(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d|unreleased)")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said of one version."""

    title: str
    text: str

    @property
    def version(self) -> tuple[int, ...]:
        """Its three numbers; none if the title is not in the form."""
        found = _TITLE.fullmatch(self.title)
        return tuple(int(number) for number in found.groups()[:3]) if found else ()

    @property
    def date(self) -> str:
        return self.title.rpartition(" - ")[2]

    @property
    def sections(self) -> dict[str, list[str]]:
        """The texts below each title: more than one if the title is repeated."""
        found: dict[str, list[str]] = {}
        for part in re.split(r"^### ", self.text, flags=re.MULTILINE)[1:]:
            title, _, text = part.partition("\n")
            found.setdefault(title, []).append(text.strip())
        return found


def entries(text: str) -> list[Entry]:
    """Returns the entries in the order of the file."""
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return [Entry(title, rest.strip()) for title, _, rest in (one.partition("\n") for one in parts)]


def problems(text: str, version: str) -> list[str]:
    """Returns what is wrong with the text of a changelog whose code has this version."""
    found = entries(text)
    wrong = [problem for entry in found for problem in _form(entry)]
    if wrong or not found:
        return wrong or ["there is no entry"]
    if ".".join(map(str, found[0].version)) != version:
        wrong.append(f"the first entry is {found[0].title}, the code is {version}")
    for newer, older in itertools.pairwise(found):
        if newer.version <= older.version:
            wrong.append(f"{older.title} is below {newer.title}")
        if older.date == "unreleased":
            wrong.append(f"{older.title}, but a later one is above it")
        elif newer.date < older.date:  # `unreleased` is behind all dates
            wrong.append(f"{newer.title} is dated before {older.title}")
    return wrong


def _form(entry: Entry) -> Iterator[str]:
    if not entry.version:
        yield f"{entry.title}: write [1.2.3] - 2026-12-31, or unreleased"
        return
    if entry.date != "unreleased":
        try:
            datetime.date.fromisoformat(entry.date)
        except ValueError:
            yield f"{entry.title}: there is no such day"
    if not entry.sections:
        yield f"{entry.title}: it says nothing"
    for title, texts in entry.sections.items():
        if title not in SECTIONS:
            yield f"{entry.title}: {title} is none of {', '.join(SECTIONS)}"
        if len(texts) > 1:
            yield f"{entry.title}: {title} stands there twice"
        if not all(texts):
            yield f"{entry.title}: {title} is empty"


def main(arguments: list[str]) -> int:
    """Checks the changelog or prints an entry; returns the exit status."""
    if arguments not in ([], ["--dated"], ["--notes"]):
        print("usage: python -m release.changelog [--dated | --notes]", file=sys.stderr)
        return 2
    text = FILE.read_text()
    wrong = problems(text, gateway.__version__)
    if not wrong and arguments == ["--dated"] and entries(text)[0].date == "unreleased":
        wrong.append(f"{gateway.__version__} has no date yet")
    for problem in wrong:
        print(f"{FILE.name}: {problem}", file=sys.stderr)
    if not wrong and arguments == ["--notes"]:
        print(entries(text)[0].text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
