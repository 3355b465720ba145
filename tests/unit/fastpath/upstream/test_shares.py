"""A5: no holder takes what others need: connections to a target, places of waiters, memory."""

from __future__ import annotations

import random

import pytest

from fastpath.limits import PoolLimits
from fastpath.upstream.lessee import Failure
from fastpath.upstream.shares import Shares, holder_at
from tests.doubles.http1 import get, ok, put, read_answers
from tests.doubles.wire import Peer, Rig
from tests.unit.fastpath.upstream.test_pool import Bench, Borrower


def taken(shares: Shares, holder: str) -> int:
    """As much as this holder may take, taken."""
    count = 0
    while shares.total < 256 and shares.may_take(holder):
        shares.take(holder)
        count += 1
    return count


def test_one_that_is_alone_has_nearly_everything_and_each_that_comes_something() -> None:
    """A5: the figures that the setting's reason names."""
    shares = Shares(256, PoolLimits().identity_percent)
    assert [taken(shares, holder) for holder in "abcd"] == [230, 23, 2, 1]


@pytest.mark.parametrize(
    ("limit", "percent", "alone"),
    [(1, 90, 1), (2, 90, 1), (10, 90, 9), (256, 90, 230), (256, 100, 256), (256, 1, 2)],
)
def test_what_a_holder_has_alone(limit: int, percent: int, alone: int) -> None:
    """A5: always one, and of two or more never all, unless that is asked for."""
    shares = Shares(limit, percent)
    count = 0
    while count < limit and shares.may_take("a"):
        shares.take("a")
        count += 1
    assert count == alone


@pytest.mark.parametrize("holders", [2, 3, 10])
def test_holders_that_are_all_busy_come_to_have_the_same(holders: int) -> None:
    """A5: whoever came first; everything is given back and taken again in some order."""
    rnd = random.Random(holders)
    shares = Shares(256, 90)
    names = [str(at) for at in range(holders)]
    held = [name for name in names for _ in range(taken(shares, name))]
    for _ in range(20_000):
        shares.give_back(held.pop(rnd.randrange(len(held))))
        name = rnd.choice(names)
        if shares.may_take(name):
            shares.take(name)
            held.append(name)
    counts = [held.count(name) for name in names]
    assert max(counts) < 2 * 256 / holders, counts
    assert sum(counts) > 200


def test_nothing_is_kept_of_who_has_nothing() -> None:
    """A5: no memory per holder that was ever seen."""
    shares = Shares(10, 90)
    for at in range(1000):
        shares.take(str(at))
        shares.give_back(str(at))
    assert repr(shares) == "<Shares 0 of 10: {}>"


@pytest.mark.parametrize(
    ("address", "holder"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
        ("2001:db8:1:2::9", "2001:0db8:0001:0002"),
        ("fe80::1%eth0", "fe80:0000:0000:0000"),
        ("::ffff:192.0.2.1", "0000:0000:0000:0000:0000:ffff:c000:0201"),
        ("", ""),
    ],
)
def test_who_is_at_an_address(address: str, holder: str) -> None:
    """A5: of IPv6, everybody has 64 bits to choose from."""
    assert holder_at(address) == holder


# --- connections ---


def test_another_holder_finds_a_connection_however_many_one_wants() -> None:
    """A5: at once, without waiting."""
    bench = Bench(max_connections=10)
    greedy = bench.borrow_for("greedy", 50)
    assert sum(one.told == ["leased"] for one in greedy) == 9
    (other,) = bench.borrow_for("other")
    assert other.told == ["leased"]
    bench.give_back(other)
    assert other.told == ["leased", 200]
    assert bench.shows(idle=1, busy=9, waiting=41)
    (again,) = bench.borrow_for("other")
    assert again.connection is other.connection


def test_who_has_its_share_is_served_by_what_it_gives_back() -> None:
    """A5: in the order they came."""
    bench = Bench(max_connections=10)
    greedy = bench.borrow_for("greedy", 11)
    bench.give_back(greedy[4])
    assert greedy[9].connection is greedy[4].connection
    bench.peer_of(greedy[5]).resets()
    assert greedy[10].told == ["leased"]
    assert bench.shows(busy=9)


def test_lines_are_served_in_turn() -> None:
    """A5: a long line of one does not hold up the short ones of others."""
    bench = Bench(max_connections=2)
    first, second = bench.borrow(2)
    long = bench.borrow_for("long", 5)
    (short,) = bench.borrow_for("short")
    bench.give_back(first)
    assert long[0].connection is first.connection
    bench.give_back(long[0])
    assert short.connection is first.connection
    bench.give_back(second)
    assert long[1].connection is second.connection


def test_a_connection_that_others_gave_back_serves_who_may_have_it_then() -> None:
    """A5: kept ones are used before new ones are opened."""
    bench = Bench(max_connections=4)
    others = bench.borrow(2)
    mine = bench.borrow_for("mine", 3)
    assert [one.told for one in mine] == [["leased"], [], []]
    bench.give_back(others[0])
    assert mine[1].connection is others[0].connection
    bench.give_back(others[1])
    assert mine[2].connection is others[1].connection
    assert len(bench.rig.loop.connects) == 3


def test_a_connect_that_fails_gives_its_share_back() -> None:
    """A5: and so does one that closes."""
    bench = Bench(max_connections=2)
    for _ in range(2):  # four failures: a fifth would open the breaker
        bench.rig.connect_fault = OSError("no")
        (failed,) = bench.borrow_for("mine")
        assert failed.told[0][0] == "failed"
        bench.rig.connect_fault = None
        (served,) = bench.borrow_for("mine")
        bench.peer_of(served).resets()
    assert bench.shows()
    assert bench.pool._shares.total == 0


def test_a_second_holder_of_one_connection_waits() -> None:
    """A5: of one there is no share."""
    bench = Bench(max_connections=1)
    (first,) = bench.borrow_for("a")
    (second,) = bench.borrow_for("b")
    assert second.told == []
    bench.give_back(first)
    assert second.told == ["leased"]


def test_places_of_waiters_are_shared_too() -> None:
    """A5: one too many of one holder is told at once; another still may wait."""
    bench = Bench(max_connections=1, max_waiters=10)
    bench.borrow_for("greedy")
    greedy = bench.borrow_for("greedy", 12)
    refused = [one for one in greedy if one.told]
    assert len(refused) == 3
    assert refused[0].told == [
        ("failed", "first.test:9000: too many requests wait", Failure.OVERLOAD)
    ]
    (other,) = bench.borrow_for("other")
    assert other.told == []


def play(bench: Bench, borrower: Borrower, chance: float) -> None:
    """Something happens to one that borrowed or waits."""
    if borrower.told == ["leased"]:
        if chance < 0.2:
            bench.peer_of(borrower).resets()
        else:
            bench.give_back(borrower)
    elif chance < 0.3:
        bench.pool.give_up(borrower)


def test_whatever_happens_nothing_stays_counted() -> None:
    """A5: connects, resets, waiters that give up or wait too long, in any order."""
    rnd = random.Random(5)
    bench = Bench(max_connections=5, max_waiters=20, wait_seconds=3)
    out: list[Borrower] = []
    for turn in range(2000):
        out += bench.borrow_for(rnd.choice("aaaaab"))
        play(bench, rnd.choice(out), rnd.random())
        if turn % 10 == 0:
            bench.rig.pass_time(1)
        out = [one for one in out if one.told in ([], ["leased"])] or bench.borrow_for("a")
    bench.rig.pass_time(4)  # who still waits is told
    for one in out:
        if one.told == ["leased"]:
            bench.peer_of(one).resets()
    assert "busy=0 connecting=0 waiting=0" in repr(bench.pool)
    assert bench.pool._shares.total == 0
    assert not bench.pool._waiting.queues
    assert not bench.rig.defects


# --- whole exchanges ---


def clients(rig: Rig, count: int, request: bytes) -> list[Peer]:
    peers = [rig.connect() for _ in range(count)]
    for peer in peers:
        peer.says(request)
    return peers


def test_who_is_not_known_is_counted_by_address() -> None:
    """A5: `auth.mode: open`."""
    rig = Rig(pool={"max_connections": 10})
    clients(rig, 20, get())
    assert len(rig.targets) == 9
    other = rig.connect("198.51.100.7")
    other.says(get())
    rig.target.says(ok(b"served"))
    assert read_answers(other.heard, [b"GET"])[0].body == b"served"


def test_an_upload_that_waits_is_not_read() -> None:
    """A13: it holds what came with its head, and goes on when there is a connection."""
    rig = Rig(pool={"max_connections": 1})
    (busy,) = clients(rig, 1, get())
    body = bytes(1_000_000)
    whole = put("/b-b/k", body)
    client = rig.connect()
    client.says(whole[:5000])
    assert not client.transport.reading
    client.says(whole[5000:300_000], whole[300_000:])
    assert not client.transport.reading
    rig.target.says(ok(b"first"))
    assert busy.heard
    assert client.transport.reading
    assert rig.target.heard.endswith(body)


@pytest.mark.parametrize("cut", [0, 1], ids=["head alone", "with a byte"])
def test_an_upload_that_waits_in_vain_is_told_and_read_away(cut: int) -> None:
    """A13: reading goes on, so that the next request is served."""
    rig = Rig(pool={"max_connections": 1, "wait_seconds": 5})
    clients(rig, 1, get())
    whole = put("/b-b/k", bytes(100_000))
    client = rig.connect()
    client.says(whole[: len(whole) - 100_000 + cut])
    assert not client.transport.reading
    rig.pass_time(6)
    assert b"<Code>SlowDown</Code>" in client.heard
    assert client.transport.reading
    client.says(whole[len(whole) - 100_000 + cut :])
    client.take()
    client.says(get("/-/healthz"))
    assert client.heard.startswith(b"HTTP/1.1 200 OK")
