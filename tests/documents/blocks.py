"""Reads the fenced blocks of the documents, with the comment that stands before each.

    <!-- not run: REASON -->             it is executed by no test, for this reason
    <!-- run by tests/FILE.py -->        that test executes it
    <!-- output of the block above -->   compared with what that block printed
    <!-- exit status 1 -->               what its last command is to end with; else 0

Rules: the language says what a block is; a comment is the line before the block and is not seen
when the page is rendered. A first line `# NAME.yaml` or `# NAME.py` is the name of the file that
the block is in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from tests.repo.tree import ROOT, tracked

# What this is about: the decision records tell what once was tried.
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "helm/s3gateway/README.md")

_PARSER = MarkdownIt("commonmark").enable("table")
_COMMENT = re.compile(r"<!-- (?P<what>not run: |run by |output of|exit status )(?P<rest>.*) -->")
_NAME = re.compile(r"# ([\w./-]+\.(?:yaml|py))")


@dataclass(frozen=True, slots=True)
class Block:
    """One block; `line` is that of its fence. What its comment does not say is empty."""

    page: str
    line: int
    language: str
    info: str  # what stands behind the language
    text: str
    not_run: str = ""
    run_by: str = ""
    is_output: bool = False
    status: int = 0

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """The name of the file that it is, if it says one."""
        found = _NAME.fullmatch(self.text.partition("\n")[0])
        return found[1] if found and self.language in ("yaml", "python") else ""

    @property
    def claims(self) -> int:
        """In how many ways its comments say what becomes of it."""
        return bool(self.not_run) + bool(self.run_by) + self.is_output


def blocks_of(page: str, text: str) -> list[Block]:
    """The blocks of a page, in their order; indented ones are blocks without a language."""
    found: list[Block] = []
    said: dict[str, str] = {}
    for token in _PARSER.parse(text):
        if token.type in ("fence", "code_block"):
            language, _, info = token.info.strip().partition(" ")
            line = (token.map or [0])[0] + 1
            found.append(Block(page, line, language, info, token.content, **_claims(said)))
        if token.type == "html_block":
            said.update(_said(token.content))
        elif not token.type.endswith("_open"):  # a block may be the first thing in a list's item
            said = {}
    return found


def _said(html: str) -> Iterator[tuple[str, str]]:
    for found in _COMMENT.finditer(html):
        yield found["what"].rstrip(": "), found["rest"]


def _claims(said: dict[str, str]) -> dict[str, object]:
    return {
        "not_run": said.get("not run", ""),
        "run_by": said.get("run by", ""),
        "is_output": "output of" in said,
        "status": int(said.get("exit status", 0)),
    }


def codes(text: str) -> Iterator[tuple[int, str]]:
    """All code of a page, in blocks and in sentences, with the line where block or text begins."""
    for token in _PARSER.parse(text):
        line = (token.map or [0])[0] + 1
        if token.type in ("fence", "code_block"):
            yield line, token.content
        for child in token.children or ():
            if child.type == "code_inline":
                yield line, child.content


def pages() -> dict[str, list[Block]]:
    """Every page with its blocks, by its path in the repository."""
    found = {path for pattern in PAGES for path in tracked(f":(glob){pattern}")}
    return {_name(path): blocks_of(_name(path), path.read_text()) for path in sorted(found)}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))
