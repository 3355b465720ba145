"""Makes a release of the commit that is checked out: wheel, source distribution, SBOM, checksums.

python -m release.dist [DIRECTORY]    into dist/ if no directory is named

Rules: what is built is what the commit holds, whatever else is in the working tree; files have the
time of the commit, or SOURCE_DATE_EPOCH, so that another build of it by the same tools is the same
byte for byte; the bill of materials is of an environment that has the wheel and what pip installs
for it, and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUMS = "SHA256SUMS"


def make(into: Path) -> list[Path]:
    """Makes the files of a release in an empty directory; returns them."""
    environ = {**os.environ, "SOURCE_DATE_EPOCH": epoch()}
    with tempfile.TemporaryDirectory(prefix="s3gateway-dist-") as directory:
        source = Path(directory, "source")
        _unpack_commit(source)
        build = [sys.executable, "-m", "hatchling", "build", "-d", str(into)]
        _run(build, environ, source)
        (wheel,) = into.glob("*.whl")
        version = wheel.name.split("-")[1]
        bill = into / f"s3gateway-{version}.cdx.json"
        _write_bill(wheel, bill, Path(directory), environ)
    made = sorted(into.iterdir())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made]
    (into / SUMS).write_text("".join(lines))
    return [*made, into / SUMS]


def epoch() -> str:
    """Returns SOURCE_DATE_EPOCH, or the time of the commit."""
    return os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct").decode().strip()


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def _unpack_commit(source: Path) -> None:
    with tarfile.open(fileobj=BytesIO(_git("archive", "HEAD"))) as archive:
        archive.extractall(source, filter="data")


def _run(command: Sequence[str], environ: Mapping[str, str], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"make dist: {' '.join(command)}:\n{done.stdout}{done.stderr}")


def _write_bill(wheel: Path, bill: Path, work: Path, environ: Mapping[str, str]) -> None:
    """Writes the SBOM of the wheel and its dependencies, by CycloneDX's own tool."""
    described = (work / "source" / "pyproject.toml").read_text()
    project = tomllib.loads(described)
    # The tool reads no version that hatchling finds in the code.
    stated = described.replace('dynamic = ["version"]', f'version = "{wheel.name.split("-")[1]}"')
    (work / "pyproject.toml").write_text(stated)
    tools, clean = work / "tools", work / "clean"
    venv.create(tools, with_pip=True)
    install(tools, *project["project"]["optional-dependencies"]["release"])
    venv.create(clean)
    install(clean, str(wheel))
    for origin in clean.glob("lib/*/site-packages/*.dist-info/direct_url.json"):
        origin.unlink()  # it names a path of this machine, which would be in the bill
    command = [str(tools / "bin" / "cyclonedx-py"), "environment", "--output-reproducible"]
    command += ["--pyproject", str(work / "pyproject.toml"), "-o", str(bill)]
    _run([*command, str(clean / "bin" / "python")], environ, work)


def install(environment: Path, *packages: str) -> None:
    """Installs packages into a virtual environment, which needs no pip of its own."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    python = str(environment / "bin" / "python")
    _run([*pip, "--python", python, "install", "--no-compile", *packages], os.environ, environment)


def main(arguments: list[str]) -> int:
    """Makes a release; returns the exit status."""
    into = Path(arguments[0] if arguments else ROOT / "dist").resolve()
    into.mkdir(parents=True, exist_ok=True)
    if left := sorted(path.name for path in into.iterdir()):
        print(f"make dist: {into} holds {', '.join(left)}: remove them first", file=sys.stderr)
        return 1
    if _git("status", "--porcelain"):
        print("make dist: what is not committed is not in it", file=sys.stderr)
    for path in make(into):
        with contextlib.suppress(ValueError):
            path = path.relative_to(Path.cwd())
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
