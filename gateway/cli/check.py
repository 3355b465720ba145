"""`s3gateway check` prints every problem of a configuration, without starting anything.

Rules: without --connect it sends nothing to the network and resolves no credentials; problems are
data, so they go to stdout; exit status 1 if there is an error (with --strict also for a warning), 5
if only a target fails.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import (
    EXIT_TARGET,
    config_options,
    fail,
    load,
    load_or_fail,
    print_problems,
)

if TYPE_CHECKING:
    from gateway.config import Loaded
    from gateway.config.problems import Problem
    from gateway.connect import Report
    from gateway.explain.difference import Difference


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
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as --format json does.")
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
@click.option("--connect", is_flag=True, help="Ask every target, with its credentials.")
@click.option(
    "--against",
    "older",
    metavar="OLD",
    type=click.Path(exists=True, dir_okay=False),
    help="Say whose requests move from the configuration OLD to this one.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1, max=600.0),
    default=10.0,
    show_default=True,
    help="How long a target may take with --connect.",
)
def check(strict: bool, connect: bool, older: str | None, timeout: float, **values: Any) -> None:
    """Print every problem as file:line:column: path: message (suggestion).

    With --against, also whose requests go elsewhere than by the configuration OLD, and what is lost
    of sight by that; nobody is asked.

    Exits 1 if there is an error, 5 if there is none but --connect found that a target cannot be
    reached or refuses its credentials, 0 otherwise.
    """
    as_json = values.pop("as_json") | (values.pop("form") == "json")
    loaded = load(values)
    difference = _difference(loaded, load_or_fail({**values, "config": older})) if older else None
    reports = _connect(loaded, timeout) if connect and loaded.model is not None else []
    own = loaded.problems + loaded.notes
    asked = [problem for report in reports for problem in report.problems]
    problems = sorted(own + asked, key=lambda problem: problem.place)
    errors = [problem for problem in problems if problem.severity == "error"]
    warned = any(problem.severity == "warning" and not problem.tolerated for problem in problems)
    moved = difference is not None and difference.warnings
    strictly = strict and bool(warned or moved)
    if as_json:
        report = {"ok": not (errors or strictly), "problems": [one.as_dict() for one in problems]}
        if connect:
            report["targets"] = [one.as_dict() for one in reports]
        if difference is not None:
            report |= difference.as_dict()
        click.echo(json.dumps({**report, "digest": _digest(loaded)}, indent=2))
    else:
        _print(loaded, values["config"], problems, reports, difference)
        if connect and loaded.model is None:
            click.echo("no target was asked: mend the configuration first", err=True)
    if any(report.state == "failed" for report in reports):
        raise SystemExit(EXIT_TARGET)
    if errors or strictly:
        fail()


def _print(
    loaded: Loaded,
    file: str | None,
    problems: list[Problem],
    reports: list[Report],
    difference: Difference | None,
) -> None:
    from gateway.status.address import DIGEST_SHOWN

    print_problems(problems, to_stderr=False)
    for one in reports:
        click.echo(_line(one), err=True)
    if difference is not None:
        _print_difference(difference)
    counts = Counter(problem.severity.value for problem in problems)
    digest = _digest(loaded)
    named = f" (digest {digest[:DIGEST_SHOWN]})" if digest else ""
    summary = _summary(counts["error"], counts["warning"])
    click.echo(f"{file or 'the environment'}: {summary}{named}", err=True)


def _print_difference(difference: Difference) -> None:
    from gateway.explain.shown_moves import table

    for line in table(difference.moves):
        click.echo(line)
    if not difference.moves:
        click.echo("no bucket's requests move")
    for text in difference.warnings:
        click.echo(f"warning: {text}")
    for text in difference.notes:
        click.echo(f"note: {text}")


def _difference(loaded: Loaded, older: Loaded) -> Difference | None:
    """Compares two configurations; None if the new one has errors, which are told."""
    from gateway.explain.difference import difference

    if loaded.model is None or older.model is None:
        return None
    return difference(older.model, loaded.model)


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
