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
    "chaos",
    "soak",
    "ci",
    "clean",
]
LATER = ["load", "docs", "chart", "chaos", "soak"]


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
    listed = [line.split()[0] for line in make("help").stdout.splitlines()]
    assert sorted(listed) == sorted(set(TARGETS) - set(LATER))


@pytest.mark.parametrize("target", LATER)
def test_what_comes_later_says_so(target: str) -> None:
    done = make(target)
    assert (done.returncode, done.stdout) == (0, f"make {target}: comes with a later release\n")


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
