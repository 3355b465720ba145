"""Runs the tests that use no sockets against mutants, in forks of one process that collected them.

Rules: what a mutant's fork runs are the tests that reach the changed statement, found out by one
run of all with calls of `__reached__` in the source; those of the mutant's own room first, then the
quickest of each file, the second of each and so on, until `SECONDS` of processor time are spent, as
they took without a change; the first failure ends it. A test that takes `HANGS` seconds counts as
one.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

from tests.mutants.choose import ROOT, Mutant, code, mutated, watched

DIRECTORIES = ("tests/unit", "tests/property")
SECONDS = 8.0
HANGS = 30.0
_FORKING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who killed a mutant; nobody if `layer` is empty."""

    layer: str
    test: str
    tests: int  # that reach it


def run(
    mutants: Mapping[int, Mutant], jobs: int, tell: Callable[[int, Verdict], None]
) -> list[str]:
    """Tells of each mutant what became of it; returns the tests that fail without any."""
    plugin = _Forks(mutants, jobs, tell)
    options = ["-q", "-m", "not slow", "-p", "no:randomly", "-p", "no:cacheprovider"]
    paths = [str(ROOT / directory) for directory in DIRECTORIES]
    status = pytest.main([*options, "-p", "no:xdist", *paths], [plugin])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise RuntimeError(f"pytest ends with {status}")
    return plugin.unfit


class _Forks:
    """A plugin that does not run the tests where they were collected."""

    def __init__(
        self, mutants: Mapping[int, Mutant], jobs: int, tell: Callable[[int, Verdict], None]
    ) -> None:
        self._mutants = mutants
        self._jobs = jobs
        self._tell = tell
        self.unfit: list[str] = []  # tests

    def pytest_sessionstart(self) -> None:
        from hypothesis import settings  # pytest looks for it first

        settings.register_profile("mutants", settings.default, database=None, derandomize=True)
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._functions = _functions(self._mutants.values())
        reached, took = self._watch(session.items)

        def one(number: int) -> None:
            tests = self._chosen(number, session.items, reached[number], took)
            verdict = self._kill(number, session.items, tests, len(reached[number]))
            self._tell(number, verdict)

        with ThreadPoolExecutor(self._jobs) as executor:
            list(executor.map(one, self._mutants))
        return True

    def _watch(self, items: Sequence[pytest.Item]) -> tuple[dict[int, list[int]], dict[int, float]]:
        """Which tests reach each mutant, and how long each test takes."""
        reached: dict[int, list[int]] = {number: [] for number in self._mutants}
        took: dict[int, float] = {}
        paths = {mutant.path for mutant in self._mutants.values()}
        trees = {path: watched(path, self._mutants) for path in paths}

        def patch() -> None:
            for mutant in self._mutants.values():
                self._replace(mutant, code(trees[mutant.path], mutant))

        # Whole modules, so that what they share is made once.
        halves: list[list[int]] = [[] for _ in range(self._jobs)]
        modules = {item.path: number for number, item in enumerate(items)}
        shares = {path: at * self._jobs // len(modules) for at, path in enumerate(modules)}
        for number, item in enumerate(items):
            halves[shares[item.path]].append(number)
        with ThreadPoolExecutor(self._jobs) as executor:
            lists = executor.map(lambda half: list(self._whole(items, half, patch)), halves)
            for told in (one for half in lists for one in half):
                took[told["test"]] = told["seconds"]
                for number in told["reached"]:
                    reached[number].append(told["test"])
        return reached, took

    def _whole(
        self, items: Sequence[pytest.Item], tests: Sequence[int], patch: Callable[[], None]
    ) -> Iterator[dict[str, Any]]:
        """What all of them tell but those that fail without any mutant, which kill none."""
        while tests:
            at = 0
            for told in _forked(items, tests, patch, 300):
                at += 1
                if told["failed"]:
                    self.unfit.append(str(told["failed"]))
                    break
                yield told
            tests = tests[at:]

    def _replace(self, mutant: Mutant, fresh: CodeType) -> None:
        for function in self._functions[mutant]:
            function.__code__ = fresh

    def _chosen(
        self,
        number: int,
        items: Sequence[pytest.Item],
        reached: Sequence[int],
        took: Mapping[int, float],
    ) -> list[int]:
        room = os.path.dirname(self._mutants[number].path)
        own = {test for test in reached if f"tests/unit/{room}" in str(items[test].path)}
        order, of_file = [], Counter[Path]()
        for test in sorted(reached, key=lambda test: (took[test], test)):
            of_file[items[test].path] += 1
            order.append((test not in own, of_file[items[test].path], took[test], test))
        left, chosen = SECONDS, []
        for *_, test in sorted(order):
            left -= took[test]
            if left >= 0:
                chosen.append(test)
        return chosen

    def _kill(
        self, number: int, items: Sequence[pytest.Item], tests: Sequence[int], count: int
    ) -> Verdict:
        mutant = self._mutants[number]

        def patch() -> None:
            self._replace(mutant, code(mutated(mutant), mutant))

        for told in _forked(items, tests, patch):
            if told["failed"]:
                path = str(items[told["test"]].path.relative_to(ROOT))
                return Verdict(path.split(os.sep)[1], told["failed"], count)
        return Verdict("", "", count)


def _functions(mutants: Iterable[Mutant]) -> dict[Mutant, list[FunctionType]]:
    """The functions that were made from the code of each."""
    wanted = {(str(ROOT / one.path), one.function, one.first): one for one in mutants}
    for path in sorted({one.path for one in mutants}):
        importlib.import_module(path.removesuffix(".py").replace("/", "."))
    found: dict[tuple[str, str, int], list[FunctionType]] = {place: [] for place in wanted}
    gc.unfreeze()
    for one in gc.get_objects():
        if type(one) is FunctionType:
            made = one.__code__
            place = made.co_filename, made.co_qualname, made.co_firstlineno
            if place in found:
                found[place].append(one)
    gc.freeze()
    assert all(found.values()), [place for place in found if not found[place]]
    return {one: found[str(ROOT / one.path), one.function, one.first] for one in mutants}


def _forked(
    items: Sequence[pytest.Item],
    tests: Sequence[int],
    patch: Callable[[], None],
    seconds: float = HANGS,
) -> Iterator[dict[str, Any]]:
    """Runs tests in a fork, until one fails; what it tells of each."""
    if not tests:
        return
    with _FORKING:  # no other fork keeps the writing end
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            try:
                patch()
                _run(items, tests, writer)
            finally:
                os._exit(0)
        os.close(writer)
    rest, at = b"", 0
    try:
        while at < len(tests):
            if not select.select([reader], [], [], seconds)[0]:
                yield {"test": tests[at], "failed": f"hangs: {items[tests[at]].nodeid}"}
                return
            data = os.read(reader, 65536)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                told = json.loads(line)
                yield told
                if told["failed"]:
                    return
                at += 1
            if not data:
                yield {"test": tests[at], "failed": f"ends all: {items[tests[at]].nodeid}"}
                return
    finally:
        os.close(reader)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _run(items: Sequence[pytest.Item], tests: Sequence[int], writer: int) -> None:
    reached: set[int] = set()
    failed: list[str] = []

    class Watch:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                failed.append(f"{report.nodeid} ({report.when})")

    import builtins

    builtins.__reached__ = reached.add  # type: ignore[attr-defined]  # only mutants look for it
    config = items[0].config
    config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(Watch())
    for place, test in enumerate(tests):
        reached.clear()
        began = time.process_time()
        following = items[tests[place + 1]] if place + 1 < len(tests) else None
        config.hook.pytest_runtest_protocol(item=items[test], nextitem=following)
        told = {
            "test": test,
            "failed": failed[0] if failed else "",
            "seconds": time.process_time() - began,
            "reached": sorted(reached),
        }
        os.write(writer, json.dumps(told).encode() + b"\n")
        if failed:
            return
    sys.stdout.flush()
