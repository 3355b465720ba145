"""An ordinary user has 64 MiB of pipes in all: what does not fit is copied."""

from __future__ import annotations

import subprocess
import sys

from tests.process.harness import ROOT


def test_beyond_the_limit_of_pipes_bodies_are_copied() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.doubles.unprivileged"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "before the limit: spliced, identical",
        "beyond the limit: copied, identical",
        "below it again: spliced, identical",
    ]
