"""`s3gateway serve`: what the supervisor is executed with."""

from __future__ import annotations

import json
import os
import sys

import pytest

NOTHING = {
    "config": None,
    "listen": None,
    "admin": None,
    "environment": None,
    "insecure_open": False,
    "workers": None,
    "access_log": None,
    "log_format": None,
    "log_level": None,
    "pidfile": None,
    "drain_seconds": None,
    "beside": False,
}


MEMORY = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


class Executed(Exception):
    """What `os.execve` would have become."""


@pytest.fixture
def settings(run, monkeypatch: pytest.MonkeyPatch):
    for name in ("PYTHONPATH", *MEMORY):  # serve may add to them: undone at the end
        monkeypatch.setenv(name, os.environ.get(name, ""))
    for name in MEMORY:
        monkeypatch.delenv(name)

    def execve(path: str, arguments: list[str], environ: dict[str, str]) -> None:
        raise Executed(path, arguments, environ)

    monkeypatch.setattr(os, "execve", execve)

    def read(*arguments: object, **environ: str) -> dict[str, object]:
        result = run(*arguments, **environ)
        assert isinstance(result.exception, Executed), result.output
        path, (python, *flags, document), _ = result.exception.args
        assert path == python == sys.executable
        assert flags == ["-P", "-m", "gateway.supervisor"]
        found = json.loads(document)
        assert set(found) == set(NOTHING)
        return {name: value for name, value in found.items() if value != NOTHING[name]}

    return read


def test_no_command_is_serve(settings) -> None:
    assert settings() == settings("serve") == {}


def test_freed_memory_is_kept_unless_an_operator_says_otherwise(settings) -> None:
    settings(**{MEMORY[0]: "4096"})
    assert MEMORY[0] not in os.environ  # it was the command's alone
    assert os.environ[MEMORY[1]] == str(8 << 20)


def test_the_seeds_command_lines(settings) -> None:
    assert settings("--config", "s3-router-config.yaml") == {"config": "s3-router-config.yaml"}
    assert settings("--listen", "127.0.0.1:8080") == {"listen": ["127.0.0.1:8080"]}


def test_every_flag(settings) -> None:
    assert settings(
        *[
            "serve",
            "-c",
            "F",
            "--bind",
            "a:1",
            "--listen",
            "b:2",
            "--admin",
            "off",
            "--environment",
            "prod",
            "--insecure-open",
        ],
        *["--workers", "4", "--access-log", "off", "--log-format", "json", "--log-level", "debug"],
        *["--pidfile", "P", "--drain-timeout", "2.5", "--beside"],
    ) == {
        "config": "F",
        "listen": ["a:1", "b:2"],
        "admin": "off",
        "environment": "prod",
        "insecure_open": True,
        "workers": "4",
        "access_log": "off",
        "log_format": "json",
        "log_level": "debug",
        "pidfile": "P",
        "drain_seconds": 2.5,
        "beside": True,
    }


def test_every_flag_has_a_variable_and_the_flag_wins(settings) -> None:
    variables = {
        "S3GATEWAY_CONFIG": "F",
        "S3GATEWAY_LISTEN": "a:1 b:2",
        "S3GATEWAY_ADMIN": "c:3",
        "S3GATEWAY_ENVIRONMENT": "prod",
        "S3GATEWAY_INSECURE_OPEN": "1",
        "S3GATEWAY_WORKERS": "auto",
        "S3GATEWAY_ACCESS_LOG": "-",
        "S3GATEWAY_LOG_FORMAT": "text",
        "S3GATEWAY_LOG_LEVEL": "error",
        "S3GATEWAY_PIDFILE": "P",
        "S3GATEWAY_DRAIN_TIMEOUT": "0",
        "S3GATEWAY_BESIDE": "1",
    }
    expected = {
        "config": "F",
        "listen": ["a:1", "b:2"],
        "admin": "c:3",
        "environment": "prod",
        "insecure_open": True,
        "workers": "auto",
        "access_log": "-",
        "log_format": "text",
        "log_level": "error",
        "pidfile": "P",
        "drain_seconds": 0.0,
        "beside": True,
    }
    assert settings(**variables) == expected
    flags = ["--config", "G", "--listen", "c:3", "--workers", "2"]
    found = settings(*flags, **variables)
    assert found == {**expected, "config": "G", "listen": ["c:3"], "workers": "2"}


def test_the_new_interpreter_finds_this_package(settings) -> None:
    settings()
    root = os.path.dirname(os.path.dirname(os.path.abspath(__import__("gateway").__file__)))
    assert "site-packages" in root or root in os.environ["PYTHONPATH"].split(os.pathsep)


def test_the_supervisor_gets_no_secret_and_a_file_that_has_all(
    settings, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D11: so it need not start itself once more."""
    monkeypatch.setenv("TEAM_A", "hush-team")
    *_, environ = run("serve").exception.args
    assert "TEAM_A" not in environ
    assert environ["PATH"] == os.environ["PATH"]
    descriptor = int(environ["S3GATEWAY_ENVIRON_DESCRIPTOR"])
    assert os.get_inheritable(descriptor)
    whole = json.loads(os.pread(descriptor, 1 << 20, 0))
    os.close(descriptor)
    assert whole["TEAM_A"] == "hush-team"


def test_without_a_file_of_memory_the_supervisor_gets_everything(
    settings, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, flags: int) -> int:
        raise OSError("not in this sandbox")

    monkeypatch.setattr(os, "memfd_create", refuse)
    monkeypatch.setenv("TEAM_A", "hush-team")
    *_, environ = run("serve").exception.args
    assert environ["TEAM_A"] == "hush-team"
