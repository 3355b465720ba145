"""`s3gateway reload` has a running gateway read its configuration again, and waits for its workers.

Rules: control reads and compares, with the settings that it was started with; located problems go
to stderr; exit status 1 if the configuration in force is unchanged, or if nothing is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from gateway.cli.options import answered, fail, pid_option


@click.command(short_help="Read the configuration again; wait for the workers.")
@pid_option
@click.option("--dry-run", is_flag=True, help="Only say what a reload would change.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reload(pid: int | None, dry_run: bool, as_json: bool) -> None:
    """Have the running gateway read its configuration again, as SIGHUP does, and wait until every
    worker serves it.

    With --dry-run nothing changes: it prints whose requests would go elsewhere, and which settings
    only a restart puts in force.
    """
    from gateway.status.address import RELOAD_SECONDS

    answer = answered({"command": "reload", "dry_run": dry_run}, pid, RELOAD_SECONDS)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        if not answer.get("ok"):
            fail()
        return
    _warn(answer)
    if not answer.get("ok"):
        remedy = answer.get("remedy")
        why = f"{answer.get('error')}" + (f" ({remedy})" if remedy else "")
        click.echo(f"s3gateway: {why}", err=True)
        fail()
    if dry_run:
        _print_difference(answer)
    else:
        _print_outcome(answer)


def _warn(answer: Mapping[str, Any]) -> None:
    """Prints the located lines about the configuration."""
    located = "configuration_warnings" if answer.get("dry_run") else "warnings"
    for line in (*answer.get("problems", ()), *answer.get(located, ())):
        click.echo(line, err=True)


def _print_outcome(answer: Mapping[str, Any]) -> None:
    from gateway.status.address import DIGEST_SHOWN

    workers = [str(worker) for worker in answer["acknowledged"]]
    noun = "worker" if len(workers) == 1 else "workers"
    # One that a later reload has overtaken: what workers serve now is at least as new.
    said = f"is served by {noun} {', '.join(workers)}" if workers else "is followed by a later one"
    took = f"(digest {answer['digest'][:DIGEST_SHOWN]}, {answer['seconds']:.2f} s)"
    click.echo(f"generation {answer['generation']} {said} {took}")
    if answer["needs_restart"]:
        click.echo(_needs_restart(answer), err=True)


def _print_difference(answer: Mapping[str, Any]) -> None:
    if "table" not in answer:
        click.echo("warning: what is in force cannot be read any more, so nothing is compared")
    elif not answer["table"]:
        click.echo("no bucket's requests move")
    for row in answer.get("table", ()):
        click.echo(row)
    for text in answer.get("warnings", ()):
        click.echo(f"warning: {text}")
    for text in answer.get("notes", ()):
        click.echo(f"note: {text}")
    if answer["needs_restart"]:
        click.echo(_needs_restart(answer))


def _needs_restart(answer: Mapping[str, Any]) -> str:
    return f"warning: {', '.join(answer['needs_restart'])}: a change needs a restart"
