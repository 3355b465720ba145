"""The commands of `s3gateway` that documents name, in a sentence or a block, have such options."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from gateway.cli.main import main
from tests.documents.blocks import codes, pages
from tests.repo.tree import ROOT

# Behind a pipe, `kubectl exec ... --` and the like, too; up to whatever ends a command.
COMMAND = re.compile(
    r"(?:^|[|$(] ?|-- |exec |sudo )(?:s3gateway|lakefs-s3-router)(?![\w./:-])((?: +[^\s|;&()`#]+)*)"
)


def mistakes(line: str) -> Iterator[str]:
    """Of every command of `s3gateway` in a line."""
    for found in COMMAND.finditer(line):
        yield from _of_command([word.rstrip(",.") for word in found[1].split()])


def _of_command(words: list[str]) -> Iterator[str]:
    context = click.Context(main)
    command: click.Command | None = main
    if words and not words[0].startswith("-"):
        if words[0].isupper():
            return  # COMMAND: any
        command = main.get_command(context, words[0])
    elif words and words[0] not in ("--help", "-h", "--version"):
        command = main.get_command(context, "serve")
    if command is None:
        yield f"s3gateway has no command {words[0]}"
        return
    known = {name for one in command.get_params(context) for name in one.opts}
    for word in words:
        option = word.partition("=")[0]
        if re.match(r"--?[a-z]", option) and option not in known:
            yield f"s3gateway {command.name} has no option {option}"


def test_every_command_and_option_is_there() -> None:
    found = []
    for page in pages():
        for line, code in codes((ROOT / page).read_text()):
            joined = code.replace("\\\n", " ")
            found += [
                f"{page}:{line}: {said}" for one in joined.splitlines() for said in mistakes(one)
            ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("s3gateway chek", "no command chek"),
        ("s3gateway check --conect", "check has no option --conect"),
        ("kubectl logs x | s3gateway repair --shwo -", "repair has no option --shwo"),
        ("kubectl exec deploy/s3gateway -- s3gateway statsu", "no command statsu"),
        ("s3gateway --config f --wokers 4", "serve has no option --wokers"),
        ('eval "$(s3gateway complete bash)"', "no command complete"),
    ],
)
def test_a_mistake_is_found(line: str, said: str) -> None:
    assert [one for one in mistakes(line) if said in one]
