"""The snippets of docs/clients.md run as they stand, with only the addresses and names put in."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.compat.document import SECTIONS, SNIPPETS
from tests.compat.places import OVER_HTTP, Comparison, Place
from tests.compat.test_duckdb import connect, extension
from tests.compat.test_programs import WRITTEN

FILES = sorted(path.name for path in SNIPPETS.iterdir() if path.is_file())


def filled(name: str, place: Place) -> str:
    text = (SNIPPETS / name).read_text()
    for written, real in (
        ("127.0.0.1:8080", place.host),
        ("AKIAIOSFODNN7EXAMPLE", place.keys.access_key_id),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", place.keys.secret_access_key),
        ("my-bucket", place.bucket),
        ("example/", place.prefix),
        ("/example", f"/{place.prefix.rstrip('/')}"),
        ("LOAD httpfs", f"LOAD '{extension()}'"),
    ):
        text = text.replace(written, real)
    return text


def run(name: str, place: Place) -> None:
    text = filled(name, place)
    file = place.directory / "tree" / "hello.txt"
    file.parent.mkdir()
    file.write_text("hello\n")
    os.utime(file, (WRITTEN, WRITTEN))
    if name.endswith(".sql"):
        with connect(place) as database:
            database.execute(text)
        return
    interpreter = [sys.executable, "-c"] if name.endswith(".py") else ["sh", "-eu", "-c"]
    environ = {
        "HOME": str(place.directory),
        "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        [*interpreter, text], cwd=place.directory, env=environ, capture_output=True, timeout=50
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")


@pytest.mark.parametrize("comparison", OVER_HTTP, ids="-".join, indirect=True)
@pytest.mark.parametrize("name", FILES)
def test_a_snippet_does_the_same_as_at_the_target(comparison: Comparison, name: str) -> None:
    comparison.run(lambda place: run(name, place))


def test_there_is_a_snippet_for_every_client_and_no_other() -> None:
    assert sorted(client.snippet for client in SECTIONS) == FILES
    assert all(
        Path(__file__).with_name(f"{name}.py").exists() for c in SECTIONS for name in c.tests
    )
