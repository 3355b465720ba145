"""`s3gateway status` prints what a running gateway serves: configuration, workers, targets.

Rules: it is asked of the control process, and costs the workers nothing; exit status 1 if no
gateway answers, or several run and none is chosen; a watch ends at Ctrl-C, with 0.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import asked, pid_option

if TYPE_CHECKING:
    from gateway.status.live import Look


@click.command(short_help="Print what a running gateway serves.")
@pid_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch a line each time.")
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1, max=3600.0),
    default=1.0,
    show_default=True,
    help="Between two looks with --watch.",
)
def status(pid: int | None, as_json: bool, watch: bool, interval: float) -> None:
    """Print the configuration in force and its digest, the workers, and the state of each target.

    Gateways whose digests are equal decide alike: `s3gateway check` prints the digest of a file.
    With --watch a terminal shows it live, with rates; elsewhere it is printed at each look.
    """
    found = asked({"command": "status"}, pid)
    if watch:
        _watch(found, interval, as_json=as_json)
    else:
        _print(found, indent=2 if as_json else None, as_json=as_json)


def _print(found: dict[str, Any], *, indent: int | None, as_json: bool) -> None:
    if as_json:
        del found["ok"]
        click.echo(json.dumps(found, indent=indent))
        return
    from gateway.status.shown import lines

    for line in lines(found, time.time()):
        click.echo(line)


def _watch(found: dict[str, Any], interval: float, *, as_json: bool) -> None:
    """Shows the status until Ctrl-C or SIGTERM; `found` is the first answer."""
    import signal

    from rich.console import Console

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it leaves the terminal as it was
    console = Console()
    try:
        if as_json or not console.is_terminal or console.is_dumb_terminal:
            _watch_lines(found, interval, as_json=as_json)
        else:
            _watch_live(found, interval, console)
    except KeyboardInterrupt:
        return


def _watch_lines(found: dict[str, Any], interval: float, *, as_json: bool) -> None:
    pid = found["supervisor"]
    while True:
        if found:
            _print(found, indent=None, as_json=as_json)
        time.sleep(interval)
        found, fault = _again(pid)
        if fault:
            click.echo(f"s3gateway: {fault}", err=True)
        elif not as_json:
            click.echo()


def _watch_live(found: dict[str, Any], interval: float, console: Any) -> None:
    from rich.live import Live

    from gateway.status.live import Look, view

    before: Look | None = None
    now, fault = Look(time.time(), found), ""
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(view(before, now, fault), refresh=True)
            time.sleep(interval)
            answer, fault = _again(found["supervisor"])
            if answer:
                before, now = now, Look(time.time(), answer)


def _again(pid: int) -> tuple[dict[str, Any], str]:
    """Returns the answer, empty if there is none, and why."""
    from gateway.status.ask import Refused, Unanswered, ask

    try:
        return ask({"command": "status"}, pid), ""
    except (Refused, Unanswered) as error:
        return {}, str(error)
