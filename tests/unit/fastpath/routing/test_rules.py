"""Packed rules: what a worker keeps of them, and what a lookup has to do, counted and not timed."""

from __future__ import annotations

import base64
import gc
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from zoneinfo import TZPATH

import pytest

from fastpath.routing import rules
from fastpath.routing.rules import Fallback, Packed, Rulebook, pack
from tests.doubles.rules import Conditions, Rule

READS = frozenset({"GetObject", "HeadObject"})


def rule(number: int, pattern: str, **said: object) -> Rule:
    return Rule(number, number, pattern, "store", **said)  # type: ignore[arg-type]


def many(count: int) -> Iterable[Rule]:
    """Names and prefixes in turn, some with operations or identities."""
    for number in range(1, count + 1):
        pattern = f"bucket-{number:06d}" if number % 2 else f"team-{number:06d}-*"
        yield rule(
            number,
            pattern,
            operations=READS if number % 5 == 0 else None,
            identities=("ann",) if number % 7 == 0 else None,
            description=f"of team {number}",
        )


def travelled(rules: Iterable[Rule]) -> Packed:
    packed: Packed = json.loads(json.dumps(pack(rules)))
    return packed


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, those of C too."""
    seen = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal seen
        seen += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return seen


def test_a_rule_is_no_object_of_its_own() -> None:
    text = json.dumps(pack(many(20_000)))
    gc.collect()
    before = len(gc.get_objects())
    book = Rulebook(json.loads(text))
    gc.collect()
    assert len(gc.get_objects()) - before < 200
    assert len(book) == 20_000


def test_making_a_book_of_a_thousand_times_as_many_rules_calls_nothing_more() -> None:
    few, lots = travelled(many(100)), travelled(many(50_000))
    assert calls(lambda: Rulebook(lots)) == calls(lambda: Rulebook(few))


@pytest.fixture(scope="module")
def books() -> tuple[Rulebook, Rulebook]:
    return Rulebook(travelled(many(50))), Rulebook(travelled(many(50_000)))


@pytest.mark.parametrize("bucket", [b"bucket-000001", b"team-000002-x", b"nobody", b"team-"])
def test_a_lookup_among_a_thousand_times_as_many_rules_calls_nothing_more(
    books: tuple[Rulebook, Rulebook], bucket: bytes
) -> None:
    few, lots = books
    assert few.numbers(bucket) == lots.numbers(bucket)
    assert calls(lambda: lots.numbers(bucket)) == calls(lambda: few.numbers(bucket))


def test_a_hundred_thousand_rules_travel_in_a_few_megabytes() -> None:
    assert len(json.dumps(pack(many(100_000)), separators=(",", ":"))) < 3_000_000


def test_what_rules_have_in_common_is_there_once() -> None:
    packed = pack(many(1000))
    assert len(packed["kinds"]) == 4
    assert packed["operations"] == [sorted(READS)]
    assert packed["identities"] == [["ann"]]


def test_one_name_may_have_many_rules() -> None:
    rules = [rule(n, "b", operations=READS) for n in range(1, 5)]
    book = Rulebook(travelled([*rules, rule(5, "b*"), rule(6, "b")]))
    assert book.numbers(b"b") == [1, 2, 3, 4, 5]
    assert book.numbers(b"bx") == [5]


def test_a_glob_may_be_the_last_of_all_rules_or_stand_before_what_always_matches() -> None:
    book = Rulebook.of(
        [rule(1, "x"), rule(2, "*-a", operations=READS), rule(3, "b*"), rule(4, "*a")]
    )
    assert book.numbers(b"xa") == [4]
    assert book.numbers(b"b-a") == [2, 3]


def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The globs of stars that are tried from now on."""
    seen: list[str] = []
    real = rules.matches_stars

    def judge(pattern: str, name: str) -> bool:
        seen.append(pattern)
        return real(pattern, name)

    monkeypatch.setattr(rules, "matches_stars", judge)
    return seen


def test_only_globs_that_begin_as_the_name_does_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tried(monkeypatch)
    patterns = ["x-*-a", "y-*-a", "*-a", "y-*-b", "yy*-a"]
    book = Rulebook.of([rule(n, p, operations=READS) for n, p in enumerate(patterns, 1)])
    assert book.numbers(b"y-1-a") == [2, 3]
    assert seen == ["y-*-a", "*-a", "y-*-b"]


def test_no_glob_is_tried_behind_a_rule_that_always_matches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = tried(monkeypatch)
    patterns = ["*-a", "y-*-c", "y-1-b", "*-b"]
    book = Rulebook.of([rule(n, p) for n, p in enumerate(patterns, 1)])
    assert book.numbers(b"y-1-b") == [3]
    assert seen == ["*-a", "y-*-c"]
    seen.clear()
    assert book.numbers(b"y-1-a") == [1]
    assert seen == ["*-a"]


def test_preparing_makes_every_expression_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real = rules.matcher

    def make(pattern: str) -> rules.Matcher:
        made.append(pattern)
        return real(pattern)

    monkeypatch.setattr(rules, "matcher", make)
    listed = [rule(n, f"log?-{n}" if n % 2 else f"*-{n}") for n in range(1, 201)]
    book = Rulebook.of(listed)
    sizes = []
    for _ in book.prepare():
        sizes.append(len(made) - sum(sizes))
    assert sizes == [32, 32, 32]
    assert len(made) == 100  # those of stars need none
    assert book.numbers(b"logs-199") == [199]
    assert len(made) == 100


ZONE = base64.b64encode(
    next(filter(Path.exists, (Path(one, "UTC") for one in TZPATH))).read_bytes()
).decode()


def test_conditions_zones_and_fallbacks_arrive_once_each() -> None:
    """As they were written; what rules have in common, such as a zone, stands there once."""
    night = Conditions(1, 0, ("Image/PNG", "text/*"), (22, 5), ZONE)
    day = Conditions(time_range=(6, 21), zone_file=ZONE)
    local = Conditions(time_range=(6, 21))
    moves = frozenset({"404", "5xx", "timeout"})
    packed = travelled(
        [
            *(rule(number, f"b{number}", conditions=night) for number in (1, 2)),
            rule(3, "b3", conditions=day),
            rule(4, "b4", conditions=local),
            *(
                rule(number, f"b{number}", fallback=("a", "b"), fallback_on=moves)
                for number in (5, 6)
            ),
            rule(7, "b7", fallback=("a", "b")),
            rule(8, "b8"),
        ]
    )
    assert packed["zones"] == [ZONE]
    assert packed["conditions"][0] == [1, 0, ["image/png", "text/*"], [22, 5], 0]
    assert packed["fallbacks"] == [[["a", "b"], ["5xx", "timeout"]], [["a", "b"], []]]
    assert (len(packed["conditions"]), len(packed["kinds"])) == (3, 6)
    book = Rulebook(packed)
    found = book.kind(2).conditions
    assert found is not None
    assert (found.max_size, found.min_size, found.hours) == (1, 0, (22, 5))
    assert found.content_types == ("image/png", "text/*")
    assert found.zone is not None
    zones = [book.kind(number).conditions for number in (3, 4)]
    assert [one is not None and one.zone is not None for one in zones] == [True, False]
    assert book.kind(6).fallback == Fallback(("a", "b"), frozenset({"5xx", "timeout"}))
    assert book.kind(7).fallback == Fallback(("a", "b"))
    assert (book.kind(8).conditions, book.kind(8).fallback) == (None, None)


def test_a_rule_that_says_nothing_else_passes_what_routing_says() -> None:
    own = frozenset({"404", "refused"})
    listed = [
        rule(1, "b1", fallback=("a",), fallback_on=None),
        rule(2, "b2", fallback=("a",), fallback_on=own),
    ]
    assert pack(listed, ["404", "5xx"])["fallbacks"] == [[["a"], ["5xx"]], [["a"], ["refused"]]]


@pytest.mark.parametrize(
    ("conditions", "some", "every"),
    [
        (None, True, True),
        (Conditions(min_size=5), True, True),
        (Conditions(max_size=5), False, False),
        (Conditions(content_types=("a/b",)), True, False),
        (Conditions(time_range=(1, 2)), True, False),
        (Conditions(max_size=5, min_size=1), False, False),
    ],
)
def test_which_uploads_in_parts_a_rule_takes(
    conditions: Conditions | None, some: bool, every: bool
) -> None:
    kind = Rulebook.of([rule(1, "b", conditions=conditions)]).kind(1)
    assert (kind.takes_uploads, kind.takes_every_upload) == (some, every)


def test_a_torn_book_is_refused() -> None:
    for part in pack(()):
        torn = pack(many(10))
        del torn[part]
        with pytest.raises(KeyError):
            Rulebook(torn)
