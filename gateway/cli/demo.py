"""`s3gateway demo` starts two S3 servers and a gateway, runs examples, and shows where objects are.

Rules: the libraries of the demo are an extra; without them the command says what to install.
"""

from __future__ import annotations

import importlib

import click

from gateway.cli.options import fail


@click.command(short_help="Show it working with two real S3 servers.")
@click.option(
    "--once/--no-once", default=False, help="Stop after the comparison instead of serving on."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="The gateway's port on loopback; 0 (default) takes a free one.",
)
def demo(once: bool, port: int) -> None:
    """Start two S3 servers and the gateway on loopback, write to both, and move a bucket.

    Everything lives in a temporary directory and is gone afterwards.
    """
    try:
        module = importlib.import_module("gateway.demo")
    except ModuleNotFoundError as error:
        click.echo(f"the demo needs {error.name}: pip install 's3gateway[demo]'", err=True)
        fail()
    raise SystemExit(module.run(once=once, port=port))
