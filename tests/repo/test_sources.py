"""The corpora of who signed what: how many cases of each class there are, and where each is from.

A source is real if a stranger can look it up: a row of AWS's errors that `corpus/sources.toml`
places, a page of AWS's documentation by its title, an RFC, a public test by name.
"""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.corpus import signatures, sigv2, trailers
from tests.repo.tree import ROOT

SOURCES = tomllib.loads((ROOT / "tests/corpus/sources.toml").read_text())
ROW = re.compile(r"\b(\d\.\d+)\b")
REAL = re.compile(
    r"""AWS\ errors\ \d\.\d+ | AWS\ "[^"]+" | AWS\ docs:?\ \S+ | AWS\ measured | RFC\ \d{4}
    | versitygw\ \w+ | botocore""",
    re.VERBOSE,
)
# What is stricter than AWS or not known of it says so, and why.
OWN = re.compile(r"(the gateway's own|unverified|names are compared decoded|only a bucket has)")

# At least as many as versitygw has, counting bad ones from a real source only.
ASKED = {"header": 25, "presigned": 27, "unsigned trailer": 17}


def counted() -> dict[str, list[str]]:
    """Class -> sources of its refused cases that come from somewhere."""
    refused = [case for case in signatures.cases() if not case.expect.get("accepted")]
    found = {
        "header": [case.source for case in refused if case.recipe.form == "header"],
        "presigned": [case.source for case in refused if case.recipe.form == "query"],
        "unsigned trailer": [case.source for case in trailers.cases() if case.accepted is None],
    }
    return {
        name: [source for source in sources if REAL.match(source)]
        for name, sources in found.items()
    }


@pytest.mark.parametrize("name", ASKED)
def test_there_are_as_many_as_elsewhere(name: str) -> None:
    assert len(counted()[name]) >= ASKED[name]


EVERY = [*signatures.cases(), *sigv2.cases(), *trailers.cases()]


def can_be_looked_up(source: str) -> bool:
    rows = ROW.findall(source.partition("AWS errors")[2])
    known = SOURCES["rows"].keys() | {"5.1", "5.3", "5.5"}  # of RFC 9110
    placed = "AWS errors" not in source or (rows and set(rows) <= known)
    return bool((REAL.search(source) or OWN.match(source)) and placed)


def test_every_source_can_be_looked_up() -> None:
    sources = sorted({case.source for case in EVERY})
    assert [source for source in sources if not can_be_looked_up(source)] == []


def test_every_row_is_placed_and_used() -> None:
    cited = {row for case in EVERY for row in ROW.findall(case.source)}
    assert SOURCES["rows"].keys() <= cited
    places = re.compile("|".join([*SOURCES["places"], r"issue \d+", "public reports"]))
    assert [row for row, where in SOURCES["rows"].items() if not places.search(where)] == []
