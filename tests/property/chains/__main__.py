"""Plays numbers again, or looks for the shortest story of a fault.

    python -m tests.property.chains 1234                   one play, with its story
    python -m tests.property.chains --count 500            the plays of 500 numbers
    python -m tests.property.chains --count 5000 --steps 12 --journey by_size
    python -m tests.property.chains --count 500 --mutant hides

Rules: of faults that begin alike, the shortest story is shown.
"""

from __future__ import annotations

import argparse
import re
from contextlib import nullcontext

from tests.property.chains.clients import Fault
from tests.property.chains.mutants import MUTANTS
from tests.property.chains.play import STEPS, Played, play_of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("number", type=int, nargs="?")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--journey", default="", help="the name of a function of `layouts`")
    parser.add_argument("--work", default="", help="names of what clients do (`Play.begin`)")
    parser.add_argument("--mutant", choices=MUTANTS)
    options = parser.parse_args()
    first = options.number or 0
    played, faults, counts = Played(), dict[str, str](), dict[str, int]()
    with MUTANTS[options.mutant]() if options.mutant else nullcontext():
        for number in range(first, first + options.count):
            play = play_of(number, options.journey, options.work)
            try:
                play.run(options.steps)
            except Fault as fault:
                text = str(fault)
                kind = play.journey.name + ": " + re.sub(r"main/\S+( ü)?|\d+|'.*?'", "_", text)[:70]
                kind = kind.partition("\n")[0]
                counts[kind] = counts.get(kind, 0) + 1
                faults[kind] = min(faults.get(kind, text), text, key=len)
            played.add(play)
    print(played.told())  # noqa: T201  # that is what it is for
    for kind, text in sorted(faults.items(), key=lambda item: len(item[1])):
        print(f"\n{counts[kind]} times {kind}\n{text}")  # noqa: T201
    if options.number is not None and not faults:
        print("\n".join(play.story))  # noqa: T201
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
