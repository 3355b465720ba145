"""`s3gateway check` prints every problem of a configuration, without starting anything.

Rules: without --connect it sends nothing to the network and resolves no credentials; problems are
data, so they go to stdout; exit status 1 if there is an error (with --strict also for a warning), 5
if only a target fails.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import EXIT_TARGET, config_options, fail, load, print_problems

if TYPE_CHECKING:
    from gateway.config import Loaded
    from gateway.connect import Report


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
@click.option("--connect", is_flag=True, help="Ask every target, with its credentials.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1, max=600.0),
    default=10.0,
    show_default=True,
    help="How long a target may take with --connect.",
)
def check(form: str, strict: bool, connect: bool, timeout: float, **values: Any) -> None:
    """Print every problem as file:line:column: path: message (suggestion).

    Exits 1 if there is an error, 5 if there is none but --connect found that a target cannot be
    reached or refuses its credentials, 0 otherwise.
    """
    loaded = load(values)
    digest = _digest(loaded)
    reports = _connect(loaded, timeout) if connect and loaded.model is not None else []
    own = loaded.problems + loaded.notes
    asked = [problem for report in reports for problem in report.problems]
    problems = sorted(own + asked, key=lambda problem: problem.place)
    errors = [problem for problem in problems if problem.severity == "error"]
    warnings = [problem for problem in problems if problem.severity == "warning"]
    failed = any(report.state == "failed" for report in reports)
    strictly = strict and any(not warning.tolerated for warning in warnings)
    if form == "json":
        ok = not (errors or strictly)
        report = {"ok": ok, "problems": [problem.as_dict() for problem in problems]}
        if connect:
            report["targets"] = [one.as_dict() for one in reports]
        report["digest"] = digest
        click.echo(json.dumps(report, indent=2))
    else:
        print_problems(problems, to_stderr=False)
        for one in reports:
            click.echo(_line(one), err=True)
        what = values["config"] or "the environment"
        from gateway.config.digest import SHOWN

        named = f" (digest {digest[:SHOWN]})" if digest else ""
        click.echo(f"{what}: {_summary(len(errors), len(warnings))}{named}", err=True)
        if connect and loaded.model is None:
            click.echo("no target was asked: mend the configuration first", err=True)
    if failed:
        raise SystemExit(EXIT_TARGET)
    if errors or strictly:
        fail()


def _digest(loaded: Loaded) -> str | None:
    """Returns the digest that gateways with this configuration have; None if it has errors."""
    if loaded.model is None:
        return None
    from gateway.config.digest import digest

    return digest(loaded.model)


def _connect(loaded: Loaded, seconds: float) -> list[Report]:
    from gateway.connect import connect

    return connect(loaded, seconds)


def _line(report: Report) -> str:
    facts = [report.state, *report.said]
    where = f" ({report.endpoint})" if report.endpoint else ""
    return f"target {report.target}{where}: {'; '.join(facts)}"


def _summary(errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return "ok"
    counts = [(errors, "error"), (warnings, "warning")]
    return ", ".join(
        f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count
    )
