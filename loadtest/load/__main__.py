"""The command behind `make load`: starts the servers, has locust take the turns, checks the result.

Rules: ends with 0 only if every threshold was kept; 2 for arguments that mean nothing; whatever
ends it, the servers end as well; secrets are in files of the run's directory, which is removed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.demo.processes import plain_environment
from gateway.demo.seaweed import SeaweedError, die_with_parent
from loadtest.load import calls, filling, measured, report, servers, settings, thresholds

BUILD = Path(__file__).parents[2] / "build" / "load"
# Over the time of the turns: locust starts, reports are written.
SPARE_SECONDS = 60.0


def main(words: Sequence[str]) -> int:
    try:
        plan, check = settings.parse(words)
    except settings.Refused as refused:
        sys.stderr.write(f"make load: {refused}\n")
        return 2
    if check:
        return 0
    if importlib.util.find_spec("locust") is None:
        sys.stderr.write("make load: locust is not installed: pip install -e '.[load]'\n")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are ended
    try:
        with plain_environment(), servers.Servers() as started:
            return _report(plan, _turns(plan, started))
    except KeyboardInterrupt:
        sys.stderr.write("make load: interrupted\n")
    except (SeaweedError, servers.NotStarted, filling.NotFilled, Failed) as fault:
        sys.stderr.write(f"make load: {fault}\n")
    return 1


class Failed(Exception):
    """Locust took no turns; the text says why."""


def _turns(plan: settings.Plan, started: servers.Servers) -> list[measured.Turn]:
    """Put the objects, then have another process take all turns. Raises Failed."""
    began = time.monotonic()
    _fill(plan, started)
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    work = started.directory / "work.json"
    work.touch(mode=0o600)
    work.write_text(json.dumps(_work(plan, started)))
    _say(f"two stores and the gateway are filled ({time.monotonic() - began:.1f} s); turns begin")
    most = plan.most_seconds + SPARE_SECONDS
    log = BUILD / "locust.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "loadtest.load.turns", str(work)],
            cwd=servers.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid(), signal.SIGKILL),
        )
    try:
        code = process.wait(most)
    except subprocess.TimeoutExpired:
        raise Failed(f"locust did not end in {most:.0f} s; see {log}") from None
    finally:
        process.kill()
        process.wait()
    if code != 0:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise Failed(f"locust ended with {code}: {' '.join(last)}; see {log}")
    found = json.loads((started.directory / "turns.json").read_text())
    return [measured.from_dict(one) for one in found]


def _fill(plan: settings.Plan, started: servers.Servers) -> None:
    aims = started.aims()
    of_gateway, directly = aims["gateway"], aims["direct"]
    buckets = of_gateway.buckets
    for place, names in (
        (directly.place, (buckets.data, buckets.old, buckets.chain)),
        (directly.of(buckets.other), (buckets.other, buckets.new, buckets.chain)),
    ):
        filling.fill(place, (), names)
    for scenario in plan.scenarios:
        filling.fill(of_gateway.place, calls.objects(buckets, scenario.name))
        if scenario.name == "chain":
            filling.fill(directly.place, calls.objects_of_fallback(buckets))


def _work(plan: settings.Plan, started: servers.Servers) -> dict[str, object]:
    return {
        "aims": {name: one.as_dict() for name, one in started.aims().items()},
        "admin": started.admin,
        "pids": started.pids(),
        "config_path": str(started.config_path),
        "configurations": [started.configuration(number) for number in (0, 1)],
        "scenarios": [{"name": one.name, "users": plan.users_of(one)} for one in plan.scenarios],
        "rounds": plan.rounds,
        "turn_seconds": plan.turn_seconds,
        "shape": plan.shape.name,
        "reports": str(BUILD),
    }


def _report(plan: settings.Plan, turns: list[measured.Turn]) -> int:
    """Print the table, write the page and the numbers; the exit code."""
    found = [measured.compare(one.name, one.ways, turns) for one in plan.scenarios]
    told = {
        one.name: thresholds.broken(one, compared)
        for one, compared in zip(plan.scenarios, found, strict=True)
    }
    rows = report.rows(found, servers.WORKERS, os.cpu_count() or 1)
    lines = report.told_lines(told, found)
    said = (
        f"{plan.rounds} x {plan.turn_seconds:.1f} s for each way, shape "
        f"{plan.shape.name}, {servers.WORKERS} workers, {os.cpu_count()} cores"
    )
    links = sorted(path.name for path in BUILD.glob("*-*.html"))
    (BUILD / "report.html").write_text(report.page(said, rows, lines, links))
    (BUILD / "turns.json").write_text(json.dumps([turn.as_dict() for turn in turns]))
    sys.stdout.write(
        "\n".join([said, report.table(rows), *lines, f"page: {BUILD}/report.html", ""])
    )
    return 1 if any(told.values()) else 0


def _say(text: str) -> None:
    sys.stdout.write(f"make load: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
