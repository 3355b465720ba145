"""The inputs of the fuzzed parsers, and what is close to them: refused or read, and soon."""

from __future__ import annotations

import pytest

from tests.fuzz.harnesses import CORPUS, HARNESSES, inputs
from tests.fuzz.mutations import mutants
from tests.fuzz.run import run_one

MUTANTS = [500, pytest.param(2000, marks=pytest.mark.slow)]  # for each parser


@pytest.mark.parametrize("name", HARNESSES)
def test_every_known_input(name: str) -> None:
    known = inputs(name)
    assert len(known) >= 5
    for path in known:
        run_one(name, path.read_bytes())


@pytest.mark.parametrize("count", MUTANTS)
@pytest.mark.parametrize("name", HARNESSES)
def test_what_is_close_to_one(name: str, count: int) -> None:
    known = [path.read_bytes() for path in inputs(name)]
    for number, data in enumerate(known):
        for mutant in mutants(data, known, count // len(known) + 1, number):
            run_one(name, mutant)


def test_every_directory_of_inputs_is_of_a_harness() -> None:
    assert {path.name for path in (CORPUS / "fuzz").iterdir()} == set(HARNESSES)
