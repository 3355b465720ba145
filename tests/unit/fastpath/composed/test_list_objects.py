"""`fastpath.composed.object_lists`: one list of the objects of several places."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from fastpath.routing.rewrite import Rewrite
from fastpath.s3.continuation_tokens import make_token
from fastpath.sockets.read_buffers import FIRST_READ, NEXT_READ
from tests.doubles.http1 import get, ok
from tests.doubles.listed_store import ListedStore, Style
from tests.doubles.rules import Rule
from tests.unit.fastpath.composed.bench import Bench
from tests.unit.fastpath.composed.copies.bench import Side
from tests.unit.fastpath.composed.merging import (
    BUCKET,
    SORTED,
    Merging,
    Shown,
    merged,
    query_of,
)

NEW = ListedStore({"a": "new-a", "c": "new-c", "d/x": "new"})
OLD = ListedStore({"a": "old-a", "b": "old-b", "d/y": "old", "e": "old"})
ENCODED = "list-type=2&encoding-type=url"
REFUSED = b"<Error><Code>AccessDenied</Code><Message>arn:aws:iam::1:user/gw</Message></Error>"
MISSING = b"<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>"


def two(new: ListedStore = NEW, old: ListedStore = OLD) -> list[Shown]:
    return [Shown("first", new), Shown("generic", old, Rewrite(b"old"))]


def numbered(first: int, end: int, step: int = 1, page: int = 1000) -> ListedStore:
    return ListedStore(
        {f"k{number:04}": "e" for number in range(first, end, step)}, Style(page=page)
    )


# What a client gets


def test_keys_in_order_each_once_of_the_place_that_reads_look_at_first() -> None:
    merging = Merging(two())
    page = merging.page()
    assert page.names == ["a", "b", "c", "d/x", "d/y", "e"]
    assert page.etags == ['"new-a"', '"old-b"', '"new-c"', '"new"', '"old"', '"old"']
    asked = "list-type=2&max-keys=550&encoding-type=url"
    assert merging.asked == [("first", "b-b", asked), ("generic", "old", asked)]
    assert merging.line() == (200, "")
    assert merging.calls() == [("ListObjectsV2", 200, "")] * 2
    assert merging.is_at_rest
    assert not merging.told()


def test_the_document_of_v2() -> None:
    merging = Merging(two(ListedStore({"p &": "1"}), ListedStore({"p+/x": "2", "p~": "3"})))
    merging.ask(f"{ENCODED}&prefix=p&delimiter=%2F&max-keys=2&start-after=p")
    row = (
        "<Contents><Key>p+%26</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
        '<ETag>"1"</ETag><Owner><ID>1</ID></Owner></Contents>'
    )
    assert merging.taken().body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b-b</Name>'
        "<Prefix>p</Prefix>"
        f"<NextContinuationToken>{make_token(b'b-b*', 'p+/')}</NextContinuationToken>"
        "<StartAfter>p</StartAfter><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>"
        "<Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
        f"{row}<CommonPrefixes><Prefix>p%2B/</Prefix></CommonPrefixes></ListBucketResult>"
    )


def test_the_document_of_v1() -> None:
    merging = Merging(two(ListedStore({"a<": "1"}), ListedStore({"a/x": "2"})))
    merging.ask("delimiter=/&max-keys=1&marker=Z%01")
    assert merging.taken().body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b-b</Name>'
        "<Prefix></Prefix><Marker>Z\ufffd</Marker><NextMarker>a/</NextMarker><MaxKeys>1</MaxKeys>"
        "<Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>"
        "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></ListBucketResult>"
    )
    assert merging.page("marker=a/x").names == ["a<"]
    # Owners are part of a V1 list, and of one of V2 that asks for them.
    assert [one[2].endswith("&fetch-owner=true") for one in merging.asked] == [True] * 4
    assert merging.page("list-type=2&fetch-owner=true").names == ["a/x", "a<"]
    assert merging.asked[-1][2].endswith("&fetch-owner=true")


def test_v1_without_a_delimiter_has_no_next_marker() -> None:
    page = Merging(two()).page("max-keys=1")
    assert page.is_truncated
    assert "NextMarker" not in page.fields


@pytest.mark.parametrize(
    ("size", "names", "is_truncated"),
    [(0, [], False), (1, ["a"], True), (5, ["a", "b", "c", "d/x", "d/y"], True), (6, None, False)],
)
def test_max_keys(size: int, names: list[str] | None, is_truncated: bool) -> None:
    page = Merging(two()).page(f"list-type=2&max-keys={size}")
    assert page.names == (["a", "b", "c", "d/x", "d/y", "e"] if names is None else names)
    assert page.is_truncated == is_truncated
    assert page.fields["KeyCount"] == str(len(page.names))


def test_a_page_has_no_more_than_a_thousand() -> None:
    merging = Merging(two(numbered(0, 1201, 2), numbered(1, 1201, 2)))
    page = merging.page("list-type=2&max-keys=5000")
    assert (len(page.names), page.is_truncated, page.fields["MaxKeys"]) == (1000, True, "1000")
    token = page.fields["NextContinuationToken"]
    page = merging.page(f"list-type=2&continuation-token={token}")
    assert (len(page.names), page.is_truncated) == (201, False)
    assert page.fields["ContinuationToken"] == token


@pytest.mark.parametrize(
    "query",
    [
        "list-type=2&max-keys=x",
        "max-keys=-1",
        "list-type=2&encoding-type=base64",
        "list-type=2&marker=a",
        "start-after=a",
        "list-type=2&continuation-token=",
        "list-type=2&continuation-token=a",
        f"list-type=2&continuation-token={make_token(b'other', 'a')}",
        f"list-type=2&prefix=b&continuation-token={make_token(BUCKET.encode(), 'a')}",
    ],
)
def test_a_page_that_cannot_be(query: str) -> None:
    merging = Merging(two())
    merging.ask(query)
    answer = merging.taken()
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert not merging.asked


def test_what_s3_reads_with_a_list_goes_along() -> None:
    merging = Merging(two())
    merging.spoilt = lambda _, document: ok(document, "x-amz-request-charged: requester")
    sent = {
        "x-amz-optional-object-attributes": "RestoreStatus",
        "x-amz-request-payer": "requester",
        "x-amz-expected-bucket-owner": "1",
    }
    merging.ask("list-type=2", *(f"{name}: {value}" for name, value in sent.items()))
    assert merging.taken().fields["x-amz-request-charged"] == "requester"
    for peer in merging.rig.targets:
        for name, value in sent.items():
            assert f"\r\n{name}: {value}\r\n".encode() in peer.heard.lower().replace(
                b"restorestatus", b"RestoreStatus"
            )


# What is asked of whom


def test_a_page_is_asked_for_once_it_is_needed() -> None:
    """A place after those before it, and once more if one of them moves on: a key may move, too."""
    merging = Merging(two(numbered(0, 1000), numbered(2000, 3000)))
    merging.ask(play=False)
    assert len(merging.rig.targets) == 1
    merging.play()
    assert len(read_names(merging)) == 1000
    assert [(one[0], one[2][:36]) for one in merging.asked] == [
        ("first", "list-type=2&max-keys=550&encoding-ty"),
        ("generic", "list-type=2&max-keys=550&encoding-ty"),
        ("first", "list-type=2&continuation-token=azA1N"),
        ("generic", "list-type=2&start-after=k0549&max-ke"),
    ]
    assert "&max-keys=451&" in merging.asked[2][2]


def test_a_page_of_a_target_is_read_in_the_largest_pieces() -> None:
    """None of it is left to splice(2); the next request on the connection is read as others are."""
    merging = Merging(two())
    merging.ask(play=False)
    (peer,) = merging.rig.targets
    protocol: Any = peer.protocol
    assert protocol.get_buffer(-1) is NEXT_READ
    merging.play()
    assert read_names(merging)[0] == "a"
    merging.client.says(get("/b-b/k"))
    assert (protocol.lessee is not None, protocol.get_buffer(-1)) == (True, FIRST_READ)


def read_names(merging: Merging) -> list[str]:
    body = merging.taken().body.decode()
    return [part.partition("<")[0] for part in body.split("<Key>")[1:]]


def test_a_small_page_asks_for_little() -> None:
    merging = Merging(two())
    merging.page("list-type=2&max-keys=3&prefix=a&start-after=a")
    assert {one[2] for one in merging.asked} == {
        "list-type=2&prefix=a&start-after=a&max-keys=4&encoding-type=url"
    }


def test_a_target_without_encoding_type_is_not_asked_for_it() -> None:
    plain = ListedStore({"a b": "1", "a&": "2"}, Style(encodes=False))
    merging = Merging(two(plain, OLD), overrides={"lists": ["sorted", "start-after"]})
    assert merging.page(ENCODED).names[:2] == ["a", "a b"]
    assert "encoding" not in merging.asked[0][2]


def test_names_are_encoded_for_the_client_that_asks_for_it() -> None:
    names = ["%2B +", "+ a", "~/é", "\n"]
    for some in (names, names[:3]):
        plain = ListedStore(dict.fromkeys(some, "1"), Style(encodes=False))
        merging = Merging(two(plain, ListedStore()))
        assert merging.page(ENCODED).names == sorted(some, key=str.encode)


def test_a_target_that_cannot_begin_anywhere_lists_from_the_beginning() -> None:
    lists = {"lists": ["sorted", "encoding-type"]}
    merging = Merging(two(numbered(0, 30, page=10), numbered(30, 40)), overrides=lists)
    page = merging.page("list-type=2&max-keys=3&start-after=k0018")
    assert page.names == ["k0019", "k0020", "k0021"]
    assert not any("start-after" in one[2] for one in merging.asked)
    assert merging.page("list-type=2&start-after=k0038").names == ["k0039"]


def test_a_target_that_does_not_sort() -> None:
    merging = Merging(two(), overrides={"lists": ["encoding-type", "start-after"]})
    merging.ask()
    answer = merging.taken()
    assert (answer.status, answer.code) == (501, "NotImplemented")
    assert b"longer prefix" in answer.body
    assert not merging.asked
    ((target, message),) = merging.told()
    assert target == "first"
    assert "profile_overrides.lists" in message


# Names


def test_places_with_other_names() -> None:
    places = [
        Shown("first", ListedStore({"main/a": "1", "main/b/c": "2"}), Rewrite(b"x", b"main/")),
        Shown("generic", ListedStore({"q": "3"}), Rewrite(b"y", b"", b"b/")),
    ]
    merging = Merging(places)
    assert merging.page().names == ["a", "b/c", "b/q"]
    assert merging.page("list-type=2&delimiter=/").names == ["a", "b/"]
    assert merging.page("list-type=2&prefix=b/&start-after=b/c").names == ["b/q"]
    merging.asked.clear()
    assert merging.page("list-type=2&prefix=a").names == ["a"]
    assert [(one[0], one[1]) for one in merging.asked] == [("first", "x")]
    assert "prefix=main%2Fa&" in merging.asked[0][2]


def test_a_key_that_is_not_the_client_s() -> None:
    place = Shown("first", ListedStore({"main/a": "1"}), Rewrite(b"x", b"main/"))
    merging = Merging([place, Shown("generic", OLD)])
    merging.spoilt = lambda _, document: ok(document.replace(b"main/a", b"other/a"))
    merging.ask()
    assert merging.taken().status == 503
    assert "key_prefix" in merging.told()[-1][1]
    assert b"other" not in merging.client.heard


def test_a_page_of_another_list() -> None:
    merging = Merging(two())
    merging.spoilt = lambda target, _: page_of("b", "z") if target == "generic" else None
    merging.ask("list-type=2&prefix=b")
    assert merging.taken().status == 503
    assert "does not begin with the prefix" in merging.told()[-1][1]


def test_a_page_that_ends_with_a_name_that_nobody_could_send() -> None:
    merging = Merging(two(ListedStore({"a": "1", "b": "2"}), ListedStore()))
    merging.spoilt = lambda _, document: ok(document.replace(b"<Key>a<", b"<Key>a%FF<"))
    merging.ask(f"{ENCODED}&max-keys=1")
    assert merging.taken().status == 503
    assert "no UTF-8" in merging.told()[-1][1]
    assert not merging.rig.defects


def stripped(*names: str, globs: tuple[str, ...] | None = None, page: int = 1) -> Shown:
    """A place whose keys clients find below `a/`, of which its target knows nothing."""
    store = ListedStore(dict.fromkeys(names, "1"), Style(page=page))
    return Shown("first", store, Rewrite(b"x", b"", b"a/"), globs)


def test_a_common_prefix_that_only_clients_see() -> None:
    merging = Merging([stripped("b", "c"), Shown("generic", ListedStore({"b": ""}))])
    assert merging.page("list-type=2&delimiter=/").names == ["b", "a/"]
    assert merging.page("list-type=2&delimiter=/&start-after=a/").names == ["b"]
    assert merging.page("list-type=2&delimiter=/&start-after=a/b").names == ["b"]
    assert all("delimiter" not in one[2] for one in merging.asked if one[0] == "first")


@pytest.mark.parametrize("features", [["sorted"], ["sorted", "start-after"]])
def test_a_delimiter_that_begins_in_what_is_stripped(features: list[str]) -> None:
    """Also where no name is certainly behind all keys of a common prefix."""
    names = ("b1", "b2", "b" + "\U0010ffff" * 9, "c")
    places = [stripped(*names), Shown("generic", ListedStore())]
    merging = Merging(places, overrides={"lists": features})
    assert merging.page("list-type=2&delimiter=/b").names == ["a/c", "a/b"]
    assert merging.page("list-type=2&delimiter=/b&start-after=a/b").names == ["a/c"]


def test_a_common_prefix_that_two_places_find_at_different_times() -> None:
    other = ListedStore(dict.fromkeys(["*", "a/x", "b"], "2"), Style(page=1))
    places = [stripped("1", "2", "b", globs=("*b*",)), Shown("generic", other)]
    assert Merging(places).page("list-type=2&delimiter=/").names == ["*", "b", "a/"]
    assert Merging(places).page("list-type=2&delimiter=/").fields["KeyCount"] == "3"


# Keys that a place has and does not show


def shared(*globs: tuple[str, ...] | None, **stores: ListedStore) -> list[Shown]:
    targets = ("first", "generic")
    found = [stores.get(target, ListedStore()) for target in targets]
    return [
        Shown(target, store, None, own)
        for target, store, own in zip(targets, found, globs, strict=True)
    ]


def test_a_key_is_shown_where_a_read_would_find_it() -> None:
    first = ListedStore({"raw/a": "1", "raw/b": "1", "log/a": "hidden"})
    second = ListedStore({"raw/a": "masked", "log/b": "2"})
    merging = Merging(shared(("raw/*",), None, first=first, generic=second))
    page = merging.page()
    assert page.names == ["log/b", "raw/a", "raw/b"]
    assert page.etags == ['"2"', '"1"', '"1"']


def test_keys_that_share_half_a_character() -> None:
    first = ListedStore(dict.fromkeys(["è1", "è2", "é1", "é2", "é3", "ê"], ""))
    merging = Merging(shared(("[é]*",), ("b",), first=first))
    assert merging.page().names == ["é1", "é2", "é3"]


def test_of_equal_keys_the_place_that_the_chain_names_first() -> None:
    first, second = ListedStore({"a": "1", "b": "1"}), ListedStore({"a": "2", "b": "2"})
    places = shared(None, ("*",), first=first, generic=second)
    merging = Merging(places, merged(places, turned=lambda key: key == b"b"))
    assert merging.page().etags == ['"1"', '"2"']


def test_a_common_prefix_is_shown_if_a_key_in_it_is() -> None:
    first = ListedStore({"a/1.txt": "", "b/1.jpg": "", "c/1.txt": "", "c/2.jpg": "", "d": ""})
    merging = Merging(shared(("*.jpg",), ("e/*",), first=first))
    page = merging.page("list-type=2&delimiter=/")
    assert page.names == ["b/", "c/"]
    assert page.fields["KeyCount"] == "2"
    # `e/` is of the second place alone: nobody looks below it at the first one.
    assert not any("prefix=e" in one[2] for one in merging.asked)


def test_looking_below_a_common_prefix_goes_page_by_page() -> None:
    hidden = {f"a/{number:04}.txt": "" for number in range(150)}
    first = ListedStore({**hidden, "a/z.jpg": ""})
    merging = Merging(shared(("*.jpg",), ("e/*",), first=first))
    assert merging.page("list-type=2&delimiter=/&max-keys=1").names == ["a/"]
    below = [one[2] for one in merging.asked if "prefix=a" in one[2]]
    assert [query.split("max-keys=")[1].partition("&")[0] for query in below] == ["100", "1000"]


def test_a_place_is_not_read_where_it_shows_nothing() -> None:
    """A million keys that belong to another rule are passed by one request."""
    hidden = {f"log/{number:04}": "" for number in range(5000)}
    first = ListedStore({**hidden, "raw/a": "1"})
    merging = Merging(shared(("raw/*",), ("tmp/*",), first=first))
    assert merging.page().names == ["raw/a"]
    assert len(merging.asked) == 3
    assert "start-after=log" in merging.asked[-1][2] or "start-after=l" in merging.asked[-1][2]


# Targets that fail


@dataclass
class Failing:
    """The second place answers once with this instead of its list."""

    answer: bytes
    status: int = 503
    code: str = "ServiceUnavailable"
    told: str = ""
    after: int = 0  # pages that it answers well before
    store: ListedStore = field(default_factory=lambda: OLD)

    def __call__(self, target: str, _: bytes) -> bytes | None:
        if target != "generic":
            return None
        self.after -= 1
        return self.answer if self.after < 0 else None


def page_of(*names: str, more: str = "", **changes: str) -> bytes:
    rows = "".join(f"<Contents><Key>{name}</Key></Contents>" for name in names)
    token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
    fields = {"KeyCount": str(len(names)), "IsTruncated": str(bool(more)).lower(), **changes}
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in fields.items())
    return ok(f"<ListBucketResult>{inner}{token}{rows}</ListBucketResult>".encode())


ORDER = "not in the order of their bytes"
NO_LIST = "no list of objects"
FAILURES: dict[str, Callable[[], Failing]] = {
    "is ill": lambda: Failing(ok(b"", status="500 No"), told="its own log says why"),
    "says no": lambda: Failing(
        ok(REFUSED, status="403 No"), 403, "AccessDenied", "may its credentials list the bucket?"
    ),
    "says no without words": lambda: Failing(
        ok(b"", status="403 No"), 403, "AccessDenied", "may its credentials list the bucket?"
    ),
    "knows no such request": lambda: Failing(
        ok(b"<Error><Code>InvalidArgument</Code></Error>", status="400 No"), told="InvalidArgument"
    ),
    "is a web page": lambda: Failing(ok(b"<html><body>hello</body></html>"), told=NO_LIST),
    "says half": lambda: Failing(ok(b"<ListBucketResult><Contents>"), told=NO_LIST),
    "goes on nowhere": lambda: Failing(page_of("a", IsTruncated="true"), told=NO_LIST),
    "does not say whether it goes on": lambda: Failing(page_of("a", IsTruncated=""), told=NO_LIST),
    "has a key without a name": lambda: Failing(page_of(""), told=NO_LIST),
    "does not sort": lambda: Failing(page_of("a", "a/b", "a-b"), told=ORDER),
    "does not sort what it encodes": lambda: Failing(
        page_of("%7E", "+", EncodingType="url"), told=ORDER
    ),
    "has a key twice": lambda: Failing(page_of("a", "a"), told=ORDER),
    "goes backwards": lambda: Failing(
        page_of("k0004"), told=ORDER, after=1, store=numbered(0, 9, page=5)
    ),
    "loses its bucket": lambda: Failing(
        ok(MISSING, status="404 No"),
        told="NoSuchBucket",
        after=1,
        store=numbered(0, 9, page=5),
    ),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_target_that_fails_fails_the_list(failure: Callable[[], Failing]) -> None:
    fails = failure()
    merging = Merging(two(NEW, fails.store))
    merging.spoilt = fails
    merging.ask()
    answer = merging.taken()
    assert (answer.status, answer.code) == (fails.status, fails.code)
    assert b"arn" not in answer.body
    ((target, message),) = merging.told()
    assert target == "generic"
    assert message.startswith("the merged list of bucket b-b is refused: ")
    assert fails.told in message
    assert merging.is_at_rest
    assert not merging.rig.defects


def test_a_target_that_cannot_be_reached_fails_the_list() -> None:
    merging = Merging(two())
    merging.ask(play=False)
    merging.rig.targets[0].resets()
    merging.play()
    answer = merging.taken()
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert merging.is_at_rest


def test_a_list_without_end() -> None:
    merging = Merging(two())
    merging.spoilt = lambda target, _: page_of(more="eg==") if target == "generic" else None
    merging.ask()
    assert merging.taken().status == 503
    assert "page after page" in merging.told()[-1][1]
    assert len(merging.asked) == 1 + 101


def test_pages_that_hold_nothing_are_passed() -> None:
    merging = Merging(two())
    pages = iter([page_of(more="eg=="), page_of(more="eg=="), page_of("x")])
    merging.spoilt = lambda target, _: next(pages) if target == "generic" else None
    assert merging.page().names == ["a", "c", "d/x", "x"]


def missing(*targets: str) -> Callable[[str, bytes], bytes | None]:
    return lambda target, _: ok(MISSING, status="404 No") if target in targets else None


@pytest.mark.parametrize("query", ["list-type=2", "max-keys=0"])
def test_a_bucket_that_is_nowhere(query: str) -> None:
    merging = Merging(two())
    merging.spoilt = missing("first", "generic")
    merging.ask(query)
    answer = merging.taken()
    assert (answer.status, answer.code) == (404, "NoSuchBucket")
    assert not merging.told()


def test_a_bucket_that_is_at_one_place() -> None:
    merging = Merging(two())
    merging.spoilt = missing("first")
    assert merging.page().names == ["a", "b", "d/y", "e"]
    empty = Merging(two(NEW, ListedStore()))
    empty.spoilt = missing("first")
    assert empty.page().names == []
    assert not merging.told()


def test_a_client_that_leaves() -> None:
    merging = Merging(two())
    merging.ask(play=False)
    merging.client.resets()
    assert [peer.reset for peer in merging.rig.targets] == [True]
    assert merging.is_at_rest
    assert not merging.rig.defects


def test_every_key_of_long_lists() -> None:
    """L: what is left of a page waits for the pages of the other place."""
    merging = Merging(two(numbered(0, 3000, 3, page=7), numbered(0, 3000, 2, page=100)))
    names: list[str] = []
    where: dict[str, str | int] = {}
    while True:
        page = merging.page(query_of(list_type=2, max_keys=700, **where))
        names += page.names
        if not page.is_truncated:
            break
        where = {"continuation_token": page.fields["NextContinuationToken"]}
    assert names == sorted({f"k{n:04}" for n in range(3000) if not n % 3 or not n % 2})


def test_a_list_goes_on_when_a_reload_has_left_one_target() -> None:
    """The target would read a place to go on at out of a token that it has not made."""
    fallback = Rule(1, 1, BUCKET, "first", fallback=("generic",))
    bench = Bench(rules=(fallback,), overrides=SORTED)
    first, second = Side(bench.rig, "first"), Side(bench.rig, "generic")
    bench.client.says(get(f"/{BUCKET}?list-type=2&max-keys=1"))
    for place in (first, second):
        place.hears(f"GET /{BUCKET}?")
        place.says(page_of("a", "b"))
    token = re.search(rb"<NextContinuationToken>([^<]+)<", bench.client.take())
    assert token is not None
    bench.rig.install(rules=(Rule(1, 1, BUCKET, "first"),), overrides=SORTED)
    query = f"list-type=2&continuation-token={token[1].decode()}"
    bench.client.says(get(f"/{BUCKET}?{query}"))
    asked = first.hears(f"GET /{BUCKET}?").line
    assert ("start-after=a&" in asked, "continuation-token" in asked) == (True, False)
    first.says(page_of("b"))
    assert b"<Key>b</Key>" in bench.client.take()
    bench.client.says(get(f"/{BUCKET}?list-type=2&continuation-token=the-targets"))
    assert "continuation-token=the-targets" in first.hears(f"GET /{BUCKET}?").line
