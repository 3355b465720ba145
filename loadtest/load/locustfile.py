"""For `locust -f`: the scenarios against a gateway of yours (docs/load-testing.md).

Rules: without servers of its own, so there is no other way to compare with: what can be kept is a
share of failures and a p99, which end the run with 1; objects are put through the gateway into
buckets that exist, below one prefix, and stay there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import gevent
from locust import LoadTestShape, events
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from loadtest.load import aim, calls, filling
from loadtest.load.settings import Refused, most, shape_seconds
from loadtest.load.users import (
    CLASSES,
    ChainReads,
    Current,
    Hybrid,
    Listing,
    Migration,
    Multipart,
    SmallObjects,
    Streaming,
    TunedConfig,
)

__all__ = [
    "ChainReads",
    "Hybrid",
    "Listing",
    "Migration",
    "Multipart",
    "SmallObjects",
    "Streaming",
    "TunedConfig",
]


T = TypeVar("T")


def _read(reader: Callable[[Mapping[str, str]], T]) -> T:
    try:
        return reader(os.environ)
    except Refused as refused:
        raise SystemExit(f"loadtest: {refused}") from None


ERRORS, P99_MS = _read(most)

if os.environ.get("LOAD_SHAPE"):
    _SHAPE, _SECONDS, _USERS = _read(shape_seconds)

    class Shaped(LoadTestShape):
        """The shape that LOAD_SHAPE names; locust has it take the place of --users."""

        def tick(self) -> tuple[int, float] | None:
            users = _SHAPE.users_at(self.get_run_time(), _SECONDS, _USERS)
            return None if users is None else (users, float(_USERS))


@events.init.add_listener
def _prepare_early(environment: Any, **_: object) -> None:
    """Before the time of `-t` begins, where one process does all and nobody names another host."""
    options = environment.parsed_options
    if isinstance(environment.runner, LocalRunner) and options and options.headless:
        _prepare(environment)


@events.test_start.add_listener
def _prepare(environment: Any, **_: object) -> None:
    """Put what the chosen scenarios read; a master has no users and puts nothing."""
    if isinstance(environment.runner, MasterRunner) or Current.prepared == (environment.host or ""):
        return
    Current.use(aim.from_environment(environment.host or ""))
    chosen = {one.__name__ for one in environment.user_classes}
    try:
        for name, made in CLASSES.items():
            if made.__name__ in chosen:
                filling.fill(Current.aim.place, calls.objects(Current.aim.buckets, name))
        if ChainReads.__name__ in chosen:
            fallback = aim.fallback_from_environment()
            filling.fill(fallback, calls.objects_of_fallback(Current.aim.buckets))
    except filling.NotFilled as fault:
        raise SystemExit(f"loadtest: {fault}") from None
    if Current.prepared is None:
        gevent.spawn(Current.keep_signed)
    Current.prepared = environment.host


@events.quitting.add_listener
def _check(environment: Any, **_: object) -> None:
    """End with 1 if a threshold is broken; workers leave that to their master, which has all."""
    if isinstance(environment.runner, WorkerRunner):
        return
    total = environment.stats.total
    told = []
    if not total.num_requests:
        told.append("no request was made: -t may have ended before all objects were put")
    elif total.fail_ratio > ERRORS:
        told.append(f"{total.fail_ratio:.2%} of requests failed; LOAD_MAX_ERRORS is {ERRORS:g}")
    p99 = total.get_response_time_percentile(0.99) or 0
    if p99 > P99_MS:
        told.append(f"p99 is {p99:.0f} ms; LOAD_MAX_P99_MS is {P99_MS:g}")
    for sentence in told:
        sys.stderr.write(f"loadtest: BROKEN {sentence}\n")
        environment.process_exit_code = 1
