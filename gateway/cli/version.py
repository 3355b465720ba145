"""`s3gateway version` prints the versions of the gateway and of Python."""

from __future__ import annotations

import platform

import click

from gateway import __version__


@click.command(short_help="Print the version.")
def version() -> None:
    """Print the version of the gateway and of Python."""
    click.echo(f"s3gateway {__version__} (Python {platform.python_version()})")
