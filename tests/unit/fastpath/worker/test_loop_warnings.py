"""What the loop itself says on a worker's standard error."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.process.harness import ROOT

SAY = "from asyncio.log import logger; logger.{level}('the loop speaks')"


@pytest.mark.parametrize(("level", "heard"), [("warning", ""), ("error", "the loop speaks\n")])
def test_the_loop_warns_nobody_of_clients_that_left(level: str, heard: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from fastpath.worker.process import silence_loop_warnings as silence; silence(); "
            + SAY.format(level=level),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", heard)
