"""A block that does not do what it shows is found, with its place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo.seaweed import Keys
from tests.compat.shared import Store
from tests.documents.blocks import blocks_of
from tests.documents.session import Session
from tests.documents.stores import Stores
from tests.documents.test_settings import problems
from tests.doubles.lakefs import LakeFS

STORES = {name: Store(name, "http://127.0.0.1:1", Keys("a", "b")) for name in ("s3", "lakefs")}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with contextlib.ExitStack() as ends:
        stores = Stores(STORES, ends.enter_context(LakeFS()), ends, tmp_path)
        yield Session(tmp_path, stores, ends)


def run(session: Session, page: str) -> None:
    for block in blocks_of("page.md", page):
        session.run(block)


def fenced(language: str, text: str, comment: str = "") -> str:
    return f"{comment}\n```{language}\n{text}\n```\n"


OUTPUT = "<!-- output of the block above -->"
WRONG = {
    "a status": fenced("sh", "false"),
    "a status that is to be another": fenced("sh", "true", "<!-- exit status 1 -->"),
    "the first of several": fenced("sh", "false\ntrue"),
    "the first of a pipe": fenced("sh", "false | true"),
    "no such command": fenced("sh", "s3gatway check"),
    "a line that is not printed": fenced("console", "$ echo a\na\nb"),
    "a line that is not shown": fenced("console", "$ printf 'a\\nb\\n'\na"),
    "another word": fenced("console", "$ echo 1 b\n1 a"),
    "another rule": fenced("console", "$ echo rule 2\nrule 1"),
    "the second command": fenced("console", "$ echo a\na\n$ echo b\na"),
    "output of a block": fenced("sh", "echo a") + fenced("text", "b", OUTPUT),
    "an exception": fenced("python", "1 / 0"),
    "an unknown name": fenced("python", "a = 1") + fenced("python", "a + b"),
    "a gateway that does not start": fenced("sh", "s3gateway --config nowhere.yaml"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_goes_wrong_is_found(session: Session, name: str) -> None:
    with pytest.raises(AssertionError):
        run(session, WRONG[name])


RIGHT = {
    "numbers": fenced(
        "console", "$ echo 17 in 3.1 ms of 1a2b3c4d5e6f7a8b\n4 in 2 s of 0000000000000000"
    ),
    "left out": fenced("console", "$ printf 'a\\nb\\nc d1e\\n'\n...\nc d..."),
    "status": fenced("sh", "exit 3", "<!-- exit status 3 -->"),
    "exported": fenced("sh", "export A=1") + fenced("sh", '[ "$A" = 1 ]'),
    "to Python": fenced("sh", "export A=1") + fenced("python", "import os; os.environ['A']"),
    "files": fenced("yaml", "# a/b.yaml\na: 1") + fenced("sh", "grep 'a: 1' a/b.yaml"),
    "a directory": fenced("sh", "mkdir -p a && cd a") + fenced("sh", '[ "${PWD##*/}" = a ]'),
    "two lines": fenced("console", "$ echo a \\\n  b\na b"),
    "the background": fenced("sh", "sleep 600 &\ntrue"),
    "names": fenced("python", "a = 1") + fenced("python", "print(a)") + fenced("text", "1", OUTPUT),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_a_page_may_rely_on(session: Session, name: str) -> None:
    run(session, RIGHT[name])


@pytest.mark.parametrize(
    "text",
    [
        "router: {listen_adress: '127.0.0.1:8080'}",
        "routing: {rules: [{pattern: a, target: nowhere}]}",
        "router: {workers: many}",
    ],
)
def test_a_setting_that_is_none_is_found(text: str, tmp_path: Path) -> None:
    (block,) = blocks_of("page.md", fenced("yaml", text))
    assert problems(block, tmp_path)
