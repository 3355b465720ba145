"""`loadtest.load` without locust: plans, shapes, requests, figures, thresholds, the report."""

from __future__ import annotations

import ast
import json
import os
import re
from dataclasses import asdict, replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

from loadtest.load import (
    aim,
    calls,
    decisions,
    measured,
    report,
    scenarios,
    servers,
    settings,
    shapes,
    signing,
    thresholds,
)
from tests.repo.tree import ROOT

LOAD = ROOT / "loadtest" / "load"
WITH_LOCUST = {"users", "locustfile", "turns"}
PLACE = aim.Place("http://127.0.0.1:9000", "AKID", "secret")
AIM = aim.Aim("direct", PLACE, {"load-data": replace(PLACE, endpoint="http://127.0.0.1:9001")})


# --- plans and shapes ---


@pytest.mark.parametrize(
    ("words", "rounds", "seconds", "count"),
    [
        ([], 3, 50 / 54, 9),
        (["--quick"], 3, 14 / 24, 4),
        (["--seconds", "18"], 2, 0.5, 9),
        (["--scenario", "small", "--seconds", "60"], 3, 10.0, 1),
        (["--scenario", "small", "--shape", "spike", "--seconds", "20"], 1, 10.0, 1),
    ],
    ids=["whole", "quick", "two rounds", "one scenario", "a shape"],
)
def test_a_plan_has_as_many_rounds_as_fit(
    words: list[str], rounds: int, seconds: float, count: int
) -> None:
    plan, _ = settings.parse(words)
    found = (plan.rounds, plan.turn_seconds, len(plan.scenarios))
    assert found == (rounds, pytest.approx(seconds), count)


def test_a_turn_goes_on_until_there_is_something_to_compare_but_not_for_ever() -> None:
    enough = settings.FEWEST_REQUESTS
    assert not settings.is_over(0.9, 1.0, enough)
    assert settings.is_over(1.0, 1.0, enough)
    assert not settings.is_over(1.0, 1.0, enough - 1)
    assert settings.is_over(1.0 + settings.LONGER_SECONDS, 1.0, 0)
    plan, _ = settings.parse(["--scenario", "small", "--seconds", "6"])
    assert plan.most_seconds >= 6 * (1.0 + settings.LONGER_SECONDS)


def test_users_are_the_scenario_s_unless_told() -> None:
    plan, _ = settings.parse(["--scenario", "tuned"])
    assert plan.users_of(plan.scenarios[0]) == 16
    plan, _ = settings.parse(["--scenario", "tuned", "--users", "3"])
    assert plan.users_of(plan.scenarios[0]) == 3


@pytest.mark.parametrize("shape", shapes.ALL, ids=lambda shape: shape.name)
def test_a_shape_reaches_all_users_has_one_at_least_and_ends(shape: shapes.Shape) -> None:
    users = [shape.users_at(second, 60.0, 50) for second in range(60)]
    assert max(filter(None, users)) == 50
    assert min(count or 0 for count in users) >= 1
    assert shape.users_at(0.0, 60.0, 1) == 1
    assert shape.users_at(60.0, 60.0, 50) is None


def test_shapes_do_what_they_are_called() -> None:
    def at(name: str) -> list[int | None]:
        return [shapes.named(name).users_at(second, 10.0, 100) for second in range(10)]

    ramp = [count or 0 for count in at("ramp")]
    assert ramp == sorted(ramp)
    assert (ramp[0], ramp[-1]) == (10, 100)
    assert at("spike") == [10, 10, 10, 10, 100, 100, 10, 10, 10, 10]
    assert at("soak")[1:] == [70] * 9


def test_the_environment_of_a_locustfile_names_a_shape() -> None:
    told = {"LOAD_SHAPE": "ramp", "LOAD_SECONDS": "90", "LOAD_USERS": "7"}
    shape, seconds, users = settings.shape_seconds(told)
    assert (shape.name, seconds, users) == ("ramp", 90.0, 7)
    with pytest.raises(settings.Refused, match="LOAD_USERS=many is no number of users"):
        settings.shape_seconds({"LOAD_USERS": "many"})


def test_the_environment_names_what_a_run_may_be() -> None:
    assert settings.most({}) == (0.001, float("inf"))
    told = {"LOAD_MAX_ERRORS": "0", "LOAD_MAX_P99_MS": "250"}
    assert settings.most(told) == (0.0, 250.0)
    with pytest.raises(settings.Refused, match="LOAD_MAX_P99_MS=fast is no number of millis"):
        settings.most({"LOAD_MAX_P99_MS": "fast"})
    with pytest.raises(settings.Refused, match="LOAD_MAX_ERRORS=2 is no number of"):
        settings.most({"LOAD_MAX_ERRORS": "2"})


# --- where requests go ---


def test_a_way_crosses_processes_and_its_secrets_are_not_shown() -> None:
    way = replace(AIM, fallback=PLACE)
    assert aim.from_dict(json.loads(json.dumps(way.as_dict()))) == way
    assert "secret'" not in repr(way)


def test_a_gateway_of_ones_own_is_named_by_the_environment() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "LOAD_BUCKET_DATA": "mine"}
    found = aim.from_environment("http://gateway:8080/", keys)
    assert found.of("mine") == aim.Place("http://gateway:8080", "a", "b")
    assert (found.buckets.data, found.buckets.other) == ("mine", "lakefs-data")


@pytest.mark.parametrize(
    ("endpoint", "keys", "says"),
    [
        ("", {}, "name the gateway: --host"),
        ("http://g", {"AWS_ACCESS_KEY_ID": "a"}, "set AWS_SECRET_ACCESS_KEY: "),
    ],
    ids=["no endpoint", "no secret"],
)
def test_what_lacks_is_named(endpoint: str, keys: dict[str, str], says: str) -> None:
    with pytest.raises(SystemExit, match=re.escape(says)):
        aim.from_environment(endpoint, keys)


def test_chain_reads_say_which_store_they_lack() -> None:
    with pytest.raises(SystemExit, match="LOAD_FALLBACK_ENDPOINT"):
        aim.fallback_from_environment({})
    with pytest.raises(SystemExit, match="LOAD_FALLBACK_ACCESS_KEY_ID and LOAD_FALLBACK_SECRET"):
        aim.fallback_from_environment({"LOAD_FALLBACK_ENDPOINT": "http://store"})


# --- requests ---


@pytest.mark.parametrize("scenario", [one.name for one in scenarios.ALL if one.fast])
def test_what_a_scenario_reads_is_what_was_put(scenario: str) -> None:
    asked = calls.of(scenario, AIM)
    put = {
        (call.bucket, call.key): len(call.body)
        for call in [
            *calls.objects(AIM.buckets, scenario),
            *calls.objects_of_fallback(AIM.buckets),
        ]
    }
    reads = [call for call in asked if call.key and call.method != "PUT"]
    assert {(call.bucket, call.key) for call in reads} <= put.keys()
    for call in reads:
        assert call.expected_bytes in (None, put[call.bucket, call.key])
    assert all(key.startswith(aim.PREFIX) for _, key in put)
    assert asked


def test_a_query_is_signed_as_it_is_sent() -> None:
    """S3 sorts and codes what it signs: a URL that is not so already would be another one."""
    for call in calls.of("listing", AIM):
        pairs = call.query.split("&")
        assert pairs == sorted(pairs)
        assert "/" not in call.query


def test_signatures_are_made_anew_before_they_expire() -> None:
    now = [1000.0]
    book = signing.Book([signing.Call("GET", "GET", "load-data", "k")], AIM, lambda: now[0])
    first = book.take()
    assert first.url == "http://127.0.0.1:9001/load-data/k"  # the place of its bucket
    now[0] += signing.SIGNED_FOR_SECONDS - 1
    assert not book.renew_if_due()
    assert book.take() is first
    now[0] += 1
    assert book.renew_if_due()
    assert book.take() is not first
    assert signing.SIGNED_FOR_SECONDS < 15 * 60


def test_requests_are_taken_by_weight() -> None:
    names = {"often": 9, "seldom": 1}
    made = [signing.Call(name, "GET", "b", weight=weight) for name, weight in names.items()]
    book = signing.Book(made, AIM)
    often = [book.take().call.name for _ in range(500)].count("often")
    assert 380 < often < 490  # 450, by more than six standard deviations at each side


def test_decisions_are_those_of_the_rules() -> None:
    """Each bucket, by the first rule that matches it."""
    asked = decisions.expected(aim.Buckets())
    assert {one.bucket for one in asked} == set(asdict(aim.Buckets()).values())
    for one in asked:
        matching = [rule for rule in servers.RULES if fnmatch(one.bucket, str(rule["pattern"]))]
        assert matching[0]["target"] == one.target


# --- figures ---


def turn(way: str, latency_ms: float = 10.0, requests: int = 100, **more: object) -> measured.Turn:
    made = measured.Turn("small", way, 1.0, [latency_ms] * requests, asked=5)
    made.cpu = {"locust": 0.5, "gateway": 0.5, "stores": 0.5}
    for name, value in more.items():
        setattr(made, name, value)
    return made


def compared(*turns: measured.Turn) -> measured.Compared:
    return measured.compare("small", ("direct", "gateway"), turns)


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert measured.percentile(values, 0.99) == 99.0
    assert measured.percentile(values, 0.5) == 50.0
    assert measured.percentile([7.0], 0.99) == 7.0
    assert measured.percentile([], 0.99) == 0.0


def test_throughput_is_the_median_of_neighbouring_turns() -> None:
    """The machine was half as fast in the third round: it was so for both ways."""
    found = compared(
        turn("direct", requests=100),
        turn("gateway", requests=80),
        turn("gateway", requests=10),  # somebody else had the cores
        turn("direct", requests=100),
        turn("direct", requests=50),
        turn("gateway", requests=41),
    )
    assert found.throughput == pytest.approx(0.8)
    assert found.second.requests == 131


def test_failures_are_no_throughput_and_the_first_are_kept() -> None:
    one = turn("gateway", requests=10)
    for number in range(8):
        one.fail(f"GET: {number % 7}")
    assert one.per_second == 2.0
    assert one.failures == [f"GET: {number}" for number in range(measured.KEPT_FAILURES)]
    assert measured.from_dict(json.loads(json.dumps(one.as_dict()))) == one


SMALL = scenarios.named("small")


def test_what_ends_after_its_turn_is_slow_or_failed_and_no_throughput() -> None:
    turn = measured.Turn("small", "gateway", latencies_ms=[1.0, 1.0])
    turn.end(1.0)
    turn.latencies_ms.append(3000.0)
    turn.stopped(3.0, 10.0)
    assert (turn.per_second, turn.failed, max(turn.latencies_ms)) == (2.0, 0, 3000.0)
    turn.stopped(10.0, 10.0)
    assert turn.failures == ["a request did not end within 10 s"]


def test_equal_ways_keep_every_threshold() -> None:
    assert thresholds.broken(SMALL, compared(turn("direct"), turn("gateway"))) == []


@pytest.mark.parametrize(
    ("direct", "gateway", "says"),
    [
        (
            turn("direct"),
            turn("gateway", failed=1, failures=["GET: 503 SlowDown"]),
            "gateway: 1 of 100 requests failed; at most 0.1% may: GET: 503 SlowDown",
        ),
        (
            turn("direct", failed=2, failures=["GET: 403"]),
            turn("gateway"),
            "direct: 2 requests failed: GET: 403",
        ),
        (
            turn("direct", requests=1000),
            turn("gateway", requests=240),
            "throughput is 0.24 of direct; 0.25 is to be kept",
        ),
        (
            turn("direct", 20.0),
            turn("gateway", 101.0),
            "p99 is 101 ms, 5.0 times that of direct; 5 times, or 60 ms more, may be",
        ),
        (turn("direct"), turn("gateway", requests=0), "gateway: no request was answered"),
        (
            turn("direct"),
            turn("gateway", wrong=["GetObject in a: to s3 instead of lakefs"]),
            "1 of 10 decisions are wrong: GetObject in a: to s3 instead of lakefs",
        ),
        (turn("direct", asked=0), turn("gateway", asked=0), "no decision was asked for"),
    ],
    ids=["errors", "direct fails", "throughput", "p99", "silence", "routing", "nobody asked"],
)
def test_each_threshold_can_be_broken(
    direct: measured.Turn, gateway: measured.Turn, says: str
) -> None:
    assert says in thresholds.broken(SMALL, compared(direct, gateway))


def test_a_p99_of_few_milliseconds_may_be_many_times_as_much() -> None:
    """A scheduler's turn is no regression: 2 ms against 61 ms are kept, 20 against 101 are not."""
    assert thresholds.broken(SMALL, compared(turn("direct", 2.0), turn("gateway", 61.0))) == []


def test_a_run_of_reloads_without_a_reload_is_broken() -> None:
    made = scenarios.named("reload")
    found = compared(turn("direct"), turn("gateway"))
    assert thresholds.broken(made, found) == ["no reload was applied"]
    found = compared(turn("direct"), turn("gateway", reloads=1))
    assert thresholds.broken(made, found) == []


@pytest.mark.parametrize(
    ("cpu", "limit"),
    [
        ({"locust": 0.9, "gateway": 1.0, "stores": 0.1}, "locust"),
        ({"locust": 0.2, "gateway": 1.7, "stores": 0.1}, "gateway"),
        ({"locust": 0.5, "gateway": 0.2, "stores": 0.3, "machine": 1.8}, "machine"),
        ({"locust": 0.3, "gateway": 0.5, "stores": 0.8, "machine": 1.65}, "none"),
    ],
    ids=["locust", "gateway", "machine", "none"],
)
def test_the_limit_is_whoever_had_no_core_left(cpu: dict[str, float], limit: str) -> None:
    found = compared(turn("direct"), turn("gateway", cpu=cpu))
    assert thresholds.limit(found.second, workers=2, cores=2) == limit


def test_the_machine_s_time_is_what_it_did_not_wait() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    fields = (10, 2, 3, 500, 60, 1, 1, 3, 9, 9)  # the last two are guests, and are in the first
    stat = "cpu  " + " ".join(str(ticks * field) for field in fields) + "\ncpu0 1 2 3\n"
    assert servers.busy_seconds(stat) == 20.0


# --- the report ---


def test_the_table_and_the_page_say_the_same_and_escape() -> None:
    found = [compared(turn("direct", requests=100), turn("gateway", requests=73))]
    rows = report.rows(found, 2, 2)
    assert rows[1][1:7] == ["gateway", "73", "0", "73", "0.73", "10.0"]
    lines = report.told_lines({"small": ["<Code>SlowDown</Code>"]}, found)
    assert lines[0] == "routing: 10 of 10 decisions as expected, asked under load"
    page = report.page("2 cores", rows, lines, ["small-direct.html"])
    assert "<li class=broken>BROKEN small: &lt;Code&gt;SlowDown&lt;/Code&gt;</li>" in page
    assert '<a href="small-direct.html">small-direct</a>' in page
    for cell in rows[1]:
        assert f"<td>{cell}</td>" in page
        assert cell in report.table(rows)


def test_nothing_broken_is_said_too() -> None:
    found = [compared(turn("direct"), turn("gateway", reloads=3))]
    assert report.told_lines({"small": []}, found)[1:] == [
        "reloads: 3 applied under load",
        "all thresholds are kept",
    ]


# --- the package ---


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", sorted(LOAD.glob("*.py")), ids=lambda path: path.stem)
def test_only_three_modules_know_locust(path: Path) -> None:
    needs = {f"loadtest.load.{name}" for name in WITH_LOCUST} | {"locust", "gevent"}
    assert bool(imports_of(path) & needs) == (path.stem in WITH_LOCUST)


def test_every_scenario_has_a_class_of_users_and_is_documented() -> None:
    """Read as text, since importing it needs locust."""
    users = (LOAD / "users.py").read_text().partition("\nCLASSES")[2]
    classes = dict(re.findall(r'^    "(\w+)": (\w+),$', users, re.MULTILINE))
    assert tuple(classes) == scenarios.NAMES
    page = (ROOT / "docs" / "load-testing.md").read_text()
    for one in scenarios.ALL:
        assert f"| `{one.name}` | {one.says} |" in page
        assert f"`{classes[one.name]}`" in page
    for shape in shapes.ALL:
        assert f"| `{shape.name}` | {shape.says} |" in page
