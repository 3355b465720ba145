"""`s3gateway doctor` looks for what is wrong between a configuration and its targets.

Rules: findings are data, so they go to stdout; it writes only where --write says; exit status 1 if
a finding is an error.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.options import config_options, fail, load

if TYPE_CHECKING:
    from gateway.config import Loaded
    from gateway.doctor.findings import Finding
    from gateway.doctor.scratch import Place

_COLOURS: Final = {"ok": "green", "warning": "yellow", "error": "red", "skipped": "bright_black"}
_WIDTH: Final = max(map(len, _COLOURS))


@click.command(short_help="Find out what is wrong, and what helps.")
@config_options
@click.option(
    "--write",
    "writes",
    metavar="TARGET/BUCKET[/PREFIX]",
    multiple=True,
    help="Also write, read, list and delete an object there (lakeFS: lakefs/REPO/BRANCH/).",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1, max=600.0),
    default=10.0,
    show_default=True,
    help="How long a target may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(writes: tuple[str, ...], timeout: float, as_json: bool, **values: Any) -> None:
    """Look at the configuration, the environment, this machine, and each target: DNS, TCP, TLS,
    clock, latency, profile, and what its credentials may do. Each finding says what helps.

    Nothing is written but with --write, and that is deleted again. Exits 1 if there is an error.
    """
    from gateway.doctor.run import diagnose

    loaded = load(values)
    places = _places(writes, loaded)
    counts: Counter[str] = Counter()
    found = []
    for finding in diagnose(loaded, os.environ, timeout, places):
        counts[finding.level.value] += 1
        found.append(finding.as_dict())
        if not as_json:
            _print(finding)
    if as_json:
        click.echo(json.dumps({"ok": not counts["error"], "findings": found}, indent=2))
    summary = ", ".join(f"{counts[level]} {level}" for level in _COLOURS if counts[level])
    click.echo(f"doctor: {summary}", err=True)
    if counts["error"]:
        fail()


def _places(words: tuple[str, ...], loaded: Loaded) -> list[Place]:
    from gateway.config.problems import suggest
    from gateway.doctor.scratch import Place

    found = []
    for word in words:
        place = Place.parse(word)
        if place is None:
            message = f"{word!r} is not TARGET/BUCKET[/PREFIX]"
            raise click.BadParameter(message, param_hint="--write")
        if loaded.model is not None and place.target not in loaded.model.targets:
            hint = suggest(place.target, loaded.model.targets)
            message = f"{place.target!r} is no target that requests reach ({hint})"
            raise click.BadParameter(message, param_hint="--write")
        found.append(place)
    return found


def _print(finding: Finding) -> None:
    level = finding.level.value
    about = " ".join(filter(None, (finding.subject, finding.step)))
    place = ""
    if finding.problem is not None:
        source, line, column = finding.problem.place
        place = f"{source}:{line}:{column}: {finding.problem.path}: "
    shown = click.style(level.ljust(_WIDTH), fg=_COLOURS[level])
    colour = False if os.environ.get("NO_COLOR") else None  # None: on a terminal
    click.echo(f"{shown}  {about}: {place}{finding.message}", color=colour)
    if finding.remedy:
        click.echo(f"{' ' * _WIDTH}  -> {finding.remedy}")
