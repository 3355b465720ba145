"""`s3gateway status` prints what a running gateway serves: configuration, workers, targets.

Rules: it is asked of the control process, and costs the workers nothing; exit status 1 if no
gateway answers, or several run and none is chosen.
"""

from __future__ import annotations

import json
import time

import click

from gateway.cli.options import asked, pid_option


@click.command(short_help="Print what a running gateway serves.")
@pid_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(pid: int | None, as_json: bool) -> None:
    """Print the configuration in force and its digest, the workers, and the state of each target.

    Gateways whose digests are equal decide alike: `s3gateway check` prints the digest of a file.
    """
    from gateway.status.shown import lines

    found = asked({"command": "status"}, pid)
    if as_json:
        del found["ok"]
        click.echo(json.dumps(found, indent=2))
        return
    for line in lines(found, time.time()):
        click.echo(line)
