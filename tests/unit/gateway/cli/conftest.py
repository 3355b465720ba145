"""Runs the command line in this process, with nothing of the real environment in its way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import main
from gateway.config.layers import VARIABLES
from tests.unit.gateway.config.loading import desk

__all__ = ["desk"]

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ENVIRONMENT", "S3GATEWAY_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name, _ in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: object, **environ: str) -> Result:
        return CliRunner().invoke(
            main, [str(one) for one in arguments], env=environ, prog_name="s3gateway"
        )

    return invoke
