"""The configurations that plays go through, live: each journey is of layouts whose chains agree.

Two layouts agree if no object is where the one looks and the other does not, and none shows that
the other masks: a limit that moves, a fallback that is empty and added, and then the move of the
writes to it. Other changes are told by `check --against`, and no client is to be at work meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import permutations
from typing import Any

from fastpath.limits import PoolLimits, Timeouts
from tests.doubles.rules import Conditions, Rule
from tests.property.chains.stores import BUCKET, LAKE, MOTO, SORTED, TARGETS

_PROFILES = {SORTED: "s3", MOTO: "s3", LAKE: "lakefs"}


@dataclass(frozen=True, slots=True)
class Layout:
    """A configuration, and the order in which reads look; `orders`: of single keys, if another."""

    name: str
    order: tuple[str, ...]
    default: str
    rules: tuple[Rule, ...] = ()
    fallback: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def options(self, keys: dict[str, tuple[str, str]]) -> dict[str, Any]:
        """What a rig makes a snapshot of; keys: by target."""
        return {
            "targets": [_target(name) for name in TARGETS],
            "credentials": {
                name: {"access_key_id": key, "secret_access_key": secret, "token": None}
                for name, (key, secret) in keys.items()
            },
            "rules": self.rules,
            "default_target": self.default,
            "fallback": {"targets": list(self.fallback), "passes": list(self.passes)},
        }


def _target(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "profile": _PROFILES[name],
        "profile_overrides": {},
        "host": f"{name}.test",
        "port": 9000,
        "authority": f"{name}.test:9000",
        "virtual": False,
        "forgets": "drop",
        "region": "us-east-1",
        "credentials": name,
        "tls": None,
        "pool": asdict(PoolLimits()),
        "timeouts": asdict(Timeouts()),
    }


@dataclass(frozen=True, slots=True)
class Journey:
    """Layouts that clients see while they work; `in_order`: each once, else any at any time.

    stocked: targets that hold old objects at first.
    replicas: gateways of one configuration, each reloaded by itself.
    """

    name: str
    layouts: tuple[Layout, ...]
    in_order: bool = False
    stocked: tuple[str, ...] = ()
    replicas: int = 1

    @property
    def passes(self) -> bool:
        """Whether a read looks on after a failure."""
        return any(layout.passes for layout in self.layouts)

    @property
    def has_conditions(self) -> bool:
        """Whether each target deletes with If-Match; lakeFS does not."""
        return not any(LAKE in layout.order for layout in self.layouts)


Places = tuple[str, str, str]
PLACES: tuple[Places, ...] = tuple(permutations(TARGETS))


def _rule(number: int, target: str, **conditions: Any) -> Rule:
    return Rule(number, number, BUCKET, target, conditions=Conditions(**conditions))


def _behind(*order: str, passes: tuple[str, ...] = ()) -> Layout:
    """A target, and fallbacks behind it."""
    return Layout(", then ".join(order), order, order[0], fallback=order[1:], passes=passes)


def _by_size(a: str, b: str, limit: int, *behind: str) -> Layout:
    return Layout(
        f"up to {limit} bytes at {a}, else at {', then '.join([b, *behind])}",
        (a, b, *behind),
        b,
        (_rule(1, a, max_size=limit),),
        behind,
    )


def one_target(a: str, b: str, c: str) -> Journey:
    """No chain: shows that the test itself is right, and that each store is one."""
    return Journey("one target", (Layout(f"all at {a}", (a,), a),), stocked=(a,))


def fallback(a: str, b: str, c: str) -> Journey:
    return Journey("a fallback", (_behind(a, b),), stocked=(a, b))


def two_fallbacks(a: str, b: str, c: str) -> Journey:
    return Journey("two fallbacks", (_behind(a, b, c),), stocked=(b, c))


def move(a: str, b: str, c: str) -> Journey:
    """A new fallback that is empty, and then the writes move there, and the old store is behind."""
    steps = (Layout(f"all at {a}", (a,), a), _behind(a, b), _behind(b, a))
    return Journey("the writes move", steps, in_order=True, stocked=(a,))


def stale(a: str, b: str, c: str) -> Journey:
    """Reads that rather see an old object than none."""
    passes = ("5xx", "refused", "timeout")
    return Journey("reads that may be stale", (_behind(a, b, c, passes=passes),), stocked=(b, c))


def by_keys(a: str, b: str, c: str) -> Journey:
    """No key has a chain but those of the fallback, and a list is of all places."""
    own = ("main/a", "main/a-*")
    orders = {"main/a": (a,), "main/a-b": (a,)}
    layout = Layout(
        f"{own} at {a}, else at {b}, then {c}",
        (b, c),
        b,
        (Rule(1, 1, BUCKET, a, keys=own),),
        (c,),
        orders=orders,
    )
    return Journey("by keys", (layout,), stocked=(a, b, c))


def by_keys_and_size(a: str, b: str, c: str) -> Journey:
    """Some keys have a chain of three, the others of two."""
    own = ("main/a", "main/a/*")
    rules = (
        Rule(1, 1, BUCKET, a, keys=own, conditions=Conditions(max_size=1000)),
        _rule(2, b, content_types=("image/png",)),
    )
    orders = {"main/a": (a, b, c), "main/a/b": (a, b, c)}
    layout = Layout(
        f"up to 1000 bytes of {own} at {a}, images at {b}, else at {c}",
        (b, c),
        c,
        rules,
        orders=orders,
    )
    return Journey("by keys and size", (layout,), stocked=(a, b, c), replicas=2)


def _to_be(new: str, old: str) -> Layout:
    """Reads look at the new store first, where nothing is written yet."""
    rule = _rule(1, new, content_types=("x-nothing/x-is-of-this-type",))
    return Layout(f"reads at {new}, then {old}; writes at {old}", (new, old), old, (rule,))


def move_of_replicas(a: str, b: str, c: str) -> Journey:
    """The order of reads changes first, and only then the writes."""
    steps = (Layout(f"all at {a}", (a,), a), _to_be(b, a), _behind(b, a))
    return Journey("replicas move", steps, in_order=True, stocked=(a,), replicas=2)


def hasty_move_of_replicas(a: str, b: str, c: str) -> Journey:
    """The order of reads and the writes change at once: some replicas do before others."""
    steps = (Layout(f"all at {a}", (a,), a), _behind(a, b), _behind(b, a))
    return Journey("replicas move in haste", steps, in_order=True, stocked=(a,), replicas=2)


def by_size(a: str, b: str, c: str) -> Journey:
    limits = (1000, 1000, 5, 100_000)
    layouts = tuple(_by_size(a, b, limit) for limit in limits)
    return Journey("by size", layouts, stocked=(a, b), replicas=2)


def large_first(a: str, b: str, c: str) -> Journey:
    """What is large, or of unknown size, is where reads look first."""
    rule = _rule(1, a, min_size=1000)
    layout = Layout(
        f"from 1000 bytes at {a}, else at {b}",
        (a, b),
        b,
        (rule,),
    )
    return Journey("large first", (layout,), stocked=(b,))


def by_type(a: str, b: str, c: str) -> Journey:
    rule = _rule(1, a, content_types=("image/*",))
    layout = Layout(
        f"images at {a}, else at {b}",
        (a, b),
        b,
        (rule,),
    )
    return Journey("by type", (layout,), stocked=(a, b))


def three_candidates(a: str, b: str, c: str) -> Journey:
    layouts = tuple(
        Layout(
            f"images at {a}, up to {limit} bytes at {b}, else at {c}",
            (a, b, c),
            c,
            (_rule(1, a, content_types=("image/png",)), _rule(2, b, max_size=limit)),
        )
        for limit in (1000, 5)
    )
    return Journey("three candidates", layouts, stocked=(c,))


def by_size_with_fallback(a: str, b: str, c: str) -> Journey:
    return Journey("by size, and a fallback", (_by_size(a, b, 1000, c),), stocked=(c,))


def new_condition(a: str, b: str, c: str) -> Journey:
    """A rule with a condition is added before what there was."""
    steps = (Layout(f"all at {b}", (b,), b), _by_size(a, b, 1000))
    return Journey("a new condition", steps, in_order=True, stocked=(b,))


JOURNEYS: tuple[Callable[[str, str, str], Journey], ...] = (
    one_target,
    fallback,
    two_fallbacks,
    move,
    by_size,
    large_first,
    by_type,
    three_candidates,
    by_size_with_fallback,
    new_condition,
    stale,
    move_of_replicas,
    by_keys,
    by_keys_and_size,
)
