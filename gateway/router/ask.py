"""Asks a custom router one question, in a process of its own that ends afterwards.

Rules: the operator's code never runs in the process that asks; the time is that of the call alone,
without the import.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.router.check import CHECK_SECONDS
from gateway.router.command import command, environment
from gateway.router.definition import Definition


@dataclass(frozen=True, slots=True)
class Said:
    """What the router returned, or the `reason` why nothing; `milliseconds` that it took."""

    value: object = None
    reason: str = ""
    milliseconds: float = 0.0


def ask(
    definition: Definition,
    arguments: list[object],
    environ: Mapping[str, str],
    seconds: int = CHECK_SECONDS,
) -> Said:
    """Asks; `arguments` are those of `route_request`, as plain JSON."""
    process = subprocess.Popen(
        command("ask", str(seconds)),
        env=environment(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with process:
        try:
            question = json.dumps(arguments).encode()
            said, _ = process.communicate(definition.encoded() + b"\n" + question, timeout=seconds)
        except subprocess.TimeoutExpired:
            said = b""
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    try:
        found = json.loads(said)
    except ValueError:
        return Said(reason=f"it did not answer within {seconds} seconds, or ended its process")
    if "fault" in found:
        return Said(reason=found["fault"])
    return Said(**found)
