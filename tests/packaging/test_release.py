"""A release is complete, made again byte for byte, and installs and serves wherever it may.

Rules: it is made of the last commit, as `make dist` makes it; each way to install it has an
environment of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

import gateway
from release import dependencies, dist
from tests.packaging.installed import Installed, pythons
from tests.repo.tree import ROOT, tracked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# `assert_type` fails on Any, which is what mypy makes of a package without py.typed.
CONSUMER = """
from typing import assert_type

import gateway
from fastpath.limits import Limits

assert_type(gateway.__version__, str)
assert_type(Limits().connections, int)
"""


def released(into: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "release.dist", into], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return into


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` makes."""
    return released(tmp_path_factory.mktemp("dist"))


def the(pattern: str, made: Path) -> Path:
    (found,) = made.glob(pattern)
    return found


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Path]:
    """A place for an environment that is not kept: each is a hundred megabytes."""
    yield tmp_path / "environment"
    shutil.rmtree(tmp_path)


def test_made_again_it_is_the_same(made: Path, tmp_path: Path) -> None:
    again = released(tmp_path)
    names = {path.name for path in made.iterdir()}
    version = gateway.__version__
    assert names == {
        "SHA256SUMS",
        f"s3gateway-{version}-py3-none-any.whl",
        f"s3gateway-{version}.cdx.json",
        f"s3gateway-{version}.tar.gz",
    }
    assert {path.name for path in again.iterdir()} == names
    differ = [name for name in names if (made / name).read_bytes() != (again / name).read_bytes()]
    assert differ == []


def test_the_checksums_are_those_of_the_files(made: Path) -> None:
    check = ["sha256sum", "--check", "--strict", dist.SUMS]
    done = subprocess.run(check, cwd=made, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3


def test_what_is_there_is_not_replaced(made: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "release.dist", made], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "remove them first" in done.stderr


def test_the_bill_lists_what_is_needed_to_run_and_no_more(made: Path) -> None:
    text = the("*.cdx.json", made).read_text()
    bill: dict[str, Any] = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    root = bill["metadata"]["component"]
    assert (root["name"], root["version"]) == ("s3gateway", gateway.__version__)
    parts = {
        part["purl"].removeprefix("pkg:pypi/").split("@")[0]: part for part in bill["components"]
    }
    assert set(parts) == set(dependencies.of("s3gateway"))
    assert all(part["licenses"] for part in parts.values())
    of_root = next(one for one in bill["dependencies"] if one["ref"] == root["bom-ref"])
    named = {canonicalize_name(ref.partition("==")[0]) for ref in of_root["dependsOn"]}
    # The tool names what an extra needs as well, where something else has brought it.
    assert set(dependencies.direct(metadata.distribution("s3gateway"))) <= named <= set(parts)
    assert "file:" not in text


@pytest.mark.parametrize("version", pythons())
def test_the_wheel_installs_and_serves(made: Path, environment: Path, version: str) -> None:
    subprocess.run([pythons()[version], "-m", "venv", "--without-pip", environment], check=True)
    dist.install(environment, str(the("*.whl", made)))
    # A newer Python warns of what it will no longer take.
    modules = list(environment.glob("lib/*/site-packages/*/py.typed"))
    folders = [path.parent for path in modules if path.parent.name in ("gateway", "fastpath")]
    assert len(folders) == 2
    python = environment / "bin" / "python"
    compiled = [python, "-W", "error", "-m", "compileall", "-q", "-f", *folders]
    subprocess.run(compiled, check=True, capture_output=True)
    serves(environment)


def serves(environment: Path) -> None:
    """The environment has both commands, of this version, and a gateway of it answers."""
    for name in ("s3gateway", "lakefs-s3-router"):
        said = subprocess.run(
            [environment / "bin" / name, "version"], capture_output=True, text=True, cwd="/"
        )
        assert gateway.__version__ in said.stdout
    with Installed(environment / "bin" / "s3gateway") as running:
        running.wait_until_ready()
        assert running.request("GET", "/-/healthz").status == 200
        assert b"AccessDenied" in running.request("GET", "/bucket/key").body


def test_the_source_distribution_installs_and_serves(made: Path, environment: Path) -> None:
    venv.create(environment)
    dist.install(environment, str(the("*.tar.gz", made)))
    serves(environment)


def test_a_clone_installs_editable_as_the_seed_does_it(tmp_path: Path, environment: Path) -> None:
    clone = tmp_path / "clone"
    for path in tracked("*"):
        copy = clone / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    venv.create(environment, with_pip=True)
    pip = [environment / "bin" / "pip", "install", "--quiet", "-e", "."]
    subprocess.run(pip, cwd=clone, check=True, capture_output=True)
    where = subprocess.run(
        [environment / "bin" / "python", "-c", "import gateway; print(gateway.__file__)"],
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert where.stdout.strip() == str(clone / "gateway" / "__init__.py")
    serves(environment)


def test_those_who_import_it_get_its_types(made: Path, environment: Path) -> None:
    venv.create(environment)
    dist.install(environment, "--no-deps", str(the("*.whl", made)))
    consumer = environment / "consumer.py"
    consumer.write_text(CONSUMER)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", "cache"]
    mypy += ["--follow-imports", "silent"]
    done = subprocess.run(
        [*mypy, "--python-executable", environment / "bin" / "python", consumer],
        cwd=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
