"""`fastpath.composed.bucket_lists`: one list of the buckets of several targets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from fastpath.composed.bucket_lists.target_buckets import LIST_SECONDS, MAX_PAGES
from fastpath.custom.answer import Answer, Question, RouterFailed
from fastpath.ipc.counters import Slot
from fastpath.routing.rewrite import Rewrite
from tests.doubles.http1 import get, ok, read_requests
from tests.doubles.rules import Rewriting, Rule
from tests.doubles.signing import RawClient
from tests.doubles.wire import KEY, Peer, document
from tests.unit.fastpath.composed.bench import Bench
from tests.unit.fastpath.composed.test_finding_targets import Router, custom

RULES = (
    Rule(1, 1, "g-*", "generic"),
    Rule(2, 2, "old", "generic", rewrite=Rewriting("new")),
    Rule(3, 3, "team-{team}", "generic", rewrite=Rewriting("lake-{team}")),
)
DATE = "<CreationDate>2026-01-02T03:04:05.000Z</CreationDate>"
REFUSED = b"<Error><Code>AccessDenied</Code><Message>arn:aws:iam::1:user/gw</Message></Error>"


def listed(*names: str, more: str = "", owner: str = "me", token: str = "") -> bytes:
    """The answer of a target; `more`: elements of each bucket."""
    rows = "".join(f"<Bucket>{DATE}<Name>{name}</Name>{more}</Bucket>" for name in names)
    going_on = f"<ContinuationToken>{token}</ContinuationToken>" if token else ""
    owned = f"<Owner><ID>{owner}</ID><DisplayName>{owner}</DisplayName></Owner>"
    inner = f"{owned}<Buckets>{rows}</Buckets>{going_on}"
    return ok(f"<ListAllMyBucketsResult>{inner}</ListAllMyBucketsResult>".encode())


class Lists(Bench):
    """A client that asks for buckets, before the targets `first`, the default, and `generic`."""

    def __init__(self, query: str = "", **options: Any) -> None:
        super().__init__(**{"rules": RULES, **options})
        self.ask(query)

    def ask(self, query: str = "") -> None:
        self.client.says(get(f"/?{query}"))

    def target(self, name: str) -> Peer:
        """The connection on which a target has been asked last."""
        host = f"\r\nhost: {name}.test:9000".encode()
        return next(peer for peer in reversed(self.rig.targets) if host in peer.heard)

    def heard(self, name: str) -> str:
        """The path and query of the last request to a target."""
        head, _ = read_requests(self.target(name).heard)[-1]
        return head.split(b" ")[1].decode()

    def found(self) -> list[str]:
        """The names in the only answer so far."""
        answer = self.answer()
        assert (answer.status, answer.whole) == (200, True), answer.body
        return re.findall("<Name>(.*?)</Name>", answer.body.decode())

    def page(self) -> tuple[list[str], str]:
        """The names in the answer, which is taken, and the token of the next page."""
        found, heard = self.found(), self.client.take().decode()
        return found, (re.findall("<ContinuationToken>(.*?)</", heard) or [""])[0]

    def told(self) -> list[tuple[str, str]]:
        """Target and message of each warning about a list."""
        lines = [(line["target"], line["message"]) for line in self.rig.lines("event")]
        return [line for line in lines if "buckets" in line[1]]


def test_buckets_by_name_each_where_a_read_of_it_would_go() -> None:
    lists = Lists()
    assert lists.heard("first") == "/?max-buckets=10000"
    # Neither what rules send elsewhere, nor what a rule gives another name there.
    lists.target("generic").says(listed("new", "z-there", "lake-red", "g-1", "old", "team-x"))
    assert not lists.client.heard
    lists.target("first").says(listed("b", "g-2", "a", "team-y", "new", owner="default"))
    shown = lists.answer().body.decode()
    assert lists.found() == ["a", "b", "g-1", "new", "old", "team-red"]
    assert shown.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<ListAllMyBucketsResult xml')
    assert "<Owner><ID>default</ID><DisplayName>default</DisplayName></Owner><Buckets>" in shown
    assert f"<Bucket><Name>old</Name>{DATE}</Bucket>" in shown
    assert lists.line() == (200, "")
    assert lists.calls() == [("ListBuckets", 200, "")] * 2
    (line,) = lists.rig.lines("access")
    assert (line["target"], line["rule"], line["bucket"]) == ("first", 0, "")
    assert lists.is_at_rest
    assert not lists.rig.defects
    assert lists.rig.count(Slot.LISTS_FAILED) == 0


def test_the_bucket_of_the_target_is_not_shown_by_its_own_name_and_anothers() -> None:
    """`new` at the default target and at the other one are two buckets: each has one name."""
    lists = Lists()
    lists.target("generic").says(listed("new"))
    lists.target("first").says(listed())
    assert lists.found() == ["old"]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_end_with_the_last_bucket(size: int) -> None:
    everything = ["a", "b", "g-1", "old", "team-blue", "team-red", "x"]
    seen: list[str] = []
    lists, token = Lists(f"max-buckets={size}"), ""
    for _ in range(0, len(everything), size):
        if seen:
            lists.ask(f"max-buckets={size}&continuation-token={token}")
        lists.target("first").says(listed("x", "b", "a"))
        lists.target("generic").says(listed("new", "lake-red", "lake-blue", "g-1"))
        names, token = lists.page()
        assert len(names) <= size
        seen += names
    assert (seen, token) == (everything, "")


def test_a_prefix_is_that_of_clients_names() -> None:
    lists = Lists("prefix=te%61m-")
    # A target where no bucket is renamed may leave others out by itself.
    assert lists.heard("first") == "/?max-buckets=10000&prefix=team-"
    assert lists.heard("generic") == "/?max-buckets=10000"
    lists.target("first").says(listed("a", "team-y"))
    lists.target("generic").says(listed("lake-red", "lake-blue", "new"))
    assert lists.found() == ["team-blue", "team-red"]
    assert b"<Prefix>team-</Prefix></ListAllMyBucketsResult>" in lists.answer().body


def test_a_region_is_that_of_the_bucket_or_else_of_the_target() -> None:
    lists = Lists("bucket-region=us-east-1")
    lists.target("first").says(listed("a", more="<BucketRegion>eu-west-1</BucketRegion>"))
    lists.target("generic").says(listed("g-1"))
    assert lists.found() == ["g-1"]


def test_what_s3_says_of_a_bucket_stays_but_for_its_name() -> None:
    region, arn = "<BucketRegion>r</BucketRegion>", "<BucketArn>arn:aws:s3:::new</BucketArn>"
    lists = Lists()
    lists.target("first").says(listed())
    lists.target("generic").says(listed("new", more=f"{region}{arn}<Own>x</Own>"))
    row = f"<Bucket><Name>old</Name>{DATE}{region}<BucketArn>arn:aws:s3:::old</BucketArn></Bucket>"
    assert row in lists.answer().body.decode()


def test_a_target_that_pages_is_asked_for_every_page() -> None:
    lists = Lists()
    lists.target("generic").says(listed())
    lists.target("first").says(listed("b", token="t/1"))
    assert lists.heard("first") == "/?max-buckets=10000&continuation-token=t%2F1"
    lists.target("first").says(listed("a", token="t/2"))
    lists.target("first").says(listed("c"))
    assert lists.found() == ["a", "b", "c"]


def test_the_owner_is_that_of_the_default_target() -> None:
    lists = Lists(rules=(Rule(1, 1, "f-*", "first"),), default_target="generic")
    lists.target("first").says(listed("f-1"))
    lists.target("generic").says(listed("a", owner="default"))
    assert lists.found() == ["a", "f-1"]
    assert b"<Owner><ID>default</ID>" in lists.answer().body


@pytest.mark.parametrize("tokens", [["same"] * 2, [f"t{number}" for number in range(MAX_PAGES)]])
def test_pages_without_an_end(tokens: list[str]) -> None:
    lists = Lists()
    lists.target("generic").says(listed("g-1"))
    for token in tokens:
        assert not lists.client.heard
        lists.target("first").says(listed("a", token=token))
    assert lists.found() == ["g-1"]
    ((target, message),) = lists.told()
    assert target == "first"
    assert "(TooLarge)" in message


def test_a_list_in_pieces() -> None:
    lists = Lists()
    lists.target("generic").says(listed())
    answer = listed("a", "b")
    for at in range(0, len(answer), 7):
        lists.target("first").says(answer[at : at + 7])
    assert lists.found() == ["a", "b"]


def test_many_buckets_and_a_small_page() -> None:
    """What is kept of a target is the page and a little more."""
    lists = Lists("max-buckets=2")
    names = [f"b-{number:05}" for number in range(20_000)]
    lists.target("generic").says(listed())
    lists.target("first").says(listed(*reversed(names)))
    assert lists.found() == names[:2]


def test_no_buckets_at_all() -> None:
    lists = Lists()
    for name in ("first", "generic"):
        lists.target(name).says(listed())
    assert lists.found() == []
    assert b"<Buckets></Buckets></ListAllMyBucketsResult>" in lists.answer().body


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("max-buckets=0", "max-buckets"),
        ("max-buckets=10001", "max-buckets"),
        ("max-buckets=x", "max-buckets"),
        ("continuation-token=", "continuation-token"),
        ("continuation-token=b-1", "continuation-token"),
    ],
)
def test_a_page_that_cannot_be(query: str, name: str) -> None:
    lists = Lists(query)
    answer = lists.answer()
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert f"<ArgumentName>{name}</ArgumentName>".encode() in answer.body
    assert not lists.rig.targets


def test_a_token_of_another_prefix() -> None:
    lists = Lists("max-buckets=1")
    lists.target("first").says(listed("a", "b"))
    lists.target("generic").says(listed())
    names, token = lists.page()
    assert names == ["a"]
    assert token
    lists.ask(f"prefix=b&continuation-token={token}")
    assert lists.answer().code == "InvalidArgument"


# Targets that fail

Failure = Callable[[Lists, Peer], None]
FAILURES: dict[str, tuple[Failure, str, int, str]] = {
    "breaks off": (
        lambda _, peer: peer.says(listed("a")[:-9]) or peer.resets(),  # type: ignore[func-returns-value]
        "connection",
        503,
        "ServiceUnavailable",
    ),
    "says no": (
        lambda _, peer: peer.says(ok(REFUSED, status="403 Forbidden")),
        "403 AccessDenied",
        403,
        "AccessDenied",
    ),
    "is ill": (
        lambda _, peer: peer.says(ok(b"", status="500 Internal Server Error")),
        "503 ServiceUnavailable",
        503,
        "ServiceUnavailable",
    ),
    "is a web page": (
        lambda _, peer: peer.says(ok(b"<html><body>hello</body></html>")),
        "no list of buckets",
        503,
        "ServiceUnavailable",
    ),
    "says half": (
        lambda _, peer: peer.says(ok(b"<ListAllMyBucketsResult><Buckets>")),
        "no list of buckets",
        503,
        "ServiceUnavailable",
    ),
    "is silent": (
        lambda lists, _: lists.rig.pass_time(LIST_SECONDS + 1),
        f"longer than {LIST_SECONDS:g} s",
        503,
        "ServiceUnavailable",
    ),
}
each_failure = pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)


@each_failure
def test_a_target_that_fails_is_left_out_and_told(failure: tuple[Failure, str, int, str]) -> None:
    fails, reason, _, _ = failure
    lists = Lists()
    lists.target("generic").says(listed("g-1", "new", owner="other"))
    fails(lists, lists.target("first"))
    assert lists.found() == ["g-1", "old"]
    assert b"<Owner><ID>other</ID>" in lists.answer().body
    ((target, message),) = lists.told()
    assert target == "first"
    assert message.startswith("the target does not list its buckets: ")
    assert message.endswith("; they are missing from the list")
    assert reason in message
    assert lists.rig.count(Slot.LISTS_FAILED) == 1
    assert lists.is_at_rest


@each_failure
def test_or_the_list_is_refused(failure: tuple[Failure, str, int, str]) -> None:
    fails, _, status, code = failure
    lists = Lists(list_buckets_failure="refuse")
    lists.target("generic").says(listed("g-1"))
    fails(lists, lists.target("first"))
    assert (lists.answer().status, lists.answer().code) == (status, code)
    assert b"arn" not in lists.answer().body
    ((target, message),) = lists.told()
    assert target == "first"
    assert message.endswith("; the list is refused")
    assert lists.rig.count(Slot.LISTS_FAILED) == 1


def test_nobody_answers() -> None:
    """No list is empty because every target has failed; what may pass comes before a denial."""
    lists = Lists()
    lists.target("generic").says(ok(REFUSED, status="403 Forbidden"))
    lists.target("first").resets()
    lists.target("first").resets()  # its second try
    assert (lists.answer().status, lists.answer().code) == (503, "ServiceUnavailable")
    assert len(lists.told()) == 2


def test_a_client_that_leaves() -> None:
    lists = Lists()
    lists.target("first").says(listed("a"))
    lists.client.resets()
    assert lists.target("generic").reset
    assert lists.is_at_rest
    assert not lists.rig.defects


# Who asks


def identity(**changes: Any) -> dict[str, Any]:
    """The options of a rig where one client has signed in."""
    (who,) = document()["identities"]
    return {"mode": "sigv4", "identities": [{**who, **changes}], "rules": RULES}


class Signed(Lists):
    """The same with a signature."""

    def ask(self, query: str = "") -> None:
        target = f"/?{query}" if query else "/"
        self.client.says(RawClient("gateway.test", 80, *KEY).head("GET", target.encode(), 0, {}))


def test_a_target_that_the_caller_does_not_reach_is_left_out_silently() -> None:
    lists = Signed(**identity(targets=["generic"]))
    assert [peer.heard for peer in lists.rig.targets] == [lists.target("generic").heard]
    lists.target("generic").says(listed("g-1"))
    assert lists.found() == ["g-1"]
    (line,) = lists.rig.lines("access")
    assert (line["target"], line["rule"]) == ("generic", 0)
    assert not lists.told()


def test_a_caller_that_reaches_no_target() -> None:
    lists = Signed(**identity(targets=[]))
    assert (lists.answer().status, lists.answer().code) == (403, "AccessDenied")
    assert not lists.rig.targets


def test_the_right_to_some_buckets_is_none_to_a_list_of_all() -> None:
    grant = {"buckets": ["g-*"], "operations": ["ListBuckets", "GetObject"]}
    lists = Signed(**identity(allow=[grant]))
    assert (lists.answer().status, lists.answer().code) == (403, "AccessDenied")
    assert not lists.rig.targets


def test_a_target_without_credentials_is_left_out() -> None:
    own = {"access_key_id": "A", "secret_access_key": "s", "token": None}
    lists = Signed(**identity(), credentials={"first": own})
    lists.target("first").says(listed("a"))
    assert lists.found() == ["a"]
    assert not lists.told()


def test_nobody_in_particular_asks_targets_that_decide_about_such() -> None:
    lists = Lists(mode="sigv4", anonymous="forward", profile="lakefs")  # it is of `first`
    assert len(lists.rig.targets) == 1
    assert b"authorization" not in lists.target("generic").heard.lower()
    lists.target("generic").says(listed("g-1"))
    assert lists.found() == ["g-1"]


def test_a_rule_for_others_shows_nothing() -> None:
    rule = Rule(1, 1, "g-*", "generic", identities=("other",))
    lists = Signed(**{**identity(), "rules": [rule]})
    lists.target("first").says(listed("a", "g-1"))
    assert lists.found() == ["a", "g-1"]
    assert len(lists.rig.targets) == 1


# A custom router


class Routed(Lists):
    """A list whose buckets the custom router knows: by name, what it answers; None: the rules."""

    def __init__(self, answers: Mapping[str, Any], **options: Any) -> None:
        self.router = Router(lambda question: answers.get(question.bucket.decode()))
        super().__init__(custom=custom(**options))

    def ask(self, query: str = "") -> None:
        self.rig.worker.custom = self.router  # type: ignore[assignment]
        super().ask(query)


def test_the_router_is_asked_about_a_read_of_each_bucket() -> None:
    elsewhere, renamed = Answer(("generic",)), Answer(("first",), Rewrite(b"other"))
    lists = Routed({"a": elsewhere, "b": renamed, "there": elsewhere})
    lists.target("first").says(listed("a", "b", "c"))
    lists.target("generic").says(listed("there", "g-1"))
    assert lists.found() == ["c", "g-1", "there"]
    assert Question(b"a", b"GET", None, b"", b"", "", "GetObject") in lists.router.asked


def test_an_answer_that_is_kept_is_not_asked_for() -> None:
    lists = Routed({})
    lists.router.kept = Answer(("generic",))
    lists.target("first").says(listed("a"))
    lists.target("generic").says(listed("b"))
    assert lists.found() == ["b"]
    assert not lists.router.asked


@pytest.mark.parametrize("refuses", [True, False])
def test_a_router_that_fails(refuses: bool) -> None:
    lists = Routed({"b": RouterFailed("it is ill")}, refuses=refuses)
    lists.target("first").says(listed("a", "b"))
    if refuses:
        assert (lists.answer().status, lists.answer().code) == (503, "ServiceUnavailable")
        assert lists.target("generic").reset
    else:
        lists.target("generic").says(listed())
        assert lists.found() == ["a", "b"]
    assert not lists.told()  # the router has a line of its own
    assert lists.is_at_rest


def test_custom_reads_show_one_target() -> None:
    lists = Routed({}, reads=("generic", "first"))
    lists.target("generic").says(listed("b", "new"))
    assert lists.found() == ["b", "new"]
    assert not lists.router.asked
    assert len(lists.rig.targets) == 1
