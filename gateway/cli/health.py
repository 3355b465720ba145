"""`s3gateway health` says whether the gateway of this machine or container is ready: for probes.

Rules: one line; exit status 0 if every address is ready, else 1; workers are asked, and neither
control nor a configuration, so that nothing slow is imported.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.options import fail, pid_option

if TYPE_CHECKING:
    from gateway.status.ready import Readiness

# A control process that is replaced has no address for a moment, by which the gateway is found.
_FIND_SECONDS: Final = 1.0
_FIND_AGAIN_SECONDS: Final = 0.05


@click.command(short_help="Say whether the gateway is ready (a probe).")
@pid_option
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1, max=600.0),
    default=5.0,
    show_default=True,
    help="How long the answers may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def health(pid: int | None, timeout: float, as_json: bool) -> None:
    """Ask the workers of the gateway that runs here whether they are ready: /-/readyz at every
    address that it listens on.

    Exits 0 if all are, else 1. As a container's probe: HEALTHCHECK CMD s3gateway health
    """
    fault, found = _found(pid, timeout)
    ready = bool(found) and all(one.ready for one in found)
    if as_json:
        addresses = [_as_dict(one) for one in found]
        click.echo(json.dumps({"ready": ready, "error": fault or None, "addresses": addresses}))
    elif ready:
        click.echo(f"ready: {', '.join(str(one.listening) for one in found)}")
    else:
        reasons = [f"{one.listening}: {one.reason}" for one in found if not one.ready]
        click.echo(f"not ready: {'; '.join(reasons) or fault}")
    if not ready:
        fail()


def _as_dict(one: Readiness) -> dict[str, Any]:
    return {"address": str(one.listening), "ready": one.ready, "reason": one.reason or None}


def _found(pid: int | None, seconds: float) -> tuple[str, list[Readiness]]:
    """Returns what workers answer; the first is why there is no answer."""
    from gateway.status.ask import Unanswered
    from gateway.status.ready import listening, readiness

    try:
        addresses = listening(_supervisor(pid, min(seconds, _FIND_SECONDS)))
    except Unanswered as error:
        return str(error), []
    except OSError as error:
        hint = "run this as root, or as its user" if isinstance(error, PermissionError) else ""
        why = f"its sockets cannot be looked at: {error.strerror}"
        return why + (f" ({hint})" if hint else ""), []
    if not addresses:
        return "it does not listen: it is starting, or drains", []
    found = readiness(addresses, seconds)
    return ("" if found else "no worker answers"), found


def _supervisor(pid: int | None, seconds: float) -> int:
    """Returns the supervisor of the gateway; waits for a new control. Raises Unanswered."""
    from gateway.status.ask import NotRunning, supervisor

    if pid is not None:
        return pid
    until = time.monotonic() + seconds
    while True:
        try:
            return supervisor(None)
        except NotRunning:
            if time.monotonic() > until:
                raise
            time.sleep(_FIND_AGAIN_SECONDS)
