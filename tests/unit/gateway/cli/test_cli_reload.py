"""What `reload` prints of an answer of control."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.status import ask
from tests.unit.gateway.cli.conftest import Run

SERVED: dict[str, Any] = {
    "ok": True,
    "began": 1.0,
    "seconds": 0.25,
    "warnings": ["a.yaml:1:1: s3: warning: looks odd"],
    "generation": 7,
    "digest": "0123456789abcdef" * 4,
    "acknowledged": [0, 1],
    "needs_restart": ["router.workers"],
}
TRIED: dict[str, Any] = {
    "ok": True,
    "dry_run": True,
    "problems": [],
    "configuration_warnings": ["a.yaml:1:1: s3: warning: looks odd"],
    "digest": "0123456789abcdef" * 4,
    "needs_restart": ["router.workers", "router.listen_address"],
    "moves": [{}],
    "warnings": ["data-*: reads do not look at old any more"],
    "notes": ["a note"],
    "table": ["pattern  reads", "data-*   old -> new"],
}
REFUSED: dict[str, Any] = {
    "ok": False,
    "error": "the configuration is unchanged: 1 problem",
    "problems": ["a.yaml:2:1: foo: unknown key"],
    "warnings": [],
}


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What control answers."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(ask, "answered", lambda request, pid, seconds: found)
    return found


def test_what_is_served_is_data_and_what_is_odd_a_message(run: Run, answer: dict[str, Any]) -> None:
    answer.update(SERVED)
    result = run("reload")
    assert result.exit_code == 0
    assert result.stdout == (
        "generation 7 is served by workers 0, 1 (digest 0123456789abcdef, 0.25 s)\n"
    )
    assert result.stderr.splitlines() == [
        "a.yaml:1:1: s3: warning: looks odd",
        "warning: router.workers: a change needs a restart",
    ]


def test_a_dry_run_says_what_moves_and_what_needs_a_restart(
    run: Run, answer: dict[str, Any]
) -> None:
    answer.update(TRIED)
    result = run("reload", "--dry-run")
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "pattern  reads",
            "data-*   old -> new",
            "warning: data-*: reads do not look at old any more",
            "note: a note",
            "warning: router.workers, router.listen_address: a change needs a restart",
        ],
    )
    assert result.stderr == "a.yaml:1:1: s3: warning: looks odd\n"
    answer.update(table=[], moves=[], warnings=[], notes=[], needs_restart=[])
    assert run("reload", "--dry-run").stdout == "no bucket's requests move\n"


def test_a_refusal_is_located(run: Run, answer: dict[str, Any]) -> None:
    answer.update(REFUSED)
    result = run("reload")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "a.yaml:2:1: foo: unknown key",
        "s3gateway: the configuration is unchanged: 1 problem",
    ]
    as_json = run("reload", "--json")
    assert (as_json.exit_code, '"problems"' in as_json.stdout) == (1, True)


def test_an_answer_without_problems_has_its_remedy(run: Run, answer: dict[str, Any]) -> None:
    answer.update(ok=False, error="the gateway drains", remedy="start it again")
    assert run("reload").stderr == "s3gateway: the gateway drains (start it again)\n"
