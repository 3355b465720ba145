"""The options that several commands share, and the functions that read them.

Rules: every option has an S3GATEWAY_ variable; a command that reads a configuration takes those
options of `serve` that decide which configuration is read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from gateway.config import Loaded
    from gateway.config.problems import Problem

Command = TypeVar("Command", bound=Callable[..., Any])

EXIT_FAILED = 1
EXIT_TARGET = 5


class Switch(click.types.BoolParamType):
    """A switch whose variable may be invalid: the problems of the configuration report that."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            return value


_CONFIG_OPTIONS = (
    click.option(
        "-c",
        "--config",
        "config",
        metavar="FILE",
        type=click.Path(),
        envvar="S3GATEWAY_CONFIG",
        help="The configuration file; without one LAKEFS_* and AWS_* variables configure it.",
    ),
    click.option(
        "--listen",
        "--bind",
        "listen",
        metavar="HOST:PORT",
        multiple=True,
        envvar="S3GATEWAY_LISTEN",
        help="Listen here instead of router.listen_address; may be repeated.",
    ),
    click.option(
        "--admin",
        "admin",
        metavar="HOST:PORT|off",
        envvar="S3GATEWAY_ADMIN",
        help="The admin plane listens here instead of on router.admin_address.",
    ),
    click.option(
        "--environment",
        metavar="NAME",
        envvar="S3GATEWAY_ENVIRONMENT",
        help="Lay the document with this routing.environment over the others.  [$ENVIRONMENT]",
    ),
    click.option(
        "--insecure-open",
        is_flag=True,
        type=Switch(),
        envvar="S3GATEWAY_INSECURE_OPEN",
        help="Allow auth.mode: open on an address that others can reach.",
    ),
)


def config_options(command: Command) -> Command:
    """Adds the options that decide which configuration is read."""
    for option in reversed(_CONFIG_OPTIONS):
        command = option(command)
    return command


pid_option = click.option(
    "--pid",
    metavar="PID",
    type=click.IntRange(1),
    help="The supervisor of the gateway, where several run.",
)


def _targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes the name of a target of the running gateway, if it answers."""
    from gateway.status.address import COMPLETION_SECONDS
    from gateway.status.ask import Unanswered, answered

    try:
        found = answered({"command": "status"}, ctx.params.get("pid"), COMPLETION_SECONDS)
    except Unanswered:
        return []
    names = [target["name"] for target in found.get("targets", ())]
    return [name for name in names if name.startswith(incomplete)]


target_argument = click.argument("target", shell_complete=_targets)


def asked(request: Mapping[str, object], pid: int | None) -> dict[str, Any]:
    """Returns the answer of a running gateway; prints why there is none, and exits with 1."""
    from gateway.status.ask import Refused, Unanswered, ask

    try:
        return ask(request, pid)
    except (Refused, Unanswered) as error:
        click.echo(f"s3gateway: {error}", err=True)
        fail()


def answered(request: Mapping[str, object], pid: int | None, seconds: float) -> dict[str, Any]:
    """Returns the answer of a running gateway, a refusal too; exits with 1 if there is none."""
    from gateway.status import ask

    try:
        return ask.answered(request, pid, seconds)
    except ask.Unanswered as error:
        click.echo(f"s3gateway: {error}", err=True)
        fail()


def launch_settings(values: Mapping[str, Any]) -> dict[str, object]:
    """Returns click's values as launch settings of the supervisor; None means not given."""
    settings: dict[str, object] = {}
    for name, value in values.items():
        settings[name] = list(value) or None if isinstance(value, tuple) else value
    return settings


def load(values: Mapping[str, Any]) -> Loaded:
    """Loads the configuration that the options of a command name."""
    from gateway import config

    return config.load(launch_settings(values), os.environ)


def load_or_fail(values: Mapping[str, Any]) -> Loaded:
    """Loads it for a command that needs it valid: prints problems to stderr, and exits with 1."""
    loaded = load(values)
    if loaded.model is None:
        print_problems(loaded.problems, to_stderr=True)
        fail()
    return loaded


def fail() -> NoReturn:
    """Ends the command with the exit status for something that is wrong."""
    raise SystemExit(EXIT_FAILED)


def print_problems(problems: list[Problem], *, to_stderr: bool) -> None:
    """Prints one line for each problem; its location is bold on a terminal."""
    stream = sys.stderr if to_stderr else sys.stdout
    colour = stream.isatty() and not os.environ.get("NO_COLOR")
    for problem in problems:
        line = problem.format()
        if colour:
            source, number, column = problem.place
            place = f"{source}:{number}:{column}:"
            line = click.style(place, bold=True) + line.removeprefix(place)
        click.echo(line, file=stream, color=colour)
