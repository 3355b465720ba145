"""`helm install` of the documents, as `helm template`, which needs no cluster."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.documents.blocks import Block, pages
from tests.documents.kinds import Kind, kind_of
from tests.packaging.helm import helm
from tests.repo.tree import ROOT

LINES = [
    pytest.param(blocks, line, id=block.place)
    for blocks in pages().values()
    for block in blocks
    for line in block.text.replace("\\\n", " ").splitlines()
    if line.startswith(("helm install", "helm upgrade"))
]


def test_there_are_some() -> None:
    assert len(LINES) >= 2


@pytest.mark.parametrize(("blocks", "line"), LINES)
def test_it_is_rendered(blocks: list[Block], line: str, tmp_path: Path) -> None:
    """With the first values of the page in place of a file that it does not name otherwise."""
    values = [one.text for one in blocks if kind_of(one) is Kind.VALUES]
    (tmp_path / "values.yaml").write_text("".join(values[:1]))
    here = {"values.yaml": str(tmp_path / "values.yaml"), "--install": None}
    words = [here.get(word, word) for word in shlex.split(line)[2:]]
    placed = [str(ROOT / word) if word.startswith("helm/") else word for word in words if word]
    done = helm("template", *placed)
    assert done.returncode == 0, done.stderr
