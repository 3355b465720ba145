"""The command group: imports the subcommand that was named, or `serve` without one.

Rules: this module and the modules of the commands import click and the standard library only; the
exit statuses are those of the help text, in every command.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from gateway import __version__
from gateway.cli.streams import open_standard_streams, without_tracebacks

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Each name is a module here, with a command of that name.
COMMANDS = (
    "serve",
    "check",
    "config",
    "explain",
    "doctor",
    "reload",
    "drain",
    "status",
    "health",
    "disable",
    "enable",
    "probe",
    "repair",
    "demo",
    "completion",
    "version",
)

# What other tools call it -> what it is called here.
_CALLED_ELSEWHERE = {
    "diagnose": "doctor",
    "healthcheck": "health",
    "lint": "check",
    "route": "explain",
    "run": "serve",
    "shutdown": "drain",
    "start": "serve",
    "stop": "drain",
    "test": "check",
    "top": "status --watch",
    "validate": "check",
    "why": "explain",
}

EPILOG = """\b
Exit codes:
  0  fine
  1  failed: the configuration has errors, no gateway answers, a reload is refused, the gateway is
     not ready, doctor found an error, a target cannot be probed, an upload is left
  2  wrong usage
  3  the gateway could not start: configuration, address in use, workers
  4  stopped, but the drain deadline cut connections
  5  check --connect: a target cannot be reached, or refuses its credentials
  70 a defect of the gateway: the last line says where

\b
Signals to the gateway (its supervisor):
  TERM, INT  finish what was asked, take no new connection, end; a second INT: end now
  QUIT       end now
  HUP        read the configuration again, as `s3gateway reload` does; nothing restarts
  USR1       open the log files again
  WINCH, USR2, TTIN, TTOU are ignored

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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}.{_suggestion(name)}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completes commands, and the options of `serve`, which is the command without one."""
        found = super().shell_complete(ctx, incomplete)
        serve = self.get_command(ctx, "serve")
        if incomplete.startswith("-") and serve is not None:
            known = {item.value for item in found}
            with click.Context(serve, parent=ctx, info_name="serve") as inner:
                inner.resilient_parsing = True
                own = serve.shell_complete(inner, incomplete)
            found += [item for item in own if item.value not in known]
        return found

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
        if ctx.resilient_parsing and not args:  # the shell completes the first word
            return super().parse_args(ctx, args)
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


def _suggestion(name: str) -> str:
    import difflib  # of no use to a command that exists

    close = difflib.get_close_matches(name.lower(), COMMANDS, n=1)
    meant = _CALLED_ELSEWHERE.get(name.lower()) or next(iter(close), "")
    return f" Did you mean {meant!r}?" if meant else ""


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
