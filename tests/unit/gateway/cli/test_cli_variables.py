"""D8: environment variables: all that are read are known, and a flag stands before each."""

from __future__ import annotations

import importlib

import click
import pytest

from gateway.cli.main import COMMANDS
from gateway.config.variables import LOG_FORMATS, LOG_LEVELS, OWN
from gateway.supervisor import timeouts
from tests.unit.gateway.config.loading import S3, Desk

WORLD = ["0.0.0.0:8080"]


def options() -> list[click.Option]:
    """Of every command."""
    found = []
    for name in COMMANDS:
        command = getattr(importlib.import_module(f"gateway.cli.{name}"), name)
        found += [one for one in command.params if isinstance(one, click.Option)]
    return found


def test_every_variable_of_the_command_line_is_known() -> None:
    """D8: a flag that gets a variable gets its check, or its place in the tree."""
    variables = {one.envvar for one in options() if one.envvar}
    assert variables | set(timeouts.VARIABLES) == OWN


def test_words_are_those_of_the_command_line() -> None:
    choices = {
        one.name: tuple(one.type.choices) for one in options() if hasattr(one.type, "choices")
    }
    assert (choices["log_format"], choices["log_level"]) == (LOG_FORMATS, LOG_LEVELS)


@pytest.mark.parametrize(
    ("variable", "value", "launch"),
    [
        ("S3GATEWAY_WORKERS", "abc", {"workers": "2"}),
        ("S3GATEWAY_LISTEN", "nonsense", {"listen": ["127.0.0.1:1"]}),
        ("S3GATEWAY_LOG_LEVEL", "loud", {"log_level": "info"}),
        ("S3GATEWAY_DRAIN_TIMEOUT", "long", {"drain_seconds": 0.0}),
        ("S3GATEWAY_PIDFILE", "/nowhere/pid", {"pidfile": "pid"}),
    ],
    ids=lambda value: f"D8 {value}" if isinstance(value, str) else "",
)
def test_a_flag_stands_before_a_bad_variable(
    desk: Desk, variable: str, value: str, launch: dict[str, object]
) -> None:
    assert desk.load(S3, {variable: value}).model is None
    assert desk.load(S3, {variable: value}, **launch).model is not None


@pytest.mark.parametrize(
    ("value", "allowed"), [("1", True), ("true", True), ("0", False), ("perhaps", False)]
)
def test_a_switch_that_says_nonsense_opens_nothing(run, tmp_path, value: str, allowed) -> None:
    """D8: `auth.mode: open` off loopback needs a clear word."""
    file = tmp_path / "open.yaml"
    file.write_text(f"auth: {{mode: open}}\n{S3}")
    arguments = ["check", "-c", str(file), "--listen", *WORLD]
    done = run(*arguments, S3GATEWAY_INSECURE_OPEN=value)
    assert (done.exit_code == 0) is allowed
    assert ("environment.S3GATEWAY_INSECURE_OPEN: must be" in done.stdout) is (value == "perhaps")


def test_workers_of_a_variable_are_in_effect(desk: Desk) -> None:
    """D8: what `config` prints is what `serve` would do."""
    loaded = desk.load(S3, {"S3GATEWAY_WORKERS": "3"})
    assert loaded.model is not None
    assert loaded.model.workers == 3
    assert loaded.tree.place(("router", "workers")).source == "$S3GATEWAY_WORKERS"
