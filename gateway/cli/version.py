"""`s3gateway version` prints the versions of the gateway and of Python."""

from __future__ import annotations

import json
import platform

import click

from gateway import __version__

# Those that decide how requests are served: what a report of a defect should name.
_LIBRARIES = ("httptools", "uvloop", "awscrt", "botocore", "pydantic", "PyYAML", "uvicorn")


@click.command(short_help="Print the version.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with those of libraries.")
def version(as_json: bool) -> None:
    """Print the version of the gateway and of Python."""
    if not as_json:
        click.echo(f"s3gateway {__version__} (Python {platform.python_version()})")
        return
    found = {
        "version": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "libraries": {name: _version_of(name) for name in _LIBRARIES},
    }
    click.echo(json.dumps(found, indent=2))


def _version_of(library: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
