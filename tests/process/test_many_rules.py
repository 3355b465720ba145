"""A hundred thousand rules: taken while traffic flows, and nobody notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from loadtest.bench import cgroups
from tests.doubles.target import Target
from tests.process.harness import Gateway, open_config
from tests.process.load import Load

MANY = 100_000
LONGEST_SECONDS = 2.0  # of one answer; on an idle machine it is some 0.05
LARGEST_BYTES = 64 << 20  # of a worker; some 22 MiB

# A name, a prefix, and one of a hundred that needs a regular expression.
_PATTERNS = ("team-{:06d}-*", "bucket-{:06d}", "log?-{:06d}")


def with_rules(url: str, count: int, last: str) -> dict[str, object]:
    """The last rule is that of the bucket that is asked for; `last` is what it says."""
    rules: list[dict[str, object]] = [
        {
            "pattern": _PATTERNS[number % 100 if number % 100 < 3 else number % 2].format(number),
            "target": "main",
            "operations": ["read", "list"],
        }
        for number in range(count - 1)
    ]
    rules.append({"pattern": "bucket", "target": "main", "operations": [last]})
    return {**open_config(url), "routing": {"default_target": "main", "rules": rules}}


@pytest.fixture
def target() -> Iterator[Target]:
    with Target("main") as target:
        target.objects["/bucket/key"] = b"x" * 1000
        yield target


def reload_and_ask(gateway: Gateway, config: dict[str, object]) -> tuple[int | None, float]:
    """The generation, and the seconds that the longest answer took meanwhile.

    The configuration is written before: making the text of so many rules keeps this process from
    reading its answers.
    """
    gateway.write_config(config)
    ended, seconds = threading.Event(), list[float]()
    asking = threading.Thread(target=_ask, args=(gateway, ended, seconds), daemon=True)
    asking.start()
    generation = gateway.reload(None, 120)
    ended.set()
    asking.join(30)
    return generation, max(seconds)


def _ask(gateway: Gateway, ended: threading.Event, seconds: list[float]) -> None:
    """Asks on one connection until told to stop, and notes how long each answer took."""
    connection = gateway.connect(30)
    while not ended.is_set():
        begun = time.monotonic()
        connection.request("GET", "/bucket/key")
        assert connection.getresponse().read()
        seconds.append(time.monotonic() - begun)
    connection.close()


def numbers_of(gateway: Gateway, name: str) -> list[tuple[int, int]]:
    """Generation and rule of every access line of the bucket, in order of the lines."""
    return [
        (int(str(line["generation"])), int(str(line["rule"])))
        for line in gateway.access_lines(name)
        if line["bucket"] == "bucket"
    ]


def test_rules_in_thousands_are_reloaded_under_load(target: Target) -> None:
    few, more = with_rules(target.url, 10, "read"), with_rules(target.url, 3_000, "read")
    with Gateway.start(few, workers=1, access_log="access.log", log_format="json") as gateway:
        gateway.expected_files.add("access.log")
        with Load(gateway, "/bucket/key", clients=2) as load:
            for number, config in enumerate((more, few, more), 2):
                load.wait_for(20)
                assert gateway.reload(config) == number
            load.wait_for(20)
        assert load.failed() == []
        assert gateway.stop() == 0
        found = numbers_of(gateway, "access.log")
        # One worker, so the lines are in the order of the ends; the last rule won every time.
        assert {rule for generation, rule in found if generation % 2} == {10}
        assert {rule for generation, rule in found if generation % 2 == 0} == {3_000}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hundred_thousand_rules_are_taken_while_traffic_flows(target: Target) -> None:
    few = with_rules(target.url, 10, "read")
    with Gateway.start(few, workers=2, access_log="access.log", log_format="json") as gateway:
        gateway.expected_files.add("access.log")
        workers = gateway.worker_pids()
        with Load(gateway, "/bucket/key", clients=2) as load:
            load.wait_for(20)
            first, longest = reload_and_ask(gateway, with_rules(target.url, MANY, "read"))
            assert (first, longest < LONGEST_SECONDS) == (2, True), longest
            assert gateway.request("GET", "/bucket/key").status == 200
            load.wait_for(20)
            second, longest = reload_and_ask(gateway, with_rules(target.url, MANY, "GET"))
            assert (second, longest < LONGEST_SECONDS) == (3, True), longest
            load.wait_for(20)
        assert load.failed() == []
        assert gateway.worker_pids() == workers
        for pid in workers:
            assert cgroups.pages(pid).share < LARGEST_BYTES
        assert gateway.stop() == 0
        found = numbers_of(gateway, "access.log")
        assert {rule for generation, rule in found if generation == 1} == {10}
        assert {rule for generation, rule in found if generation > 1} == {MANY}


def test_an_error_far_down_is_told_with_its_place(target: Target) -> None:
    with Gateway.start(with_rules(target.url, 10, "read")) as gateway:
        rows = "".join(
            f"    - pattern: bucket-{number}\n      target: main\n" for number in range(2_000)
        )
        wrong = f"routing:\n  default_target: main\n  rules:\n{rows}"
        wrong += "    - pattern: x\n      targte: y\n"
        keys = "access_key_id: A, secret_access_key: hidden"
        head = f"auth: {{mode: open}}\ntargets: {{main: {{endpoint: '{target.url}', {keys}}}}}\n"
        assert gateway.reload(head + wrong) is None
        line = len((head + wrong).splitlines())
        assert gateway.log_contains(
            rf"gateway\.yaml:{line}:7: routing\.rules\[2000\]\.targte: unknown key"
        )
