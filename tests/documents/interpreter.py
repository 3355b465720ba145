"""One Python for all programs of a page: what one has named, the next one knows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

# Reads a program as a line of JSON, and answers with its status and with what it has printed.
_LOOP = """
import contextlib, io, json, os, sys, traceback
names = {"__name__": "__main__"}
for line in sys.stdin:
    program, environ = json.loads(line)
    os.environ.update(environ)
    printed, status = io.StringIO(), 0
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            exec(compile(program, "program", "exec"), names)
        except BaseException:
            traceback.print_exc()
            status = 1
    print(json.dumps([status, printed.getvalue()]), flush=True)
"""


class Interpreter:
    """A process that executes programs, one after the other."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOP],
            cwd=directory,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, program: str, environ: Mapping[str, str]) -> tuple[int, str]:
        """The exit status that it would have had, and what it has printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([program, dict(environ)]) + "\n")
        self._process.stdin.flush()
        status, printed = json.loads(self._process.stdout.readline())
        return status, printed
