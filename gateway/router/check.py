"""Has a router imported in a process of its own, which ends by a deadline, and says how it went.

Rules: the operator's code never runs in the process that asks; nothing of it is left afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.router.command import command, environment
from gateway.router.confinement import EXIT_MEMORY
from gateway.router.definition import Definition

# The largest libraries take a few seconds to import from a cold disk.
CHECK_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class Checked:
    """How an import went: with a `stamp`, or a `fault` and a `remedy`."""

    stamp: str = ""
    fault: str = ""
    remedy: str = ""


def check(
    definition: Definition, environ: Mapping[str, str], seconds: int = CHECK_SECONDS
) -> Checked:
    """Imports the class and makes a router, in a process with what it may have of `environ`."""
    try:
        process = subprocess.Popen(
            command("check", str(seconds)),
            env=environment(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return Checked(fault=f"no process can be started: {error.strerror}", remedy="try again")
    with process:
        try:
            said, _ = process.communicate(definition.encoded(), timeout=seconds)
        except subprocess.TimeoutExpired:
            said = b""
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return _read(said, process.returncode, definition, seconds)


def _read(said: bytes, status: int, definition: Definition, seconds: int) -> Checked:
    if status == EXIT_MEMORY:
        fault = f"its import needs more than {definition.memory_mb} MiB of memory"
        return Checked(fault=fault, remedy="raise routing.custom_memory_mb")
    try:
        return Checked(**json.loads(said))
    except (ValueError, TypeError):
        pass
    if status in (-signal.SIGALRM, -signal.SIGKILL):
        fault = f"its import did not end within {seconds} seconds"
        return Checked(fault=fault, remedy="do slow work later, not at import or in __init__")
    return Checked(
        fault=f"its import ended the process (status {status})",
        remedy="the module or __init__ must return",
    )
