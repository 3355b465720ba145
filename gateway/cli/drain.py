"""`s3gateway drain` has a running gateway finish its requests and end, as SIGTERM does.

Rules: it does not wait for the end; exit status 1 if no gateway answers.
"""

from __future__ import annotations

import click

from gateway.cli.options import asked, pid_option


@click.command(short_help="Have a running gateway finish and end.")
@pid_option
def drain(pid: int | None) -> None:
    """Have the running gateway answer what was asked, take no new connection, and end.

    What still runs at its deadline (--drain-timeout) is cut. It is what SIGTERM does.
    """
    asked({"command": "drain"}, pid)
    click.echo("the gateway drains: it answers what was asked, then it ends")
