"""docs/cookbook.md: its configurations are taken as they stand, and its commands print that.

`tests/compat/test_cookbook.py` sends its requests.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.main import main
from gateway.config import load
from tests.compat.recipes import PAGE, Program, Recipe, hour_of, read
from tests.repo.tree import ROOT

COMMON, RECIPES = read()
TIME = re.compile(r"in \d+\.\d ms")  # that a custom router took
each_recipe = pytest.mark.parametrize(
    "recipe", RECIPES, ids=[f"{number} {one.title}" for number, one in enumerate(RECIPES, 1)]
)


def written(recipe: Recipe, directory: Path) -> Path:
    file = directory / "gateway.yaml"
    file.write_text(recipe.tried + COMMON)
    (directory / "media_router.py").write_text(recipe.module)
    return file


@each_recipe
def test_a_configuration_has_no_problem(recipe: Recipe, tmp_path: Path) -> None:
    """But for targets of the common part that it does not name."""
    file = written(recipe, tmp_path)
    for environment in recipe.steps:
        named = None if hour_of(environment) is not None else environment or None
        loaded = load({"config": str(file), "environment": named}, {})
        found = [problem.format() for problem in loaded.problems]
        assert [one for one in found if "is reached by no request" not in one] == []
        assert recipe.steps[environment]


@each_recipe
def test_a_command_prints_the_lines_that_are_shown(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(recipe, tmp_path)
    monkeypatch.chdir(tmp_path)
    for (program, *words), shown in recipe.commands:
        assert program == "s3gateway"
        printed = CliRunner().invoke(main, words).stdout.splitlines()
        assert [TIME.sub("in 0.1 ms", line) for line in printed] == shown


def test_the_readme_shows_the_loop_of_the_recipe() -> None:
    """So that it is run, there."""
    (program,) = (
        step for one in RECIPES for step in one.steps.get("", []) if isinstance(step, Program)
    )
    loop = program.source.replace("old-bucket", "old-s3-bucket").replace("-new", "-new-repo")
    (_, shown) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert loop.endswith(shown)


def test_every_recipe_is_in_the_list_and_has_a_command() -> None:
    text = PAGE.read_text()
    titles = dict.fromkeys(recipe.title for recipe in RECIPES)
    linked = re.findall(r"^\| \[([^\]]+)\]\(#([^)]+)\) \|", text, re.M)
    assert [link for _, link in linked] == [
        title.lower().replace(" ", "-").replace(",", "") for title in titles
    ]
    explained = {recipe.title for recipe in RECIPES if recipe.commands}
    assert explained == set(titles)
    assert len(RECIPES) == 14
