"""Every block of README and the documents is executed by a test, or says why not.

`tests/documents` executes them; here it is held that none is left out, and that what is left out
has a reason that holds.
"""

from __future__ import annotations

import pytest

from tests.documents.blocks import blocks_of, pages
from tests.documents.kinds import RUN, WHOLE, Kind, complaints, kind_of

PAGES = pages()
BLOCKS = [block for found in PAGES.values() for block in found]


def test_every_block_is_executed_or_says_why_not() -> None:
    assert complaints(BLOCKS) == []


def test_commands_of_a_page_that_nobody_has_listed_are_not_executed() -> None:
    (said,) = complaints(blocks_of("docs/new.md", block("sh", "git push")))
    assert NOTHING in said


def test_the_pages_are_all_there() -> None:
    """A pattern that finds nothing would hold everything."""
    assert set(RUN) <= {block.page for block in BLOCKS if kind_of(block) is Kind.SESSION}
    assert {"README.md", "CONTRIBUTING.md", "docs/operations.md", *WHOLE} <= set(PAGES)
    assert {kind_of(block) for block in BLOCKS} == set(Kind) - {Kind.UNKNOWN}


def block(language: str, text: str, comment: str = "") -> str:
    return f"Text.\n\n{comment}\n```{language}\n{text}\n```\n"


NOTHING = "is executed by no test, and nothing says why"
TEST = "tests/repo/test_blocks.py"
MISTAKES = {
    "no language": (block("", "ls"), "has no language"),
    "indented": ("Text:\n\n    ls\n", "has no language"),
    "text": (block("text", "a"), NOTHING),
    "another language": (block("ini", "a = 1"), NOTHING),
    "yaml of nobody": (block("yaml", "unknown: 1"), NOTHING),
    "yaml that is none": (block("yaml", "{"), NOTHING),
    "a comment that is no reason": (block("text", "a", "<!-- not tested: a b c -->"), NOTHING),
    "a comment further above": (
        f"<!-- not run: a b c -->\n\nText.\n\n{block('text', 'a')}",
        NOTHING,
    ),
    "a short reason": (block("sh", "ls", "<!-- not run: later -->"), "say what is missing"),
    "a reason that names no test": (
        block("sh", "ls", "<!-- not run: see tests/nowhere.py for it -->"),
        "tests/nowhere.py is not there",
    ),
    "an excuse for a configuration": (
        block("yaml", "routing: {default_target: s3}", "<!-- not run: I do not like it -->"),
        "could be loaded as a configuration",
    ),
    "an excuse for values": (
        block("yaml", "replicaCount: 3", "<!-- not run: I do not like it -->"),
        "or as values of the chart",
    ),
    "an excuse for what is executed": (
        block("sh", "ls") + block("sh", "ls", "<!-- not run: I do not like it -->"),
        "the same block is executed elsewhere",
    ),
    "two claims": (
        block("sh", "ls", f"<!-- not run: a b c -->\n<!-- run by {TEST} -->"),
        "say several things",
    ),
    "no such test": (block("sh", "ls", "<!-- run by tests/test_no.py -->"), "no file of tests"),
    "no test": (block("sh", "ls", "<!-- run by tests/repo/tree.py -->"), "no file of tests"),
    "a test without its line": (
        block("sh", "ls --" + "size  # of it", f"<!-- run by {TEST} -->"),
        f"{TEST} does not have the line 'ls --" + "size'",
    ),
    "no python": (block("python", "a b", "<!-- not run: a b c -->"), "is no Python"),
    "no sh": (block("sh", "if", "<!-- not run: a b c -->"), "bash does not read it"),
    "no console": (block("console", "$ if\nif"), "bash does not read it"),
    "output alone": (block("console", "a"), "begins with no command"),
    "no target": (block("sh", "make nothing", "<!-- not run: a b c -->"), "no target nothing"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(name: str) -> None:
    page, said = MISTAKES[name]
    found = complaints(blocks_of("README.md", page))
    assert said in "\n".join(found)
    assert all(one.startswith("README.md:") for one in found)


@pytest.mark.parametrize(
    "page",
    [
        block("yaml", "routing: {default_target: s3}"),
        block("sh", "ls") + block("text", "a", "<!-- output of the block above -->"),
        block("text", "a", "<!-- not run: two lines of a log -->"),
        block("sh", "ls --all  # of it", f"<!-- run by {TEST} -->"),
        "- of a list\n\n  <!-- not run: two lines of a log -->\n  ```text\n  a\n  ```\n",
        "- <!-- not run: two lines of a log -->\n  ```text\n  a\n  ```\n",
    ],
)
def test_nothing_is_said_of_what_is_right(page: str) -> None:
    assert complaints(blocks_of("README.md", page)) == []


@pytest.mark.parametrize("page", WHOLE)
def test_a_block_that_the_test_of_a_page_does_not_read(page: str) -> None:
    (said,) = complaints(blocks_of(page, block("sh", "ls")))
    assert said.startswith(f"{page}:4: {NOTHING}")
    claimed = block("sh", "ls", "<!-- not run: a b c -->")
    assert "it needs no comment" in "\n".join(complaints(blocks_of(page, claimed)))
