"""Every bad configuration of the corpus gives exactly its expected lines.

`NAME.yaml` is loaded as an operator would load it; `NAME.expect` begins with the circumstances
(`# --flag value`, `# VARIABLE=value`), then come the lines in order.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import config

CORPUS = Path(__file__).parents[3] / "corpus" / "configs"
CASES = sorted(CORPUS.glob("*.yaml"))


def circumstances(expectation: str) -> tuple[dict[str, object], dict[str, str], list[str]]:
    launch: dict[str, object] = {}
    environ: dict[str, str] = {}
    lines = []
    for line in expectation.splitlines():
        if line.startswith("# --"):
            flag, value = line.removeprefix("# --").split(" ", 1)
            launch[flag] = [value] if flag == "listen" else value
        elif line.startswith("# "):
            name, value = line.removeprefix("# ").split("=", 1)
            environ[name] = value
        else:
            lines.append(line)
    return launch, environ, lines


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_gives_exactly_the_expected_lines(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS)
    launch, environ, expected = circumstances(case.with_suffix(".expect").read_text())
    loaded = config.load({**launch, "config": case.name}, environ)
    found = sorted(loaded.problems + loaded.notes, key=lambda problem: problem.place)
    assert [problem.format() for problem in found] == expected
    assert (loaded.model is None) == any(": warning: " not in line for line in expected)


def test_no_secret_is_in_any_expected_line() -> None:
    for case in CASES:
        assert "hidden" not in case.with_suffix(".expect").read_text(), case.stem


def test_there_is_a_line_for_every_file_and_a_file_for_every_line() -> None:
    assert {case.stem for case in CASES} == {case.stem for case in CORPUS.glob("*.expect")}
    assert len(CASES) >= 50
