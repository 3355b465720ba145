"""Fuzzes one parser for a while: `python -m tests.fuzz.run NAME SECONDS`.

Rules: led by coverage where atheris is installed (extra `fuzz`), by plain mutations of the corpus
elsewhere; what was found is kept in `build/fuzz/NAME`, and begun from the next time; the first
exception that is no refusal, and the first input that takes too long, end the run with its bytes in
a file. Put that file into `tests/corpus/fuzz/NAME`, where `make test` replays it.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
from pathlib import Path
from typing import Any

BUILD = Path(__file__).parents[2] / "build" / "fuzz"
CORPUS = Path(__file__).parents[1] / "corpus" / "fuzz"
LONGEST = 4096  # bytes; what is longer is only slower
MEMORY = 1024  # MiB
BATCH = 1000


def led_by_coverage(atheris: Any, name: str, seconds: int, found: Path) -> None:
    """Does not return: libFuzzer ends the process."""
    with atheris.instrument_imports(include=["fastpath"]):
        from tests.fuzz.harnesses import HARNESSES, REFUSALS, SECONDS, directories
    harness = HARNESSES[name]

    def one(data: bytes) -> None:
        with contextlib.suppress(*REFUSALS):
            harness(data)

    options = {
        "max_total_time": seconds,
        "timeout": int(SECONDS),
        "max_len": LONGEST,
        "rss_limit_mb": MEMORY,
        "artifact_prefix": f"{found.parent}/{name}-",
        "verbosity": 0,
        "print_final_stats": 1,
    }
    words = [f"-{option}={value}" for option, value in options.items()]
    known = [str(directory) for directory in directories(name)]
    atheris.Setup([sys.argv[0], *words, str(found), *known], one)
    atheris.Fuzz()


def by_mutations(name: str, seconds: int, found: Path) -> None:
    """Goes over the corpus until the time is over."""
    from tests.fuzz.harnesses import inputs
    from tests.fuzz.mutations import mutants

    known = [path.read_bytes() for path in inputs(name)]
    end, batch = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for data in mutants(known[batch % len(known)], known, BATCH, batch):
            try:
                run_one(name, data)
            except BaseException:
                path = found.parent / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
                path.write_bytes(data)
                sys.stderr.write(f"{name}: see {path}\n")
                raise
        batch += 1
    sys.stdout.write(f"{name}: {batch * BATCH} inputs in {seconds} s\n")


def run_one(name: str, data: bytes) -> None:
    """One input; lets through what is no refusal. TimeoutError if it took too long."""
    from tests.fuzz.harnesses import HARNESSES, REFUSALS, SECONDS

    started = time.process_time()
    with contextlib.suppress(*REFUSALS):
        HARNESSES[name](data)
    if time.process_time() - started > SECONDS:
        raise TimeoutError(f"{len(data)} bytes took more than {SECONDS} s")


def main(name: str, seconds: int) -> None:
    found = BUILD / name
    found.mkdir(parents=True, exist_ok=True)
    try:
        import atheris
    except ImportError:
        by_mutations(name, seconds, found)
    else:
        led_by_coverage(atheris, name, seconds, found)


def checked(words: list[str]) -> tuple[list[str], int]:
    """Parsers and seconds of a command line; ends with status 2 if they are none."""
    known = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())
    *names, seconds = [word for text in words for word in text.split()] or [""]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        what = f"{unknown[0]!r} is no parser" if unknown else "no parser is named"
        sys.stderr.write(f"make fuzz: {what}; known: {', '.join(known)}\n")
    elif not (seconds.isascii() and seconds.isdigit() and int(seconds)):
        sys.stderr.write(f"make fuzz: SECONDS={seconds} is no number of seconds\n")
    else:
        return names, int(seconds)
    raise SystemExit(2)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        checked(sys.argv[2:])
    else:
        (NAME,), ALLOWED = checked(sys.argv[1:])
        main(NAME, ALLOWED)
