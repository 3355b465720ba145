"""The command behind `make bench`: measures, prints, and writes the committed result.

Rules: a full run replaces the result, the picture and the tables in docs/performance.md; `--only`
measures some chapters anew and replaces their sections; a quick run (`--quick`) writes nothing and
compares with what is committed; it measures the chapters in `_QUICK_CHAPTERS` as well.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from loadtest.bench import contenders, contents, machine, network, report, rounds, workloads

DOCS = Path(__file__).parents[2] / "docs"
RESULT = DOCS / "performance" / "result.json"
PICTURE = DOCS / "performance" / "cpu.svg"
PAGE = DOCS / "performance.md"

_OVER_TLS = ("GET 1 KiB", "GET 1 MiB", "PUT 1 MiB")
_QUICK_CHAPTERS = ("copies",)
_QUICK = ("GET 1 KiB", "GET 64 KiB", "GET 1 MiB", "PUT 1 MiB", "PUT 8 MiB chunks")


def full_plan(absent: Collection[str] = ()) -> rounds.Plan:
    """All workloads and peers but those that are absent: about half an hour."""
    return rounds.Plan(
        rounds=3,
        seconds=2,
        workloads=workloads.WORKLOADS,
        contenders=[name for name in contenders.ALL if name not in absent],
        over_tls=_at_32(_OVER_TLS),
    )


def quick_plan(absent: Collection[str] = ()) -> rounds.Plan:
    """The gateway, Envoy, nginx and optional peers at 32 connections: under three minutes."""
    optional = [name for name in contenders.OPTIONAL if name not in absent]
    return rounds.Plan(
        rounds=3,
        seconds=2,
        workloads=_at_32(_QUICK),
        contenders=["s3gateway", "envoy", "nginx", *optional],
        over_tls=_at_32(("GET 1 MiB",)),
    )


def _at_32(names: tuple[str, ...]) -> list[workloads.Workload]:
    chosen = [one for one in workloads.WORKLOADS if one.name in names]
    return [replace(one, connections=(32,)) for one in chosen]


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--quick", action="store_true", help="a few workloads, nothing is written")
    names = [chapter.name for chapter in contents.ALL]
    either.add_argument("--only", nargs="+", choices=names, help="chapters, measured anew")
    parser.add_argument("--check", action="store_true", help="look at the arguments alone")
    chosen = parser.parse_args(words)
    if chosen.check:
        return 0
    network.move(words)
    quick = chosen.quick
    absent = () if chosen.only else _absent()
    plan = quick_plan(absent) if quick else full_plan(absent)
    try:
        of_run = _QUICK_CHAPTERS if quick else names
        for program in _needed(plan, of_run, chosen.only):
            machine.find(program)
    except machine.Missing as missing:
        sys.stderr.write(f"make bench: {missing}\n")
        return 1
    if chosen.only:
        return _only(chosen.only)
    result = rounds.run(plan)
    sys.stdout.write(report.goals_table(result) + "\n")
    if quick:
        for chapter in contents.ALL:
            if chapter.name in _QUICK_CHAPTERS:
                sys.stdout.write(f"\n{chapter.table(chapter.measure())}\n")
        if RESULT.exists():
            committed = json.loads(RESULT.read_text())
            sys.stdout.write("\n" + report.comparison(committed, result) + "\n")
        return 0
    _write(result)
    _measure_chapters(result, names)
    sys.stdout.write(f"\n{report.goals_table(result)}\n")
    return 0


def _absent() -> list[str]:
    """The optional peers that are not there; each is told of, and how to get it."""
    found = []
    for name in contenders.OPTIONAL:
        try:
            machine.find(name)
        except machine.Missing as missing:
            sys.stderr.write(f"make bench: {missing}; left out\n")
            found.append(name)
    return found


def _needed(plan: rounds.Plan, names: Sequence[str], only: list[str] | None) -> set[str]:
    """The programs of a run, so that one that is missing is not found missing at its end."""
    wanted = names if only is None else only
    found = {program for one in contents.ALL if one.name in wanted for program in one.programs}
    if only is None:
        found |= {"nginx", "wrk", *(name for name in plan.contenders if name in _PROGRAMS)}
    return found


def _only(names: list[str]) -> int:
    result = json.loads(RESULT.read_text())
    _measure_chapters(result, names)
    return 0


def _measure_chapters(result: dict[str, object], names: list[str]) -> None:
    for chapter in contents.ALL:
        if chapter.name in names:
            section = chapter.measure()
            result[chapter.name] = section
            _write(result)  # what was measured is kept, whatever becomes of the next one
            sys.stdout.write(f"\n{chapter.table(section)}\n")
            sys.stdout.flush()


def _write(result: report.Result) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    write_pages(result)


_PROGRAMS = frozenset(machine.PACKAGES)


def write_pages(result: report.Result) -> None:
    """The picture, and the tables in the page between their marks."""
    PICTURE.write_text(report.picture(result))
    page = PAGE.read_text()
    tables = [
        ("goals", report.goals_table(result)),
        ("figures", report.full_table(result)),
        ("machine", _machine(result)),
        *((one.name, one.table(result[one.name])) for one in contents.ALL if one.name in result),
    ]
    for mark, table in tables:
        page = _between(page, mark, table)
    PAGE.write_text(page)


def _machine(result: report.Result) -> str:
    of = result["machine"]
    return (
        f"Measured on {result['date']}: {of['cores']} cores of {of['processor']}, Linux "
        f"{of['kernel']}, {of['congestion control']}, Python {of['python']} ({of['build']}); "
        f"{result['rounds']} rounds of {result['seconds']} seconds; SHA-256 alone: "
        f"{result['sha256_megabytes_per_second']:.0f} MB/s."
    )


def _between(page: str, mark: str, text: str) -> str:
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    changed, count = pattern.subn(lambda found: f"{found[1]}{text}\n{found[2]}", page)
    if count != 1:
        raise ValueError(f"{PAGE.name} has no place for {mark}")
    return changed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
