"""Runs the tests that start processes against mutants that the others did not kill.

Rules: each in a copy of the tree, with the change in its file, so that every process has it; the
test files are those of the mutant's room; the first failure ends it, and so do `SECONDS`; what
fails is asked again without any mutant, as the machine may be busy.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.choose import ROOT, Mutant, mutated
from tests.mutants.pure import Verdict

SECONDS = 120
_WHOLE = ("fastpath", "gateway", "loadtest", "tests", "docs", "pyproject.toml", "README.md")

# Room -> the tests with sockets that lead there; a module's own name goes before its room's.
TESTS: Mapping[str, tuple[str, ...]] = {
    "fastpath/worker/tls_listener.py": ("process/test_tls_listener.py",),
    "fastpath/worker": ("process/test_reload.py", "process/test_workers.py"),
    "fastpath/sockets": ("process/test_slow_bodies.py", "process/test_splice_unprivileged.py"),
    "fastpath/http": ("process/test_corpora.py",),
    "fastpath/payload": ("process/test_streaming_uploads.py",),
    "fastpath/forms": ("process/test_forms.py",),
    "fastpath/dialects": ("process/test_lakefs_lists.py", "process/test_lakefs_reads.py"),
    "fastpath/signing": ("process/test_corpora.py",),
    "fastpath/composed/chains": ("process/test_chains.py",),
    "fastpath/composed/object_lists": ("process/test_chains.py", "process/test_long_lists.py"),
    "fastpath/routing/chain.py": ("process/test_chains.py",),
    "fastpath/routing/plan.py": ("process/test_chains.py",),
    "fastpath/routing/write_conditions.py": ("process/test_chains.py",),
    "fastpath/upstream/breaker": ("process/test_breakers.py",),
    "fastpath/upstream": ("process/test_refused_signatures.py", "process/test_tls_targets.py"),
    "fastpath": ("process/test_corpora.py", "process/test_stop.py"),
    "gateway/control": ("process/test_full_outputs.py", "process/test_control.py"),
    "gateway/supervisor": ("process/test_start.py", "process/test_control.py"),
    "gateway": ("process/test_start.py", "process/test_check_connect.py"),
}


def tests_of(path: str) -> tuple[str, ...]:
    """Those of the longest name that the path begins with."""
    return TESTS[max((room for room in TESTS if path.startswith(room)), key=len)]


def run(mutants: Mapping[int, Mutant], jobs: int, tell: Callable[[int, Verdict], None]) -> None:
    """Tells of each mutant what became of it."""

    def one(number: int) -> None:
        with _changed(mutants[number]) as tree:
            failed = _failed(tree, tests_of(mutants[number].path))
        if failed:
            with _copy() as tree:
                again = _failed(tree, (failed.partition("::")[0].removeprefix("tests/"),))
            failed = "" if again == failed else failed
        tell(number, Verdict("process" if failed else "", failed, 0))

    with ThreadPoolExecutor(jobs) as executor:
        list(executor.map(one, mutants))


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        for part in _WHOLE:
            take = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
            take(ROOT / part, Path(name) / part)
        yield Path(name)


@contextmanager
def _changed(mutant: Mutant) -> Iterator[Path]:
    with _copy() as tree:
        (tree / mutant.path).write_text(ast.unparse(mutated(mutant)))
        yield tree


def _failed(tree: Path, files: tuple[str, ...]) -> str:
    """The first test that fails; "" if none does."""
    options = ["-x", "-q", "-m", "not slow", "-p", "no:randomly", "-p", "no:cacheprovider"]
    paths = [f"tests/{file}" for file in files]
    command = [sys.executable, "-m", "pytest", *options, "--timeout=30", *paths]
    try:
        done = subprocess.run(
            command, cwd=tree, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" ")[1] if failed else ""
