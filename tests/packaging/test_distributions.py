"""The wheel and the source distribution hold what is to be installed, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

import gateway
from tests.repo.tree import ROOT, tracked

pytestmark = pytest.mark.slow

PACKAGES = ("gateway", "fastpath")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with both, built from a copy of what is tracked."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for path in tracked("*"):
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    build(source, made)
    return made


def build(source: Path, made: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-d", made]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


def wheel_in(made: Path) -> zipfile.ZipFile:
    (found,) = made.glob("*.whl")
    return zipfile.ZipFile(found)


def files_of(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_the_wheel_has_every_file_of_both_packages_and_no_other(built: Path) -> None:
    wanted = {str(path.relative_to(ROOT)) for path in tracked("*")}
    wanted = {name for name in wanted if name.split("/")[0] in PACKAGES}
    assert {f"{package}/py.typed" for package in PACKAGES} <= wanted
    assert files_of(wheel_in(built)) == wanted


def test_the_version_stands_in_one_place(built: Path) -> None:
    wheel = wheel_in(built)
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    described = HeaderParser().parsestr(wheel.read(name).decode())
    assert described["Version"] == gateway.__version__
    assert described["License-Expression"] == "Apache-2.0"
    text = (ROOT / "pyproject.toml").read_text()
    assert gateway.__version__ not in text


def test_both_commands_are_installed(built: Path) -> None:
    wheel = wheel_in(built)
    (name,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
    commands = wheel.read(name).decode()
    for command in ("s3gateway", "lakefs-s3-router"):
        assert f"{command} = gateway.cli.main:main" in commands


def test_the_source_distribution_makes_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        source.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    build(unpacked, tmp_path / "dist")
    one, other = wheel_in(built), wheel_in(tmp_path / "dist")
    assert files_of(one) == files_of(other)
    assert all(one.read(name) == other.read(name) for name in files_of(one))
