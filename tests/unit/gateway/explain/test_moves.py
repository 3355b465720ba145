"""What moves between two configurations, and what is said about it."""

from __future__ import annotations

import pytest

from gateway.explain.moves import Behaviour, Move, Place, moves, remarks, warnings
from gateway.explain.shown_moves import as_dict, table
from tests.unit.gateway.config.loading import Desk, desk

__all__ = ["desk"]

TARGET = (
    '  {}: {{profile: s3, region: a, endpoint: "http://127.0.0.1:{}", access_key_id: A, '
    "secret_access_key: hidden}}\n"
)
TARGETS = "targets:\n" + "".join(
    TARGET.format(name, 9000 + number) for number, name in enumerate(("one", "two", "three"))
)
PEOPLE = """auth:
  identities:
    - {name: ann, access_key_id: ANN, secret_access_key: hidden-ann-secret}
    - {name: ben, access_key_id: BEN, secret_access_key: hidden-ben-secret}
"""


def text(*rules: str, default: str = "one", targets: str = TARGETS) -> str:
    listed = "".join(f"    - {{{rule}}}\n" for rule in rules)
    return f"{PEOPLE}{targets}routing:\n  default_target: {default}\n" + (
        f"  rules:\n{listed}" if rules else ""
    )


def compared(desk: Desk, old: str, new: str) -> list[str]:
    """The rows of the table, without its head and with single spaces."""
    found = moves(desk.model(old), desk.model(new))
    return [" ".join(row.split()) for row in table(found)][1:]


def test_what_stays_is_not_shown(desk: Desk) -> None:
    same = text("pattern: a-*, target: two, description: x"), text("pattern: a-*, target: two")
    assert compared(desk, *same) == []


def test_a_pattern_that_moves(desk: Desk) -> None:
    old, new = text("pattern: a-*, target: two"), text("pattern: a-*, target: three")
    assert compared(desk, old, new) == ["a-* two -> three two -> three"]


def test_a_bucket_is_an_example_of_its_narrowest_pattern(desk: Desk) -> None:
    """`x` would be one of `*` too."""
    old, new = text('pattern: "x*", target: two'), text('pattern: "x*", target: three')
    assert compared(desk, old, new) == ["x* two -> three two -> three"]


def test_the_default_moves_what_no_rule_takes(desk: Desk) -> None:
    old, new = text("pattern: a-*, target: two"), text("pattern: a-*, target: two", default="three")
    assert compared(desk, old, new) == ["* one -> three one -> three"]


def test_a_pattern_of_one_of_them_alone(desk: Desk) -> None:
    old, new = text("pattern: a, target: two"), text("pattern: b-?, target: two")
    assert compared(desk, old, new) == ["b-? one -> two one -> two", "a two -> one two -> one"]


def test_writes_that_move_alone(desk: Desk) -> None:
    old = text("pattern: a, target: two")
    new = text("pattern: a, target: three, operations: [write]", "pattern: a, target: two")
    assert compared(desk, old, new) == ["a the same two -> three"]


def test_lists_and_deletes_that_go_elsewhere_than_reads(desk: Desk) -> None:
    old = text("pattern: a, target: two")
    new = text("pattern: a, target: three, operations: [list, delete]", "pattern: a, target: two")
    assert compared(desk, old, new) == [
        "a the same the same lists two -> three; deletes two -> three"
    ]


def test_what_one_identity_asks(desk: Desk) -> None:
    old = text("pattern: a, target: two")
    new = text("pattern: a, target: three, identities: [ann]", "pattern: a, target: two")
    assert compared(desk, old, new) == ["a of ann two -> three two -> three"]
    new = text("pattern: a, target: two, identities: [ann]", "pattern: a, target: three")
    assert compared(desk, old, new) == ["a of others two -> three two -> three"]


def test_keys_of_which_some_move(desk: Desk) -> None:
    old = text("pattern: a, target: two")
    new = text('pattern: a, target: three, keys: ["raw/*"]', "pattern: a, target: two")
    first, second = compared(desk, old, new)
    assert first.startswith("a key raw/ two -> three two -> three lists two -> three > two")
    assert second == "a key any-other-key the same the same lists two -> three > two"


def test_names_at_the_target_count(desk: Desk) -> None:
    old = text("pattern: a, target: two")
    new = text("pattern: a, target: two, rewrite: {bucket: other}")
    assert compared(desk, old, new) == [
        "a two -> two, at another place two -> two, at another place"
    ]


def test_another_endpoint_counts_and_another_name_does_not(desk: Desk) -> None:
    old = text("pattern: a, target: two")
    elsewhere = text("pattern: a, target: two", targets=TARGETS.replace("9001", "9101"))
    assert compared(desk, old, elsewhere) == [
        "a two -> two, at another place two -> two, at another place"
    ]
    assert list(remarks(desk.model(old), desk.model(elsewhere))) == [
        "target two is at another endpoint: http://127.0.0.1:9001 -> http://127.0.0.1:9101"
    ]
    renamed = TARGETS.replace("two", "deux")
    assert compared(desk, old, text("pattern: a, target: deux", targets=renamed)) == []


def test_a_bucket_that_two_patterns_share(desk: Desk) -> None:
    """Nothing else moves: the order of the two rules decides about it alone."""
    first, second = 'pattern: "a-*", target: two', 'pattern: "*-b", target: three'
    (row,) = compared(desk, text(first, second), text(second, first))
    assert row == "*-b and a-* two -> three two -> three"


def test_a_row_as_json(desk: Desk) -> None:
    old, new = text("pattern: a-*, target: two"), text("pattern: a-*, target: three")
    (move,) = moves(desk.model(old), desk.model(new))
    both = {word: ["two"] for word in ("reads", "writes", "lists", "deletes")}
    shown = as_dict(move)
    assert (shown["pattern"], shown["bucket"], shown["key"]) == ("a-*", "a-x", None)
    assert (shown["old"], shown["changed"]) == (both, list(both))


# Chains


def warned(desk: Desk, old: str, new: str) -> list[str]:
    return [line for move in moves(desk.model(old), desk.model(new)) for line in warnings(move)]


def test_the_steps_of_a_move_with_a_fallback(desk: Desk) -> None:
    alone, behind = "pattern: a, target: two", "pattern: a, target: two, fallback: [three]"
    moved = text("pattern: a, target: three, fallback: [two]")
    assert compared(desk, text(alone), text(behind)) == ["a two -> two > three the same"]
    assert warned(desk, text(alone), text(behind)) == []
    assert compared(desk, text(behind), moved) == ["a two > three -> three > two two -> three"]
    (swapped,) = warned(desk, text(behind), moved)
    assert swapped.startswith("reads look at three before two now")
    (at_once,) = warned(desk, text(alone), moved)
    assert at_once.startswith("while replicas differ")


def test_places_that_conditions_choose_among(desk: Desk) -> None:
    plain = "pattern: a, target: three"
    small = "pattern: a, target: two, conditions: {max_size: 1000}"
    smaller = small.replace("1000", "500, time_range: [2, 6]")
    assert compared(desk, text(plain), text(small, plain)) == [
        "a three -> two > three three -> two (max_size 1000) | three"
    ]
    assert compared(desk, text(small, plain), text(smaller, plain)) == [
        "a the same two (max_size 1000) | three -> two (max_size 500, time_range [2, 6]) | three"
    ]


def test_custom_reads_are_where_reads_look_whatever_the_rules_say(desk: Desk) -> None:
    """A write removes the key where they look before, so that nothing hides it."""
    (desk.directory / "moves_router.py").write_text(
        "class Router:\n    def __init__(self, config): ...\n    def route_request(self, *_): ...\n"
    )
    custom = "  custom: 'moves_router:Router'\n  custom_reads: [two, one]\n"
    old, new = desk.model(text()), desk.model(text() + custom)
    (move,) = moves(old, new)
    assert [str(place) for place in move.new.reads] == ["two", "one"]
    assert move.changed == ("reads", "lists", "deletes")
    assert list(warnings(move)) == []
    (elsewhere,) = moves(old, desk.model(text(default="three") + custom))
    assert "what is written to three is not found: reads do not look there" in warnings(elsewhere)


def test_a_fallback_of_the_default_target(desk: Desk) -> None:
    new = text().replace("default_target: one", "default_target: one\n  fallback: [two]")
    assert compared(desk, text(), new) == ["* one -> one > two the same"]


# Warnings


def behaviour(reads: str, writes: str) -> Behaviour:
    def places(names: str) -> tuple[Place, ...]:
        return tuple(Place(name, (name,)) for name in names.split())

    return Behaviour(places(reads), places(writes), places(reads), places(reads))


UNSEEN = "what is written to {} is not found: reads do not look there"
BEHIND = "writes go to {}, but reads look at {} first"
GONE = "reads do not look at {} any more"
SWAPPED = "reads look at {} before {} now"
ROLLOUT = (
    "while replicas differ, those with the old configuration do not find what is written to {}"
)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (("o", "o"), ("o n", "o"), []),  # the fallback first, everywhere
        (("o n", "o"), ("n o", "n"), [SWAPPED.format("n", "o")]),  # then the writes
        (("o", "o"), ("n o", "n"), [ROLLOUT.format("n")]),  # in one step
        (("o", "o"), ("n", "n"), [GONE.format("o"), ROLLOUT.format("n")]),
        (("n o", "n"), ("n", "n"), [GONE.format("o")]),
        (("o", "o"), ("o", "n"), [UNSEEN.format("n"), ROLLOUT.format("n")]),
        (("o n", "o"), ("o n", "n"), [BEHIND.format("n", "o")]),
        (("a b", "a b"), ("b a", "b a"), [SWAPPED.format("b", "a")]),  # candidates
        (("a b c", "a"), ("c a b", "c"), [SWAPPED.format("c", "a"), SWAPPED.format("c", "b")]),
    ],
)
def test_what_is_lost_of_sight(old: tuple[str, str], new: tuple[str, str], said: list[str]) -> None:
    move = Move("p", "b", None, None, behaviour(*old), behaviour(*new))
    found = list(warnings(move))
    assert len(found) == len(said), found
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True)), found
