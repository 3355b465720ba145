"""The command group: which command an argument line means, and what is imported for it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import gateway
from gateway.cli.main import COMMANDS


def test_help_lists_every_command_and_exit_code(run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.output
    for code in range(6):
        assert f"\n    {code}  " in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run, name: str) -> None:
    result = run(name, "--help")
    assert (result.exit_code, result.output.startswith(f"Usage: s3gateway {name}")) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["nonsense"],
        ["serve", "--nonsense"],
        ["serve", "extra"],
        ["check", "--format", "xml"],
        ["serve", "--workers", "many"],
        ["serve", "--workers", "0"],
        ["serve", "--drain-timeout", "-1"],
        ["serve", "--log-level", "loud"],
        ["explain"],
        ["demo", "--port", "70000"],
        ["health", "--timeout", "x"],
        ["doctor", "--write", "bucket"],
        ["completion", "ksh"],
    ],
)
def test_wrong_usage_is_exit_code_2(run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("word", "meant"),
    [("statsu", "status"), ("top", "status --watch"), ("RELOAD", "reload"), ("start", "serve")],
)
def test_a_word_that_is_no_command_gets_a_suggestion(run, word: str, meant: str) -> None:
    result = run(word)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"No such command {word!r}. Did you mean {meant!r}?" in result.stderr


def test_a_word_like_no_command_gets_none(run) -> None:
    assert "Did you mean" not in run("xyzzy").stderr


def test_version_is_one_line(run) -> None:
    assert run("version").stdout.startswith(f"s3gateway {gateway.__version__} (Python 3.")
    assert run("--version").stdout == f"s3gateway {gateway.__version__}\n"


def test_version_as_json_names_what_serves_requests(run) -> None:
    found = json.loads(run("version", "--json").stdout)
    assert found["version"] == gateway.__version__
    assert found["libraries"]["httptools"]


def test_every_reading_command_has_json(run) -> None:
    reading = ("check", "config", "explain", "doctor", "status", "health", "probe", "version")
    assert not [name for name in (*reading, "repair") if "--json" not in run(name, "--help").stdout]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom gateway.cli.main import main\n"
        "try: main(['--help'], prog_name='x')\nexcept SystemExit: pass\n"
        "heavy = {'pydantic', 'yaml', 'botocore', 'boto3', 'rich', 'httptools', 'asyncio'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
