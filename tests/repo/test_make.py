"""The entry points of the repository: what make offers, and what setup says when it cannot."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.repo.tree import ROOT

TARGETS = [
    "help",
    "setup",
    "demo",
    "test",
    "lint",
    "type",
    "clients",
    "fuzz",
    "huge",
    "bench",
    "load",
    "docs",
    "chart",
    "dist",
    "chaos",
    "soak",
    "ci",
    "clean",
]


def make(*words: str) -> subprocess.CompletedProcess[str]:
    # What an outer make says to its children is not meant for this one.
    environ = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(
        ["make", *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_there(target: str) -> None:
    assert make("--dry-run", target).returncode == 0


def test_help_lists_the_targets_that_do_something() -> None:
    """D10: what does nothing does not pass for done."""
    listed = [line.split()[0] for line in make("help").stdout.splitlines()]
    assert sorted(listed) == sorted(TARGETS)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["bench", "ONLY=nonsense"], "invalid choice: 'nonsense'"),
        (["bench", "QUICK=1", "ONLY=width"], "not allowed with argument"),
        (["bench", "QUICK=yes"], "QUICK=yes is neither 0 nor 1"),
        (["demo", "ONCE=please"], "ONCE=please is neither 0 nor 1"),
        (["fuzz", "PARSER=nonsense"], "'nonsense' is no parser; known: "),
        (["fuzz", "PARSER="], "no parser is named"),
        (["fuzz", "SECONDS=long"], "SECONDS=long is no number of seconds"),
        (["load", "SCENARIO=nonsense"], "SCENARIO=nonsense is no scenario; known: small, "),
        (["load", "SHAPE=nonsense"], "SHAPE=nonsense is no shape; known: constant, ramp, "),
        (["load", "USERS=0"], "USERS=0 is no number of users"),
        (["load", "USERS=2.5"], "USERS=2.5 is no number of users"),
        (["load", "SECONDS=long"], "SECONDS=long is no number of seconds"),
        (["load", "SECONDS="], "SECONDS= is no number of seconds"),
        (["load", "SECONDS=5"], "SECONDS=5 is too short: 18 turns of 0.5 s need SECONDS=9"),
        (["load", "SHAPE=ramp"], "18 turns SHAPE=ramp of 6 s need SECONDS=108"),
        (["load", "QUICK=yes"], "QUICK=yes is neither 0 nor 1"),
        (["huge", "GIB=0"], "GIB=0 is no number of GiB"),
        (["huge", "GIB=many"], "GIB=many is no number of GiB"),
        (["chaos", "SECONDS=0"], "SECONDS=0 is no number of seconds"),
        (["soak", "MINUTES=long"], "MINUTES=long is no number of minutes"),
        (["nonsense"], "No rule to make target"),
    ],
    ids=lambda value: f"D10 {' '.join(value)}" if isinstance(value, list) else "",
)
def test_arguments_that_mean_nothing_are_refused(words: list[str], says: str) -> None:
    done = make(*words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 1", "no Python 3.11 or newer found"),
        ('case "$*" in *ensurepip*) exit 1;; esac', "lacks the module ensurepip"),
    ],
    ids=["too old", "without ensurepip"],
)
def test_setup_says_what_is_missing(tmp_path: Path, script: str, said: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(ROOT / ".ci/venv"), str(python)],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "make setup PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()
