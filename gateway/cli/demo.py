"""`s3gateway demo`: two real S3 servers, a gateway, an example, a table of what landed.

Rules: only the options; the demo's libraries are an extra, so their absence is said, not traced.

Not here: the demo (`gateway.demo`).
"""

from __future__ import annotations

import importlib

import click

from gateway.cli.options import fail


@click.command(short_help="Show it working with two real S3 servers.")
@click.option("--once/--no-once", default=False, help="Stop after the table instead of serving on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="The gateway's port on loopback; 0 (default) takes a free one.",
)
def demo(once: bool, port: int) -> None:
    """Start two S3 servers and the gateway on loopback, and run the first example through it.

    Everything lives in a temporary directory and is gone afterwards.
    """
    try:
        module = importlib.import_module("gateway.demo")
    except ModuleNotFoundError as error:
        click.echo(f"the demo needs {error.name}: pip install 's3gateway[demo]'", err=True)
        fail()
    raise SystemExit(module.run(once=once, port=port))
