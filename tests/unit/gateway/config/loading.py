"""Loading a configuration from text, for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import config
from gateway.config.load import Loaded
from gateway.config.schema import Config

SEED_VARIABLES = {
    "LAKEFS_ENDPOINT": "http://localhost:8000",
    "LAKEFS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "LAKEFS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_REGION": "us-east-1",
}

S3 = 's3: {endpoint: "http://127.0.0.1:9000", access_key_id: AKID2, secret_access_key: hidden-2}\n'
LAKEFS = (
    'lakefs: {endpoint: "http://127.0.0.1:8000", access_key_id: AKID1, '
    "secret_access_key: hidden-1}\n"
)


class Desk:
    """A directory with one configuration file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "gateway.yaml"

    def load(self, text: str | None, environ: dict[str, str] | None = None, **launch) -> Loaded:
        """Load a text (None: no file at all) with nothing else in the environment."""
        if text is not None:
            self.file.write_text(text)
            launch["config"] = str(self.file)
        return config.load(launch, environ or {})

    def model(self, text: str | None, environ: dict[str, str] | None = None, **launch) -> Config:
        """The model of a text that must be in order."""
        loaded = self.load(text, environ, **launch)
        assert loaded.model is not None, "\n".join(p.format() for p in loaded.problems)
        return loaded.model

    def problems(self, text: str | None, environ=None, **launch) -> list[str]:
        """The formatted problems, without the file's name and position."""
        found = self.load(text, environ, **launch).problems
        return [problem.format().split(": ", 1)[1] for problem in found]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
