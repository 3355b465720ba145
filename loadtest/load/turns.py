"""Takes all turns of a run in one locust process: `python -m loadtest.load.turns FILE`.

Rules: the file says what to do (`Work`), results are written beside it as JSON; ways take turns,
and which one is first changes from round to round; decisions are asked for while a turn goes on; a
turn ends at its time, or when it has enough requests to be compared; what is still under way then
must end, too.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Locust replaces sockets and threads of the standard library: nothing of this project that has
# some is imported before it.
import gevent
import locust
from locust.env import Environment
from locust.html import get_html_report

from loadtest.load import aim, decisions, scenarios, servers, shapes
from loadtest.load.measured import Turn
from loadtest.load.settings import is_over
from loadtest.load.users import CLASSES, PART, Current

ASK_EVERY_SECONDS = 0.1
RELOAD_EVERY_SECONDS = 0.5
STEP_SECONDS = 0.25  # between looks at the shape
# Users end what they have begun: s3transfer waits for ever where a transfer was killed in between.
STOP_SECONDS = 10


class Work:
    """What the file says, and the processes it names."""

    def __init__(self, path: Path) -> None:
        found = json.loads(path.read_text())
        self.directory = path.parent
        self.aims = {name: aim.from_dict(one) for name, one in found["aims"].items()}
        self.admin: str = found["admin"]
        self.pids: Mapping[str, list[int]] = found["pids"]
        self.config_path = Path(found["config_path"])
        self.configurations: list[dict[str, Any]] = found["configurations"]
        self.scenarios = [
            (scenarios.named(one["name"]), int(one["users"])) for one in found["scenarios"]
        ]
        self.rounds: int = found["rounds"]
        self.turn_seconds: float = found["turn_seconds"]
        self.shape = shapes.named(found["shape"])
        self.reports = Path(found["reports"])
        self.reloads = 0
        # They go on from turn to turn: a short one has time for a few of them.
        self.questions = itertools.cycle(decisions.expected(self.aims[scenarios.GATEWAY].buckets))

    def aim_of(self, way: str) -> aim.Aim:
        """Both Configs of boto3 go to the gateway."""
        return self.aims.get(way) or self.aims[scenarios.GATEWAY].named(way)

    def used(self) -> dict[str, float]:
        """CPU seconds so far."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        return {"locust": own.ru_utime + own.ru_stime, **servers.used(self.pids)}


def environment(work: Work, scenario: scenarios.Scenario) -> Environment:
    """Locust for one way of one scenario: its statistics go on over the rounds."""
    made = Environment(user_classes=[CLASSES[scenario.name]], events=locust.event.Events())
    made.create_local_runner()
    made.stop_timeout = STOP_SECONDS
    return made


def take(work: Work, env: Environment, scenario: scenarios.Scenario, way: str, users: int) -> Turn:
    """One turn."""
    Current.use(work.aim_of(way))
    turn = Turn(scenario.name, way)
    listener = _listener(turn)
    env.events.request.add_listener(listener)
    before, applied = work.used(), decisions.applied(work.admin)
    asking = gevent.spawn(_ask, work, turn)
    reloading = None
    if scenario.reloads and way == scenario.ways[1]:
        reloading = gevent.spawn(_reload, work)
    began = time.monotonic()
    _run(work, env, users, turn)
    turn.end(time.monotonic() - began)
    turn.cpu = {name: spent - before[name] for name, spent in work.used().items()}
    gevent.killall([asking, *([reloading] if reloading else [])])
    stopping = time.monotonic()
    env.runner.quit()
    turn.stopped(time.monotonic() - stopping, STOP_SECONDS)
    env.events.request.remove_listener(listener)
    turn.reloads = decisions.applied(work.admin) - applied
    return turn


def _run(work: Work, env: Environment, users: int, turn: Turn) -> None:
    """As many users as the shape says, until the turn is over."""
    began = time.monotonic()
    wanted = 0
    while not is_over(
        second := time.monotonic() - began, work.turn_seconds, len(turn.latencies_ms)
    ):
        now = work.shape.users_at(second, work.turn_seconds, users)
        if now is not None and now != wanted:
            env.runner.start(now, spawn_rate=max(now, users))
            wanted = now
        gevent.sleep(min(STEP_SECONDS, max(0.01, work.turn_seconds - second)))


def _listener(turn: Turn) -> Callable[..., None]:
    def count(
        name: str, response_time: float, response_length: int, exception: Any, **_: object
    ) -> None:
        if name.startswith(PART):
            return
        turn.latencies_ms.append(response_time)
        turn.received += response_length or 0
        if exception is not None:
            turn.fail(f"{name}: {exception}")

    return count


def _ask(work: Work, turn: Turn) -> None:
    while True:
        said = decisions.ask(work.admin, next(work.questions))
        turn.asked += 1
        if said is not None:
            turn.wrong.append(said)
        gevent.sleep(ASK_EVERY_SECONDS)


def _reload(work: Work) -> None:
    while True:
        work.reloads += 1
        which = work.configurations[work.reloads % len(work.configurations)]
        servers.write_configuration(work.config_path, which)
        os.kill(work.pids["gateway"][0], signal.SIGHUP)
        gevent.sleep(RELOAD_EVERY_SECONDS)


def main(path: Path) -> None:
    work = Work(path)
    signing = gevent.spawn(Current.keep_signed)
    turns = []
    for scenario, users in work.scenarios:
        environments = {way: environment(work, scenario) for way in scenario.ways}
        for number in range(work.rounds):
            # The machine is not the same at both turns: neither way has the earlier one always.
            ways = scenario.ways if number % 2 == 0 else scenario.ways[::-1]
            turns += [take(work, environments[way], scenario, way, users) for way in ways]
        for way, env in environments.items():
            name = f"{scenario.name}-{way}.html"
            (work.reports / name).write_text(get_html_report(env, show_download_link=False))
    gevent.kill(signing)
    (work.directory / "turns.json").write_text(json.dumps([turn.as_dict() for turn in turns]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
