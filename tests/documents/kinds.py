"""Says who executes a block: a session of its page, the reader of settings, another test, nobody.

Rules: it is told from the block itself and its comment, so that no list of blocks has to be kept.
"""

from __future__ import annotations

import ast
import enum
import functools
import re
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from gateway.config.schema import Config
from helm.values import CHART
from tests.compat import recipes
from tests.compat.document import SNIPPETS
from tests.documents.blocks import Block
from tests.repo.tree import ROOT


class Kind(enum.Enum):
    """Who executes a block."""

    SETTINGS = "tests/documents/test_settings.py"  # a configuration, or a part of one
    VALUES = "values of the chart, there too"
    SESSION = "tests/documents/test_sessions.py"
    ELSEWHERE = "another test"
    NOT_RUN = "nobody, for a reason"
    UNKNOWN = "nobody"


# Pages that a test reads as a whole, and what it executes of them.
WHOLE = {
    "docs/clients.md": "tests/compat/test_snippets.py",
    "docs/cookbook.md": "tests/compat/test_cookbook.py",
}
# Pages whose commands and programs are executed. Nothing is because it stands somewhere: who adds a
# page has read it, and marks what pushes, publishes or installs.
RUN = (
    "README.md",
    "docs/chains.md",
    "docs/custom-routers.md",
    "docs/lakefs.md",
    "docs/migration.md",
    "docs/operations.md",
    "docs/production.md",
    "docs/profiles.md",
    "docs/quickstart.md",
    "docs/repair.md",
    "docs/troubleshooting.md",
)
_SESSION = ("sh", "console", "python")


def kind_of(block: Block) -> Kind:
    """Who executes it."""
    if block.page in WHOLE:
        return Kind.ELSEWHERE if block.text in executed(block.page) else Kind.UNKNOWN
    if block.not_run:
        return Kind.NOT_RUN
    if block.run_by:
        return Kind.ELSEWHERE
    if block.is_output or block.language in _SESSION:
        return Kind.SESSION if block.page in RUN else Kind.UNKNOWN
    return _kind_of_yaml(block.text) if block.language == "yaml" else Kind.UNKNOWN


def _kind_of_yaml(text: str) -> Kind:
    """By the names at its top: those of the configuration, or else of the chart's values."""
    names = {name for one in documents(text) for name in one}
    if names and names <= set(Config.model_fields):
        return Kind.SETTINGS
    if names and names <= _values():
        return Kind.VALUES
    return Kind.UNKNOWN


def documents(text: str) -> list[dict[str, Any]]:
    """Its documents that are maps; none if it is no YAML."""
    try:
        return [one for one in yaml.safe_load_all(text) if isinstance(one, dict)]
    except yaml.YAMLError:
        return []


@functools.cache
def _values() -> set[str]:
    return set(yaml.safe_load((CHART / "values.yaml").read_text()))


@functools.cache
def executed(page: str) -> frozenset[str]:
    """The texts that the test of a whole page executes."""
    if page == "docs/clients.md":
        return frozenset(path.read_text() for path in SNIPPETS.iterdir() if path.is_file())
    return frozenset(recipes.texts())


def complaints(blocks: Iterable[Block]) -> list[str]:
    """What is wrong with the claims about these blocks: each with its place."""
    blocks = list(blocks)
    runs = {one.text for one in blocks if kind_of(one) not in (Kind.NOT_RUN, Kind.UNKNOWN)}
    return [
        f"{block.place}: {said}"
        for block in blocks
        for said in (*_of_claims(block), *_of_reason(block, runs), *_of_text(block))
    ]


def _of_claims(block: Block) -> Iterable[str]:
    if not block.language:
        yield "has no language: what is it? (sh, console, text, ...)"
    if block.language == "console" and not block.text.startswith("$ "):
        yield "begins with no command: a line with `$ `"
    if block.claims > 1:
        yield "its comments say several things of it"
    elif kind_of(block) is Kind.UNKNOWN:
        yield (
            "is executed by no test, and nothing says why: <!-- not run: REASON --> or"
            " <!-- run by tests/FILE.py --> before it, or its page in tests.documents.kinds.RUN"
        )
    if block.page in WHOLE and block.claims:
        yield f"{WHOLE[block.page]} executes this page: it needs no comment"
    if block.run_by:
        yield from _of_test(block)


def _of_test(block: Block) -> Iterable[str]:
    """The test that is to execute it is there, and has its lines."""
    file = ROOT / block.run_by
    if not file.is_file() or not Path(block.run_by).name.startswith("test_"):
        yield f"{block.run_by} is no file of tests"
        return
    text = " ".join(file.read_text().split())
    for line in commands(block.text):
        if " ".join(line.split()) not in text:
            yield f"{block.run_by} does not have the line {line!r}"


def commands(text: str) -> list[str]:
    """The lines of a block of commands, without `$`, comments and empty ones."""
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line]


def _of_reason(block: Block, runs: set[str]) -> Iterable[str]:
    """A reason is one, and holds: what could be run is not excused."""
    if not block.not_run:
        return
    if len(block.not_run.split()) < 3:
        yield f"is not run because of {block.not_run!r}: say what is missing"
    if block.text in runs:
        yield "is excused, and the same block is executed elsewhere"
    if block.language == "yaml" and _kind_of_yaml(block.text) is not Kind.UNKNOWN:
        yield "is excused, but could be loaded as a configuration or as values of the chart"
    named = re.findall(r"tests/[\w/.]+\.py", block.not_run)
    yield from (f"{name} is not there" for name in named if not (ROOT / name).is_file())


def _of_text(block: Block) -> Iterable[str]:
    """It is what its language says, executed or not; `make` finds its targets."""
    if block.language == "python":
        try:
            ast.parse(block.text)
        except SyntaxError as error:
            yield f"is no Python: {error}"
    if block.language in ("sh", "console"):
        lines = (
            block.text if block.language == "sh" else "\n".join(one for one, _ in typed(block.text))
        )
        checked = subprocess.run(["bash", "-n"], input=lines, capture_output=True, text=True)
        if checked.returncode or checked.stderr:
            yield f"bash does not read it: {checked.stderr.strip()}"
        for target in re.findall(r"^make ([a-z]+)", lines, re.M):
            if target not in _targets():
                yield f"make has no target {target}"


def typed(text: str) -> list[tuple[str, str]]:
    """The commands of a block of the language `console`, each with what it prints."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), ""))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line}", "")
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


@functools.cache
def _targets() -> set[str]:
    text = (ROOT / "Makefile").read_text()
    return {name for line in re.findall(r"^([a-z ]+):", text, re.M) for name in shlex.split(line)}
