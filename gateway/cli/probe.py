"""`s3gateway probe` finds out what a live target can do, and prints it as `profile_overrides`.

Rules: the configuration goes to stdout, how it was found out to stderr; requests go to the named
target only, and to the source of its credentials if they are not static; exit status 1 if the
target could not be probed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_options, fail, load, print_problems

if TYPE_CHECKING:
    from fastpath.routing.snapshot import Target
    from gateway.probe.findings import Findings


@click.command(short_help="Find out what a live target can do.")
@config_options
@click.option("--bucket", required=True, help="The bucket to try things in.")
@click.option("--prefix", default="", help="What the probe's keys begin with (lakeFS: main/).")
@click.option("--create", is_flag=True, help="Buckets may be created, this one too; they go again.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="Form of the answer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as --format json does.")
@click.argument("target")
def probe(target: str, bucket: str, prefix: str, create: bool, **values: Any) -> None:
    """Try a target with its configured credentials and print its profile for the configuration.

    Only objects and buckets of random names that it made itself are written and deleted, and all
    of them are removed at the end.
    """
    from gateway.probe.findings import Findings
    from gateway.probe.run import probe as run
    from gateway.probe.store import ProbeError, Store

    as_json = values.pop("as_json") | (values.pop("form") == "json")
    found = _target(target, values)
    findings = Findings(say=lambda line: click.echo(line, err=True))
    try:
        run(Store(found, bucket, prefix), findings, create=create)
    except ProbeError as error:
        click.echo(f"target {target}: {error}", err=True)
        fail()
    click.echo(_answer(target, findings, as_json=as_json), nl=False)


def _target(name: str, values: dict[str, Any]) -> Target:
    """Returns the target as a worker would have it, even if no rule leads there."""
    loaded = load({**values, "probed": name})
    if loaded.model is None:
        print_problems(loaded.problems, to_stderr=True)
        fail()
    from fastpath.routing.snapshot import load_snapshot
    from gateway.config.compile import compile_snapshot
    from gateway.control.credentials import Keyring

    model = loaded.model
    if name not in model.targets:
        configured = loaded.tree.get(("targets",))
        known = ", ".join(sorted(configured if isinstance(configured, dict) else ())) or "none"
        raise click.BadParameter(f"{name!r} is no target. Known: {known}", param_hint="TARGET")
    keyring = Keyring(model)
    document = {"instance": "", **compile_snapshot(model, keyring.resolve())}
    for warning in keyring.warnings:
        click.echo(warning, err=True)
    return load_snapshot(0, document).targets[name]


def _answer(target: str, findings: Findings, *, as_json: bool) -> str:
    from gateway.config.effective import render, written

    profile, overrides = findings.nearest()
    settings = {"profile": profile.name, "profile_overrides": written(overrides)}
    if as_json:
        return json.dumps({"target": target, **settings}, indent=2) + "\n"
    if not overrides:
        del settings["profile_overrides"]
    return render({"targets": {target: settings}})
