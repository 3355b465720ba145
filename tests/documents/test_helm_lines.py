"""`helm install` of the documents, as `helm template`, which needs no cluster."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from helm.values import CHART
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
    """Files of values that are not in the repository are the first values of the page."""
    shown = [one.text for one in blocks if kind_of(one) is Kind.VALUES]
    (tmp_path / "values.yaml").write_text("".join(shown[:1]))
    words: list[str] = []
    for word in shlex.split(line)[2:]:
        if word.startswith("helm/"):
            words.append(str(ROOT / word))
        elif word.endswith(".yaml"):
            words.append(str(tmp_path / "values.yaml"))
        elif word == "--reuse-values":  # of the release that is there
            words += ["--values", str(CHART / "ci" / "minimal-values.yaml")]
        elif word != "--install":
            words.append(word)
    done = helm("template", *words)
    assert done.returncode == 0, done.stderr
