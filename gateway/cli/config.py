"""`s3gateway config` prints the configuration in effect as YAML or JSON, without secrets."""

from __future__ import annotations

import json
from typing import Any

import click

from gateway.cli.options import config_options, load_or_fail


@click.command(short_help="Print the configuration in effect.")
@config_options
@click.option("--origin", is_flag=True, help="Say after each value where it was given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the origin of each value.")
def config(origin: bool, as_json: bool, **values: Any) -> None:
    """Print the configuration in effect as YAML: every default filled in, secrets redacted.

    The origin of a value is FILE:LINE, $VARIABLE, --flag, built-in or default.
    """
    loaded = load_or_fail(values)
    from gateway.config.digest import digest
    from gateway.config.effective import effective, origins, render

    model = loaded.model
    assert model is not None  # load_or_fail ends otherwise
    document = effective(model)
    if as_json:
        found = {"configuration": document, "origins": origins(document, loaded.tree)}
        click.echo(json.dumps({**found, "digest": digest(model)}, indent=2))
    else:
        click.echo(render(document, loaded.tree if origin else None), nl=False)
