"""Reads along a chain of two places: what each answer of the first means, by `fallback_on`."""

from __future__ import annotations

import pytest

from tests.doubles.http1 import ok, put
from tests.doubles.rules import Conditions, Rule
from tests.unit.fastpath.composed.bench import Bench
from tests.unit.fastpath.composed.copies.bench import Side, error, found

DATA = b"of the second place"
ALL = frozenset({"404", "5xx", "timeout", "refused"})
NO_OTHERS = frozenset({"404"})
MARKER = b"x-amz-delete-marker: true"


class Chain(Bench):
    """A client, and the places of its key, in their order."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rules=(rule,))
        self.first, self.second = Side(self.rig, "generic"), Side(self.rig, "first")

    def is_served_by_second(self, method: str = "GET") -> bool:
        """Whether the second place is asked; then it has the object."""
        if self.second.is_silent:
            return False
        self.second.hears(f"{method} /b-b/k")
        self.second.says(ok(DATA))
        assert self.answer().body == DATA
        return True


def fallback(on: frozenset[str] = NO_OTHERS) -> Chain:
    return Chain(Rule(1, 1, "b-b", "generic", fallback=("first",), fallback_on=on))


def candidates() -> Chain:
    return Chain(Rule(1, 1, "b-b", "generic", conditions=Conditions(max_size=10)))


def marked(answer: bytes) -> bytes:
    return answer.replace(b"\r\n", b"\r\n" + MARKER + b"\r\n", 1)


@pytest.mark.parametrize("on", [NO_OTHERS, ALL], ids=["404", "all"])
@pytest.mark.parametrize(
    "said",
    [
        ok(b"own"),
        ok(b"o", "Content-Range: bytes 0-0/3", status="206 Partial Content"),
        ok(b"", status="304 Not Modified").replace(b"Content-Length: 0\r\n", b""),
        error("InvalidRequest", "400 Bad Request"),
        error("AccessDenied", "403 Forbidden"),
        error("NoSuchUpload", "404 Not Found"),
        marked(error("NoSuchKey", "404 Not Found")),
        error("MethodNotAllowed", "405 Method Not Allowed"),
        error("PreconditionFailed", "412 Precondition Failed"),
        error("InvalidRange", "416 Requested Range Not Satisfiable"),
    ],
    ids=lambda said: said.split(b" ", 2)[1].decode(),
)
def test_an_answer_that_is_no_absence_and_no_failure_ends_the_read(
    said: bytes, on: frozenset[str]
) -> None:
    bench = fallback(on)
    bench.asks()
    bench.first.hears("GET /b-b/k")
    bench.first.says(said)
    assert bench.second.is_silent
    assert bench.answer().status == int(said.split(b" ", 2)[1])
    assert bench.is_at_rest


@pytest.mark.parametrize(
    "said",
    [
        error("NoSuchKey", "404 Not Found"),
        error("NoSuchBucket", "404 Not Found"),
        error("NoSuchVersion", "404 Not Found"),
        ok(b"", status="404 Not Found"),
    ],
)
def test_an_absence_asks_the_next_place(said: bytes) -> None:
    bench = fallback()
    bench.asks()
    bench.first.hears("GET /b-b/k")
    bench.first.says(said)
    assert bench.is_served_by_second()
    assert bench.is_at_rest


@pytest.mark.parametrize("status", ["500 Internal Server Error", "502 Bad", "503 Slow", "504 Late"])
def test_5xx_asks_the_next_place_if_the_rule_says_so(status: str) -> None:
    said = error("Said", status)
    for on in (NO_OTHERS, ALL - {"5xx"}, NO_OTHERS | {"5xx"}):
        bench = fallback(on)
        bench.asks()
        bench.first.hears("GET /b-b/k")
        bench.first.says(said)
        assert bench.is_served_by_second() == ("5xx" in on)


def test_no_connection_asks_the_next_place_if_the_rule_says_so() -> None:
    for on in (NO_OTHERS, ALL - {"refused"}, NO_OTHERS | {"refused"}):
        bench = fallback(on)
        bench.rig.hold_connects()
        bench.asks()
        bench.rig.open_held(ConnectionRefusedError("said no"))
        if "refused" in on:
            bench.rig.open_held()
            assert bench.rig.target.take().startswith(b"GET /b-b/k ")
            bench.rig.target.says(ok(DATA))
            assert bench.answer().body == DATA
        else:
            assert bench.answer().status == 503


def test_what_a_place_that_failed_may_have_is_not_called_absent() -> None:
    bench = fallback(ALL)
    bench.asks()
    for _ in range(2):
        bench.first.hears("GET /b-b/k")
        bench.first.says(error("InternalError", "500 Internal Server Error"))
        bench.second.hears("GET /b-b/k")
        bench.second.says(error("NoSuchKey", "404 Not Found"))
    assert bench.answer().status == 503
    assert bench.is_at_rest


def test_the_error_for_an_absent_key_is_that_of_the_key() -> None:
    bench = fallback()
    bench.asks()
    for _ in range(2):
        bench.first.hears("GET /b-b/k")
        bench.first.says(error("NoSuchBucket", "404 Not Found"))
        bench.second.hears("GET /b-b/k")
        bench.second.says(error("NoSuchKey", "404 Not Found", "<Key>k</Key>"))
    assert b"<Code>NoSuchKey</Code>" in bench.answer().body


def test_the_marker_of_a_candidate_says_nothing_of_the_candidates_behind() -> None:
    bench = candidates()
    bench.asks()
    bench.first.hears("GET /b-b/k")
    bench.first.says(marked(error("NoSuchKey", "404 Not Found")))
    assert bench.is_served_by_second()


def test_a_look_before_a_change_keeps_its_connection() -> None:
    bench = fallback()
    tags = b"<Tagging><TagSet/></Tagging>"
    bench.client.says(put("/b-b/k?tagging", tags))
    bench.first.hears("HEAD /b-b/k")
    bench.first.says(ok(b"", status="404 Not Found"))
    bench.second.hears("HEAD /b-b/k")
    bench.second.says(ok(b""))
    bench.second.hears("PUT /b-b/k?tagging")
    bench.second.says(ok(b""))
    assert bench.answer(b"PUT").status == 200
    assert len(bench.second.peers) == 1
    assert bench.calls() == [("HeadObject", 404, ""), ("HeadObject", 200, "")]


def test_a_client_that_leaves_ends_the_look() -> None:
    bench = fallback()
    bench.asks()
    bench.first.hears("GET /b-b/k")
    bench.client.resets()
    assert bench.is_at_rest
    assert bench.second.is_silent


def test_a_client_that_leaves_ends_the_removal_of_what_hides_its_object() -> None:
    """It was not told that its object is stored: the older one stays, and nothing waits."""
    bench = candidates()
    bench.client.says(put("/b-b/k", b"larger than ten"))
    bench.first.hears("HEAD /b-b/k")
    bench.first.says(found(3))
    bench.second.hears("PUT /b-b/k")
    bench.second.says(ok(b"", 'ETag: "new"'))
    bench.first.hears("HEAD /b-b/k")  # once more: whether it compares ETags, nobody knows
    assert not bench.client.heard
    bench.client.resets()
    assert bench.is_at_rest
    assert bench.line() == (0, "ClientGone")


def test_a_deletion_behind_a_place_that_failed_is_not_believed() -> None:
    bench = fallback(ALL)
    bench.asks()
    bench.first.hears("GET /b-b/k")
    bench.first.says(error("InternalError", "500 Internal Server Error"))
    bench.second.hears("GET /b-b/k")
    bench.second.says(marked(error("NoSuchKey", "404 Not Found")))
    assert bench.answer().status == 503
    assert bench.is_at_rest


def test_tags_go_to_an_object_that_shows_nothing_without_its_key() -> None:
    """A HEAD of an object with SSE-C is 400 without the key of its owner."""
    bench = fallback()
    bench.client.says(put("/b-b/k?tagging", b"<Tagging/>"))
    bench.first.hears("HEAD /b-b/k")
    bench.first.says(ok(b"", status="400 Bad Request"))
    bench.first.hears("GET /b-b?location")
    bench.first.says(ok(b"<LocationConstraint/>"))
    bench.first.hears("PUT /b-b/k?tagging")


def test_what_was_stored_before_it_since_then_stays() -> None:
    """The store compares no ETags: it is looked at again, and is another object now."""
    bench = candidates()
    bench.client.says(put("/b-b/k", b"larger than ten"))
    bench.first.hears("HEAD /b-b/k")
    bench.first.says(ok(b"", 'ETag: "old"'))
    bench.second.hears("PUT /b-b/k")
    bench.second.says(ok(b"", 'ETag: "new"'))
    bench.first.hears("HEAD /b-b/k")
    bench.first.says(ok(b"", 'ETag: "newer"'))
    assert bench.answer().status == 200
    assert bench.first.is_silent
    assert bench.is_at_rest
