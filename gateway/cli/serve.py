"""`s3gateway serve` reads its options and executes the supervisor in the same process.

Rules: flags and S3GATEWAY_ variables are passed as one JSON argument, so that the supervisor needs
no command-line parser; nothing is read from the configuration here.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.options import Switch, config_options, launch_settings
from gateway.supervisor import environment


def _workers(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None or value == "auto" or (value.isascii() and value.isdigit() and int(value)):
        return value
    raise click.BadParameter(f"{value!r} is neither auto nor a positive number")


@click.command(short_help="Serve (the default without a command).")
@config_options
@click.option(
    "--workers",
    metavar="N|auto",
    callback=_workers,
    envvar="S3GATEWAY_WORKERS",
    help="Worker processes; auto (default) is one per processor, or the container's CPU limit.",
)
@click.option(
    "--access-log",
    metavar="PATH|-|off",
    envvar="S3GATEWAY_ACCESS_LOG",
    help="Where access-log lines go; - is stdout (default).",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    envvar="S3GATEWAY_LOG_FORMAT",
    help="Form of the log lines (default text).",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    envvar="S3GATEWAY_LOG_LEVEL",
    help="Least level that is logged (default info).",
)
@click.option(
    "--pidfile",
    metavar="PATH",
    envvar="S3GATEWAY_PIDFILE",
    help="Write the supervisor's process id here.",
)
@click.option(
    "--drain-timeout",
    "drain_seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0.0, max=86400.0),
    envvar="S3GATEWAY_DRAIN_TIMEOUT",
    help="How long running requests may finish after SIGTERM (default 30).",
)
@click.option(
    "--beside",
    is_flag=True,
    type=Switch(),
    envvar="S3GATEWAY_BESIDE",
    help="Share the addresses with the gateway that this one is to replace (same user).",
)
def serve(**values: Any) -> None:
    """Serve until SIGTERM.

    SIGTERM and SIGINT drain, a second SIGINT stops now, SIGHUP reads the configuration again.
    """
    arguments = [sys.executable, "-P", "-m", "gateway.supervisor"]
    settings = json.dumps(launch_settings(values))
    _keep_importable()
    _keep_freed_memory()
    sys.stdout.flush()
    sys.stderr.flush()
    # A supervisor with variables that it does not need would start itself once more without them.
    environ = environment.split() or os.environ
    os.execve(sys.executable, [*arguments, settings], environ)


def _keep_freed_memory() -> None:
    """Keeps glibc from returning memory to the kernel: pieces of bodies are freed once sent.

    If up to 8 MiB are kept, they need not be mapped and zeroed again: a fifth of the CPU time of a
    chunk-signed upload (bench: PUT 8 MiB chunks). The operator's own settings stay.
    """
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        os.environ.setdefault(name, str(8 << 20))


def _keep_importable() -> None:
    """Makes the new interpreter find this package; `-P` keeps the working directory out."""
    root = str(Path(__file__).resolve().parents[2])
    present = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if "site-packages" not in root and root not in present:
        os.environ["PYTHONPATH"] = os.pathsep.join([root, *filter(None, present)])
