"""What the tests notice: a fixed list of mutants of the source, and which layer kills each.

    python -m tests.mutants                        all of them; the list goes to build/mutants.txt
    python -m tests.mutants --against OLD          the same; fails if one survives that OLD killed
    python -m tests.mutants --list                 what they are

For a change of the tests: run it before, keep the list, run it after with `--against`. The source
must be the same both times, as the mutants are chosen from it (`choose`).

Rules: first the tests without sockets (`pure`), each mutant a fork; what survives them meets those
with sockets of its room (`sockets`), each in a copy of the tree. Nothing is written into the tree
but the list. Takes about half an hour of one core, `--jobs` says on how many.
"""

from __future__ import annotations

import argparse
import re
import threading
import time
from collections import Counter
from pathlib import Path

from tests.mutants import pure, sockets
from tests.mutants.choose import ROOT, Mutant, mutants
from tests.mutants.pure import Verdict

_LINE = re.compile(r"^(killed|survives) +(\S*) +\| (.+?) \| ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    parser.add_argument("--only", default="", help="a part of the mutants' names")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "mutants.txt")
    parser.add_argument("--against", type=Path, help="a list of another time")
    options = parser.parse_args()
    chosen = {n: one for n, one in enumerate(mutants()) if options.only in one.name}
    if options.list:
        for mutant in chosen.values():
            print(mutant)  # noqa: T201  # that is what it is for
        return 0
    verdicts = _run(chosen, options.jobs)
    lines = [_line(mutant, verdicts[number]) for number, mutant in chosen.items()]
    layers = Counter(verdict.layer or "nobody" for verdict in verdicts.values())
    lines.append("killed by " + ", ".join(f"{name}: {layers[name]}" for name in sorted(layers)))
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text("\n".join(lines) + "\n")
    print(lines[-1])  # noqa: T201
    return _compare(options.against.read_text(), lines) if options.against else 0


def _run(chosen: dict[int, Mutant], jobs: int) -> dict[int, Verdict]:
    verdicts: dict[int, Verdict] = {}
    lock, began = threading.Lock(), time.monotonic()

    def tell(number: int, verdict: Verdict) -> None:
        with lock:
            verdicts[number] = verdict
            print(f"{time.monotonic() - began:6.0f} s", _line(chosen[number], verdict), flush=True)  # noqa: T201

    for test in pure.run(chosen, jobs, tell):
        print(f"fails without any mutant: {test}")  # noqa: T201
    left = {number: one for number, one in chosen.items() if not verdicts[number].layer}
    sockets.run(left, jobs, tell)
    return verdicts


def _line(mutant: Mutant, verdict: Verdict) -> str:
    word = "killed" if verdict.layer else "survives"
    return f"{word:8} {verdict.layer:8} | {mutant} | {verdict.tests} reach it | {verdict.test}"


def _compare(old: str, lines: list[str]) -> int:
    was = {found[3]: found[1] for found in map(_LINE.match, old.splitlines()) if found}
    now = {found[3]: found[1] for found in map(_LINE.match, lines) if found}
    lost = [name for name, word in now.items() if word == "survives" and was.get(name) == "killed"]
    won = [name for name, word in now.items() if word == "killed" and was.get(name) == "survives"]
    other = len(now.keys() ^ was.keys())
    print(f"{len(won)} more are killed, {len(lost)} fewer; {other} are not in both lists")  # noqa: T201
    for name in lost:
        print(f"survives now: {name}")  # noqa: T201
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
