"""The command that starts a router process, and its environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from gateway.supervisor.environment import for_router


def command(*arguments: str) -> list[str]:
    """Returns the command; `-P` keeps the working directory out of the path."""
    return [sys.executable, "-P", "-m", "gateway.router", *arguments]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables, from all that there are; the interpreter finds this package."""
    kept = for_router(environ)
    root = str(Path(__file__).resolve().parents[2])
    kept["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [kept.get("PYTHONPATH", "")])])
    return kept
