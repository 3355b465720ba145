"""`s3gateway enable` has a running gateway send requests to a target again.

Rules: as of `disable`.
"""

from __future__ import annotations

import click

from gateway.cli.options import asked, pid_option, target_argument


@click.command(short_help="Send a disabled target requests again.")
@pid_option
@target_argument
def enable(target: str, pid: int | None) -> None:
    """Have the running gateway send requests to TARGET again."""
    answer = asked({"command": "enable", "target": target}, pid)
    click.echo(f"target {target} is {'' if answer['changed'] else 'already '}enabled")
