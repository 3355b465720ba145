"""A DeleteObjects of keys in several places (`tests.doubles.deleting`): one answer for all."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

import pytest

from fastpath.composed.delete_objects import AT_ONCE
from fastpath.composed.operations import OPERATIONS
from fastpath.custom.answer import Answer, Question
from fastpath.custom.client import MISSING
from fastpath.ipc.counters import Slot
from fastpath.routing.rewrite import Rewrite
from tests.corpus import signatures
from tests.doubles.deleting import (
    RULES,
    Received,
    codes,
    deleted,
    document,
    received,
    request,
    result,
    rows,
)
from tests.doubles.http1 import get, ok
from tests.doubles.rules import Conditions, Rewriting, Rule
from tests.doubles.signing import RawClient
from tests.doubles.wire import KEY as KEYS
from tests.doubles.wire import Peer
from tests.doubles.wire import document as snapshot
from tests.unit.fastpath.composed.bench import Bench

THREE = ("x", "raw/1", "old/1", "raw/2")
INTERNAL = "We encountered an internal error. Please try again."


class Deletes(Bench):
    """A client that asks for keys in several places."""

    def __init__(self, *entries: Any, lines: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(**{"rules": RULES, **options})
        self.rig.worker.composed = OPERATIONS
        if entries:
            self.asks_for(document(*entries), *lines)

    def asks_for(self, body: bytes, *lines: str) -> None:
        self.client.says(request(body, *lines))

    def at(self, place: str) -> tuple[Peer, Received]:
        """The connection that has got the request for a place, and the request."""
        for peer in self.rig.targets:
            if b"\r\n\r\n" in peer.heard and place in (first_word(peer), host(peer)):
                return peer, received(peer)
        raise AssertionError(f"nothing went to {place}")

    def answers(self) -> None:
        """Have every target delete what it has got."""
        while waiting := [peer for peer in self.rig.targets if peer.heard]:
            for peer in waiting:
                peer.says(deleted(received(peer).keys))

    @property
    def body(self) -> bytes:
        answer = self.answer(b"POST")
        assert (answer.status, answer.whole) == (200, True)
        assert not self.rig.defects
        assert self.is_at_rest
        return answer.body


def first_word(peer: Peer) -> str:
    """The bucket that is asked for."""
    return peer.heard.split(b" ")[1][1:].partition(b"?")[0].decode()


def host(peer: Peer) -> str:
    return peer.heard.partition(b"\r\nhost: ")[2].partition(b".")[0].decode()


# --- to each place its own ---


def test_each_place_gets_its_own_keys_by_its_names() -> None:
    one = Deletes(*THREE)
    assert len(one.rig.targets) == 3
    assert one.client.heard == b""
    got = {got.host + " " + got.bucket: got for got in map(received, one.rig.targets)}
    assert {place: each.keys for place, each in got.items()} == {
        "first b-b": ["x"],
        "generic b-b": ["raw/1", "raw/2"],
        "first lake": ["main/1"],
    }
    for each in got.values():
        md5 = base64.b64encode(hashlib.md5(each.body).digest()).decode()
        assert each.headers["content-md5"] == md5
        assert each.headers["x-amz-content-sha256"] == hashlib.sha256(each.body).hexdigest()
        assert "content-md5" in each.headers["authorization"]


def test_the_answer_is_one_document_in_the_order_of_the_client() -> None:
    one = Deletes(*THREE)
    one.answers()
    assert rows(one.body) == [("Deleted", {"Key": key}) for key in THREE]
    assert one.line() == (200, "")
    assert one.calls() == [("DeleteObjects", 200, "")] * 3
    one.client.take()
    one.client.says(get("/b-b/raw/1"))  # the connection serves on
    (peer,) = (peer for peer in one.rig.targets if peer.heard)
    assert host(peer) == "generic"


def test_the_log_shows_the_place_of_the_first_key() -> None:
    one = Deletes("raw/1", "x")
    one.answers()
    (line,) = one.rig.lines("access")
    sent = len(document("raw/1", "x"))
    assert (line["target"], line["rule"], line["bytes_in"]) == ("generic", 1, sent)


def test_what_belongs_to_a_key_goes_with_it() -> None:
    entry = {"Key": "raw/1", "VersionId": "v&", "ETag": '"e"', "Size": "1"}
    one = Deletes("x", entry)
    assert one.at("generic")[1].entries == [entry]


def test_keys_are_read_and_written_as_xml_has_them() -> None:
    keys = ["raw/<&>\"'\r\n\t é\U0001f600", "old/100%2F+ &amp;", " x "]
    one = Deletes(*keys)
    one.answers()
    assert codes(one.body) == [(key, "") for key in keys]


def test_a_body_in_pieces() -> None:
    one = Deletes()
    raw = request(document(*THREE))
    one.client.says(*[raw[at : at + 50] for at in range(0, len(raw), 50)])
    one.answers()
    assert codes(one.body) == [(key, "") for key in THREE]


@pytest.mark.parametrize("name", ["x-amz-mfa", "x-amz-expected-bucket-owner"])
def test_headers_about_the_deletion_go_to_each_place(name: str) -> None:
    one = Deletes("x", "raw/1", lines=(f"{name}: 1", "x-amz-checksum-type: COMPOSITE"))
    for got in map(received, one.rig.targets):
        assert got.headers[name] == "1"
        assert name in got.headers["authorization"]
        assert "x-amz-checksum-type" not in got.headers


def test_headers_that_a_presigner_moved_into_the_query() -> None:
    one = Deletes(mode="sigv4")
    body = document("x", "raw/1")
    query = "delete=&x-amz-expected-bucket-owner=111122223333"
    recipe = signatures.Recipe(form="query", method="POST", path="/b-b", query=query)
    raw = signatures.Case("", "", recipe, {}).render("g.test", time.time(), *KEYS).raw
    one.client.says(raw.replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(body)) + body)
    got = [received(peer).headers for peer in one.rig.targets]
    assert [each["x-amz-expected-bucket-owner"] for each in got] == ["111122223333"] * 2


def test_who_is_charged_is_told() -> None:
    one = Deletes("x", "raw/1", lines=("x-amz-request-payer: requester",))
    for peer in one.rig.targets:
        answer = deleted(received(peer).keys)
        peer.says(answer.replace(b"\r\n", b"\r\nx-amz-request-charged: requester\r\n", 1))
    assert one.answer(b"POST").fields["x-amz-request-charged"] == "requester"


# --- what the targets say ---


def test_versions_and_delete_markers_are_told() -> None:
    one = Deletes({"Key": "raw/1", "VersionId": "v1"}, {"Key": "raw/1", "VersionId": "v2"}, "x")
    peer, _ = one.at("generic")
    marker = {"DeleteMarker": "true", "DeleteMarkerVersionId": "v2"}
    peer.says(
        result(
            ("Deleted", {"Key": "raw/1", "VersionId": "v2", **marker}),
            ("Error", {"Key": "raw/1", "VersionId": "v1", "Code": "AccessDenied", "Message": "m"}),
        )
    )
    peer, _ = one.at("first")
    peer.says(result(("Deleted", {"Key": "x", **marker})))
    assert rows(one.body) == [
        ("Error", {"Key": "raw/1", "VersionId": "v1", "Code": "AccessDenied", "Message": "m"}),
        ("Deleted", {"Key": "raw/1", "VersionId": "v2", **marker}),
        ("Deleted", {"Key": "x", **marker}),
    ]


def test_a_version_is_told_though_the_target_does_not() -> None:
    one = Deletes({"Key": "raw/1", "VersionId": "null"}, "x")
    one.answers()
    assert rows(one.body)[0] == ("Deleted", {"Key": "raw/1", "VersionId": "null"})


@pytest.mark.parametrize("quiet", ["true", " true ", "false"])
def test_a_quiet_client_hears_of_errors_alone(quiet: str) -> None:
    """The targets are not quiet: a key that they do not name is none that they have deleted."""
    one = Deletes()
    one.asks_for(document("raw/1", "x", "old/1", quiet=quiet))
    peer, _ = one.at("lake")
    peer.says(result())
    one.answers()
    shown = [] if "true" in quiet else [("raw/1", ""), ("x", "")]
    assert codes(one.body) == [*shown, ("old/1", "InternalError")]


def test_a_key_that_an_answer_leaves_out_is_an_error_and_the_operator_hears_of_it() -> None:
    one = Deletes("raw/1", "raw/2", "x")
    peer, _ = one.at("generic")
    peer.says(deleted(["raw/2", "raw/3"]))
    one.answers()
    assert rows(one.body) == [
        ("Error", {"Key": "raw/1", "Code": "InternalError", "Message": INTERNAL}),
        ("Deleted", {"Key": "raw/2"}),
        ("Deleted", {"Key": "x"}),
    ]
    (event,) = one.rig.lines("event")
    assert (event["level"], event["target"]) == ("warning", "generic")
    assert "1 of them" in event["message"]


def test_an_error_has_the_clients_names() -> None:
    one = Deletes("old/1", "x")
    peer, _ = one.at("lake")
    message = "no right to lake/main/1 in 'lake'"
    peer.says(result(("Error", {"Key": "main/1", "Code": "Some", "Message": message})))
    one.answers()
    told = {"Key": "old/1", "Code": "Some", "Message": "no right to b-b/old/1 in 'b-b'"}
    assert rows(one.body)[0] == ("Error", told)


# --- places that fail as a whole ---

MISSING_BUCKET = (
    b"<Error><Code>NoSuchBucket</Code><Message>no 'lake'</Message>"
    b"<BucketName>lake</BucketName></Error>"
)


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        (ok(MISSING_BUCKET, status="404 No"), "NoSuchBucket", "no 'b-b'"),
        (ok(b"", status="404 No"), "NoSuchBucket", "The specified bucket does not exist"),
        (ok(b"", status="500 No"), "InternalError", INTERNAL),
        (ok(b"<html>", status="502 No"), "InternalError", INTERNAL),
        (ok(b"<Error><Code>SlowDown</Code></Error>", status="503 No"), "SlowDown", "SlowDown"),
        (ok(b"<Error><Code>InternalError</Code></Error>"), "InternalError", "InternalError"),
        (ok(b""), "InternalError", INTERNAL),
        (ok(b"<html>every key is deleted</html>"), "InternalError", INTERNAL),
        (ok(b"<DeleteResult><Deleted><Key>main/1</Key></Deleted>"), "InternalError", INTERNAL),
        (deleted(["main/1"])[:-3], "InternalError", INTERNAL),
        (b"nonsense\r\n\r\n", "InternalError", INTERNAL),
    ],
)
def test_a_place_that_refuses_fails_its_own_keys_alone(
    said: bytes, code: str, message: str
) -> None:
    one = Deletes("x", "old/1", "raw/1")
    peer, _ = one.at("lake")
    one.answers()
    peer.says(said)
    peer.leaves()
    assert codes(one.body) == [("x", ""), ("old/1", code), ("raw/1", "")]
    assert rows(one.body)[1][1]["Message"] == message


def test_a_fallback_without_the_bucket_has_nothing_to_delete() -> None:
    """As of DeleteObject: the bucket may have been created at the new store alone."""
    one = Deletes("x", "y", rules=(Rule(1, 1, "b-b", "generic", fallback=("first",)),))
    peer, _ = one.at("first")
    peer.says(ok(b"<Error><Code>NoSuchBucket</Code></Error>", status="404 Not Found"))
    one.answers()
    assert codes(one.body) == [("x", ""), ("y", "")]


def test_candidates_behind_the_first_without_the_bucket_have_nothing_to_delete() -> None:
    rule = Rule(1, 1, "b-b", "generic", conditions=Conditions(max_size=10))
    one = Deletes("x", rules=(rule,))
    for place in ("first", "generic", "first"):
        peer, got = one.at(place)
        missing = ok(b"<Error><Code>NoSuchBucket</Code></Error>", status="404 Not Found")
        peer.says(missing if place == "first" else deleted(got.keys))
    assert codes(one.body) == [("x", "")]


def test_the_first_place_tells_that_there_is_no_bucket() -> None:
    one = Deletes("x", rules=(Rule(1, 1, "b-b", "generic", fallback=("first",)),))
    for place in ("first", "generic"):
        peer, _ = one.at(place)
        peer.says(ok(b"<Error><Code>NoSuchBucket</Code></Error>", status="404 Not Found"))
    assert codes(one.body) == [("x", "NoSuchBucket")]


def test_a_key_has_its_own_error_though_its_place_fails() -> None:
    one = Deletes("x", "raw/../../y", "raw/1")
    peer, _ = one.at("generic")
    peer.resets()
    one.answers()
    assert codes(one.body)[1:] == [("raw/../../y", "InvalidURI"), ("raw/1", "InternalError")]


def test_an_error_of_lakefs_has_the_clients_names() -> None:
    one = Deletes("old/1", "raw/1", profile="lakefs")
    peer, _ = one.at("lake")
    error = b"<Error><Code>InvalidArgument</Code><Message>bad 'lake'</Message></Error>"
    peer.says(ok(error, status="400 No"))
    one.answers()
    assert rows(one.body)[0][1]["Code"] == "InvalidArgument"
    assert rows(one.body)[0][1]["Message"] == "bad 'b-b'"


def test_a_place_that_breaks_fails_its_own_keys_alone() -> None:
    one = Deletes("x", "old/1", "raw/1")
    peer, _ = one.at("lake")
    peer.resets()
    one.answers()
    assert codes(one.body) == [("x", ""), ("old/1", "InternalError"), ("raw/1", "")]
    assert sorted(one.calls()) == [
        ("DeleteObjects", 0, "Failed"),
        ("DeleteObjects", 200, ""),
        ("DeleteObjects", 200, ""),
    ]


def test_what_a_target_may_have_done_is_not_sent_again() -> None:
    """In a bucket with versions it would make a second delete marker."""
    one = Deletes(*THREE)
    one.answers()
    one.client.take()
    one.asks_for(document(*THREE))  # on connections that were kept
    kept = len(one.rig.targets)
    for peer in one.rig.targets:
        peer.resets()
    assert len(one.rig.targets) == kept
    assert codes(one.body) == [(key, "InternalError") for key in THREE]


def test_targets_that_nobody_can_connect_to() -> None:
    one = Deletes()
    one.rig.connect_fault = ConnectionRefusedError(111, "refused")
    one.asks_for(document(*THREE))
    assert codes(one.body) == [(key, "InternalError") for key in THREE]


def test_a_target_that_too_many_wait_for() -> None:
    one = Deletes(pool={"max_connections": 1, "max_waiters": 0})
    one.rig.connect().says(get("/g-b/k"))
    one.rig.connect().says(get("/b-b/raw/busy"))
    one.asks_for(document("x", "raw/1"))
    assert [code for key, code in codes(one.body) if key == "raw/1"] == ["SlowDown"]


def test_an_answer_that_is_longer_than_its_keys_can_make_it() -> None:
    one = Deletes("x", "raw/1")
    peer, _ = one.at("generic")
    one.answers()
    peer.says(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(5):
        peer.says(b" " * 16384)
    assert peer.ended
    assert codes(one.body) == [("x", ""), ("raw/1", "InternalError")]


def test_a_refused_signature_is_no_error_of_the_clients() -> None:
    one = Deletes("x", "raw/1")
    peer, _ = one.at("generic")
    refused = b"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>AKIDTARGET</AWSAccessKeyId>"
    peer.says(ok(refused + b"</Error>", status="403 No"))
    one.answers()
    one.rig.pass_time(60)  # for other credentials
    assert codes(one.body) == [("x", ""), ("raw/1", "InternalError")]
    assert b"AKIDTARGET" not in one.client.heard


# --- rights ---


def signed(body: bytes, **headers: str) -> bytes:
    digest = {"x-amz-content-sha256": hashlib.sha256(body).hexdigest(), **headers}
    return RawClient("localhost", 80, *KEYS).head("POST", b"/b-b?delete", len(body), digest) + body


def limited(*targets: str, **changes: Any) -> dict[str, Any]:
    known = {**snapshot()["identities"][0], "targets": list(targets), **changes}
    return {"mode": "sigv4", "identities": [known]}


def test_keys_at_a_target_that_the_caller_does_not_reach() -> None:
    one = Deletes(**limited("generic"))
    one.client.says(signed(document(*THREE)))
    assert [host(peer) for peer in one.rig.targets] == ["generic"]
    one.answers()
    assert codes(one.body) == [
        ("x", "AccessDenied"),
        ("raw/1", ""),
        ("old/1", "AccessDenied"),
        ("raw/2", ""),
    ]
    (line,) = one.rig.lines("access")
    assert line["target"] == "generic"


@pytest.mark.parametrize(
    "identity",
    [
        limited(),
        limited("first", "generic", allow=[{"operations": ["GetObject"], "buckets": ["*"]}]),
    ],
)
def test_a_caller_who_may_delete_nothing_is_refused_as_a_whole(identity: dict[str, Any]) -> None:
    one = Deletes(**identity)
    one.client.says(signed(document(*THREE)))
    assert (one.answer(b"POST").status, one.answer(b"POST").code) == (403, "AccessDenied")
    assert not one.rig.targets


# --- before anything is sent ---


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"),
        ("Content-MD5: x", "InvalidDigest"),
        ("x-amz-checksum-crc32: AAAAAA==", "BadDigest"),
        ("x-amz-checksum-crc32: x", "InvalidRequest"),
        ("x-amz-sdk-checksum-algorithm: CRC32", "InvalidRequest"),
    ],
)
def test_nothing_of_a_body_that_was_damaged_is_done(line: str, code: str) -> None:
    one = Deletes(*THREE, lines=(line,))
    assert (one.answer(b"POST").status, one.answer(b"POST").code) == (400, code)
    assert not one.rig.targets
    assert one.is_at_rest


def test_a_digest_that_was_signed_for_another_body() -> None:
    one = Deletes(**limited("first", "generic"))
    body = document(*THREE)
    one.client.says(signed(body)[: -len(body)] + body.replace(b"raw/2", b"raw/3"))
    assert one.answer(b"POST").code == "XAmzContentSHA256Mismatch"
    assert not one.rig.targets


def test_a_body_that_was_signed_is_deleted() -> None:
    one = Deletes(**limited("first", "generic"))
    one.client.says(signed(document(*THREE)))
    one.answers()
    assert codes(one.body) == [(key, "") for key in THREE]


# --- keys that a target must not get ---


def test_keys_that_no_target_gets_fail_alone() -> None:
    """The rule of paths, and names that the target does not have."""
    rewriting = Rewriting("lake", strip_prefix="old/")
    rules = (RULES[0], Rule(2, 2, "b-b", "first", keys=("old/*",), rewrite=rewriting))
    one = Deletes("../x", "x", "raw/../../y", "old/", "old/../../z", "raw/1", rules=rules)
    one.answers()
    assert codes(one.body) == [
        ("../x", "InvalidURI"),
        ("x", ""),
        ("raw/../../y", "InvalidURI"),
        ("old/", "NotImplemented"),
        ("old/../../z", "InvalidURI"),
        ("raw/1", ""),
    ]


def test_a_place_of_which_no_key_is_left_gets_nothing() -> None:
    one = Deletes("raw/../../y", "x")
    assert [host(peer) for peer in one.rig.targets] == ["first"]
    one.answers()
    assert codes(one.body) == [("raw/../../y", "InvalidURI"), ("x", "")]


def test_what_lakefs_would_mistake_fails_alone() -> None:
    """A line break, a version, a condition, a ref that is no branch, a branch without a path."""
    version = {"Key": "main/v", "VersionId": "v"}
    current = {"Key": "main/n", "VersionId": "null"}
    condition = {"Key": "main/c", "ETag": '"e"'}
    keys = ["main/a\nb", version, condition, "v1.0/a", "main/", "main/good", current, "raw/1"]
    one = Deletes(*keys, profile="lakefs")
    peer, got = one.at("first")
    assert got.keys == ["main/good", "main/n"]
    peer.says(deleted(got.keys))
    one.answers()
    assert codes(one.body) == [
        ("main/a\nb", "NotImplemented"),
        ("main/v", "NotImplemented"),
        ("main/c", "NotImplemented"),
        ("v1.0/a", "MethodNotAllowed"),
        ("main/", "NotImplemented"),
        ("main/good", ""),
        ("main/n", ""),
        ("raw/1", ""),
    ]


def test_errors_of_lakefs_are_those_of_s3() -> None:
    one = Deletes("main/a", "main/b", "raw/1", profile="lakefs")
    peer, _ = one.at("first")
    error = {"Code": "ErrWriteToProtectedBranch", "Message": "no", "Key": "main/a"}
    peer.says(result(("Error", error), ("Deleted", {"Key": "main/b"})))
    one.answers()
    assert codes(one.body) == [("main/a", "AccessDenied"), ("main/b", ""), ("raw/1", "")]


def test_an_operation_that_a_target_does_not_have() -> None:
    one = Deletes("x", "raw/1", overrides={"lacks": ["DeleteObjects"]})
    assert not one.rig.targets
    assert codes(one.body) == [("x", "NotImplemented"), ("raw/1", "NotImplemented")]


# --- time ---


def test_a_slow_place_lets_white_space_go_out() -> None:
    one = Deletes(*THREE)
    peer, _ = one.at("lake")
    one.answers()
    one.rig.pass_time(6)
    assert one.client.heard.endswith(b'<?xml version="1.0" encoding="UTF-8"?>\n \r\n')
    peer.says(ok(MISSING_BUCKET, status="404 No"))
    assert codes(one.body) == [
        ("x", ""),
        ("raw/1", ""),
        ("old/1", "NoSuchBucket"),
        ("raw/2", ""),
    ]


def test_a_client_that_leaves_ends_what_is_under_way() -> None:
    one = Deletes(*THREE)
    peer, got = one.at("lake")
    peer.says(deleted(got.keys))
    one.client.resets()
    assert one.line() == (0, "ClientGone")
    assert sorted(one.calls()) == [
        ("DeleteObjects", 0, "Aborted"),
        ("DeleteObjects", 0, "Aborted"),
        ("DeleteObjects", 200, ""),
    ]
    assert one.is_at_rest
    assert one.rig.count(Slot.ABORTED) == 1


# --- the custom router ---


class Router:
    """A custom router that sends each key to a place of its own."""

    def install(self, _: object) -> None:
        """It has no state."""

    def cached(self, _: Question) -> Any:
        return MISSING

    async def route(self, question: Question) -> Answer | None:
        key = question.key
        return None if key == b"0" else Answer(("first",), Rewrite(key_prefix=key + b"/"))


def test_each_key_has_a_place_of_its_own() -> None:
    """Only so many requests at a time are under way."""
    custom = {"timeout_seconds": 1.0, "refuses": True, "reads": [], "address": "r"}
    one = Deletes(custom=custom, rules=())
    one.rig.worker.custom = Router()  # type: ignore[assignment]
    keys = [str(number) for number in range(AT_ONCE + 3)]
    one.asks_for(document(*keys))
    assert len(one.rig.targets) == AT_ONCE
    assert [received(peer).keys for peer in one.rig.targets[:3]] == [["0"], ["1/1"], ["2/2"]]
    for peer, key in zip(one.rig.targets[:3], ("0", "1/1", "2/2"), strict=True):
        peer.says(deleted([key]))
    one.answers()
    assert codes(one.body) == [(key, "") for key in keys]
    assert one.rig.count(Slot.CALLS) == len(keys)
