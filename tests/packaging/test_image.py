"""The image is what its Dockerfile says: the commands of its build stage are run, in a directory.

No image can be built where the tests run. What is not tried is the base image, and the copy of the
environment from the one stage to the other.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.main import COMMANDS
from tests.packaging.dockerfile import stages
from tests.packaging.installed import Installed
from tests.repo.tree import ROOT, tracked

BUILD, IMAGE = stages()


def context() -> list[Path]:
    """The tracked files that .dockerignore lets into the build."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    paths = (path.relative_to(ROOT) for path in tracked("*"))
    return [path for path in paths if path.parts[0] in allowed]


def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "hadolint", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_both_stages_have_the_same_python() -> None:
    assert BUILD.base == IMAGE.base == "python:${PYTHON}-slim"


def test_what_is_copied_is_in_the_context() -> None:
    there = {path.parts[0] for path in context()}
    wanted = {name for line in BUILD.all("COPY") for name in line.split()[:-1]}
    assert wanted == there


def test_it_runs_as_nobody_in_particular_and_is_probed_by_a_command_that_exists() -> None:
    assert IMAGE.one("USER") == "65532:65532"
    assert IMAGE.one("STOPSIGNAL") == "SIGTERM"
    (program, command) = IMAGE.words("HEALTHCHECK")
    assert IMAGE.words("ENTRYPOINT") == [program] == ["s3gateway"]
    assert command in COMMANDS
    assert IMAGE.words("CMD")[0] in COMMANDS


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The environment that the build stage makes, elsewhere."""
    source, made = tmp_path_factory.mktemp("src"), tmp_path_factory.mktemp("opt") / "s3gateway"
    for path in context():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    (script,) = BUILD.all("RUN")
    script = script.replace("/opt/s3gateway", str(made))
    # The stage's first `python` is the base image's, which knows none of the libraries.
    base = sys._base_executable  # type: ignore[attr-defined]  # there is no public name
    script = script.replace("python -m venv", f"{base} -m venv", 1)
    subprocess.run(script, shell=True, check=True, cwd=source, timeout=280)
    yield made
    shutil.rmtree(made)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_environment_of_the_image_serves(environment: Path) -> None:
    """Nothing of the source tree is on its path, no pip is left, and every module is compiled."""
    program = environment / "bin" / "s3gateway"
    done = subprocess.run([program, "version"], capture_output=True, text=True, cwd="/", check=True)
    assert done.stdout
    modules = list(environment.rglob("site-packages/gateway/**/*.py"))
    assert modules
    assert all(list(path.parent.glob(f"__pycache__/{path.stem}.*.pyc")) for path in modules)
    assert not list(environment.rglob("site-packages/pip"))
    with Installed(program) as gateway:
        gateway.wait_until_ready()
        assert gateway.request("GET", "/-/healthz").status == 200
