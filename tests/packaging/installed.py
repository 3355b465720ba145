"""Starts gateways that are installed in another environment, and finds the Pythons to make one."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from release.dependencies import PYTHONS
from tests.process.harness import Gateway

KEYS = {"access_key_id": "a-key-id", "secret_access_key": "a-secret"}
CONFIGURATION = {"s3": {"endpoint": "http://127.0.0.1:9", "region": "us-east-1", **KEYS}}

_ASK = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2], sys.executable)"


class Installed(Gateway):
    """A gateway of another environment, started by the image's command and variables."""

    def __init__(self, program: Path) -> None:
        self._program = program
        listen = {"S3GATEWAY_LISTEN": "127.0.0.1:0", "S3GATEWAY_ADMIN": "off"}
        super().__init__(CONFIGURATION, environ={**listen, "PYTHONPATH": ""}, fresh=True)

    def command(self, launch: Mapping[str, object]) -> list[str]:
        return [str(self._program), "serve", "--config", str(launch["config"]), "--workers", "1"]


@functools.cache
def pythons() -> dict[str, str]:
    """The interpreters that are here, one of each supported version; the tests' own is one."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = {own: str(sys._base_executable)}  # type: ignore[attr-defined]  # there is no public name
    for program in _candidates():
        with_venv = subprocess.run([program, "-c", _ASK], capture_output=True, text=True)
        version, _, path = with_venv.stdout.strip().partition(" ")
        if with_venv.returncode == 0 and version in PYTHONS:
            found.setdefault(version, path)
    return dict(sorted(found.items()))


def _candidates() -> Iterator[Path]:
    """Programs on the path, those of pyenv and those of uv."""
    home = Path.home()
    folders = [Path(one) for one in os.get_exec_path()]
    folders += sorted((home / ".pyenv" / "versions").glob("*/bin"), reverse=True)
    folders += sorted((home / ".local/share/uv/python").glob("*/bin"), reverse=True)
    for version, folder in itertools.product(PYTHONS, folders):
        if (program := folder / f"python{version}").is_file():
            yield program
