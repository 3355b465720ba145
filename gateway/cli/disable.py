"""`s3gateway disable` has a running gateway send no request to a target.

Rules: control does it, and logs it; nothing of the configuration changes; exit status 1 if no
gateway answers, or the target is not known.
"""

from __future__ import annotations

import click

from gateway.cli.options import asked, pid_option, target_argument


@click.command(short_help="Send a target no requests.")
@pid_option
@target_argument
def disable(target: str, pid: int | None) -> None:
    """Have the running gateway refuse the requests of TARGET with 503, at once.

    Chains pass the target as one that cannot be reached. What is under way goes on. It holds over
    reloads, until `s3gateway enable` or a restart of the gateway.
    """
    answer = asked({"command": "disable", "target": target}, pid)
    already = "" if answer["changed"] else "already "
    click.echo(
        f"target {target} is {already}disabled, until s3gateway enable {target} or a restart"
    )
    if not answer["enabled_targets"]:
        click.echo("warning: no target is enabled: every request is refused with 503", err=True)
