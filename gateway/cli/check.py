"""`s3gateway check`: every problem of a configuration, without starting anything.

Rules: asks nobody on the network and resolves no credentials; problems are data, so they go to
stdout; exit 1 if there is an error (with --strict also for a warning).

Not here: finding the problems (`gateway.config`).
"""

from __future__ import annotations

import json
from typing import Any

import click

from gateway.cli.options import config_options, fail, load, print_problems


@click.command(short_help="Print every problem of a configuration.")
@config_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the answer.",
)
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
def check(form: str, strict: bool, **values: Any) -> None:
    """Print every problem as file:line:column: path: message (suggestion).

    Exits 1 if there is an error, 0 otherwise.
    """
    loaded = load(values)
    problems = sorted(loaded.problems + loaded.notes, key=lambda problem: problem.place)
    errors = [problem for problem in problems if problem.severity == "error"]
    warnings = [problem for problem in problems if problem.severity == "warning"]
    refused = bool(errors) or (strict and any(not warning.tolerated for warning in warnings))
    if form == "json":
        report = {"ok": not refused, "problems": [problem.as_dict() for problem in problems]}
        click.echo(json.dumps(report, indent=2))
    else:
        print_problems(problems, to_stderr=False)
        what = values["config"] or "the environment"
        click.echo(f"{what}: {_summary(len(errors), len(warnings))}", err=True)
    if refused:
        fail()


def _summary(errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return "ok"
    counts = [(errors, "error"), (warnings, "warning")]
    return ", ".join(
        f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count
    )
