"""`s3gateway config` prints the configuration in effect as YAML, without secrets."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.options import config_options, load_or_fail


@click.command(short_help="Print the configuration in effect.")
@config_options
@click.option("--origin", is_flag=True, help="Say after each value where it was given.")
def config(origin: bool, **values: Any) -> None:
    """Print the configuration in effect as YAML: every default filled in, secrets redacted."""
    loaded = load_or_fail(values)
    from gateway.config.effective import effective, render

    assert loaded.model is not None  # load_or_fail ends otherwise
    click.echo(render(effective(loaded.model), loaded.tree if origin else None), nl=False)
