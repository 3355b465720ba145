"""The command group: imports the subcommand that was named, or `serve` without one.

Rules: this module and the modules of the commands import click and the standard library only; the
exit statuses are those of the help text, in every command.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from gateway import __version__
from gateway.cli.streams import open_standard_streams, without_tracebacks

# Each name is a module here, with a command of that name.
COMMANDS = (
    "serve",
    "check",
    "config",
    "explain",
    "reload",
    "drain",
    "status",
    "health",
    "disable",
    "enable",
    "probe",
    "repair",
    "demo",
    "version",
)

EPILOG = """\b
Exit codes:
  0  fine
  1  failed: the configuration has errors, no gateway answers, a demo step failed, a target cannot
     be probed, an upload is left
  2  wrong usage
  3  the gateway could not start: configuration, address in use, workers
  4  stopped, but the drain deadline cut connections
  5  check --connect: a target cannot be reached, or refuses its credentials

\b
Order of settings: flags, then S3GATEWAY_* variables, then the file, then LAKEFS_* and AWS_*.
"""


class Commands(click.Group):
    """Imports a subcommand when it is used; flags without a subcommand belong to `serve`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the command line: the console script and `python -m gateway.cli` call this."""
        open_standard_streams()
        with without_tracebacks():
            return super().__call__(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"gateway.cli.{cmd_name}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h", "--version"}
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


@click.command(
    cls=Commands,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="s3gateway", message="%(prog)s %(version)s")
def main() -> None:
    """One S3 endpoint in front of AWS S3, lakeFS and any other S3-compatible store.

    Without a command it serves: `s3gateway --config F` is `s3gateway serve --config F`.
    """


if __name__ == "__main__":
    main()
