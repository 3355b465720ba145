"""Targets that the head of a request does not decide: by keys in a body, by a custom router."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fastpath.custom.answer import Answer, Question, RouterFailed
from fastpath.custom.client import MISSING
from fastpath.routing.rewrite import Rewrite
from tests.doubles.http1 import get, ok, put
from tests.doubles.rules import Rule
from tests.doubles.uploads import sealed
from tests.doubles.wire import Peer, Rig

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DELETED = b'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></DeleteResult>'
BY_KEY = (Rule(1, 1, "b-b", "generic", keys=("raw/*",)),)


def batch(*keys: str) -> bytes:
    objects = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    return f"<Delete>{objects}</Delete>".encode()


def answered(peer: Peer) -> str:
    """The authority of the target that has the request."""
    return peer.heard.partition(b"\r\nhost: ")[2].partition(b":")[0].decode()


# By keys


@pytest.mark.parametrize(
    ("keys", "target"), [(("raw/1", "raw/2"), "generic"), (("1", "2"), "first")]
)
def test_a_batch_goes_where_all_of_its_keys_go(keys: tuple[str, ...], target: str) -> None:
    rig = Rig(rules=BY_KEY)
    client = rig.connect()
    body = batch(*keys)
    client.says(put("/b-b?delete", body, method="POST"))
    assert answered(rig.target) == f"{target}.test"
    assert rig.target.heard.endswith(b"\r\n\r\n" + body)
    length = b"Content-Length: %d\r\n" % len(DELETED)
    rig.target.says(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n" + DELETED)
    assert client.heard.endswith(DELETED)


def test_a_batch_comes_in_pieces_and_waits_for_a_continue() -> None:
    rig = Rig(rules=BY_KEY)
    client = rig.connect()
    head, body = put("/b-b?delete", batch("raw/1"), "Expect: 100-continue", method="POST").split(
        b"\r\n\r\n"
    )
    client.says(head + b"\r\n\r\n")
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not rig.targets
    client.says(body[:10], body[10:])
    assert rig.target.heard.endswith(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"<Delete><Object>", b"MalformedXML"), (b"<x>" * 700_000, b"MaxMessageLengthExceeded")],
)
def test_a_batch_that_cannot_be_read_goes_nowhere(body: bytes, code: bytes) -> None:
    rig = Rig(rules=BY_KEY)
    client = rig.connect()
    client.says(put("/b-b?delete", body, method="POST"))
    assert b"<Code>" + code in client.heard
    assert not rig.targets


# By the custom router


class Router:
    """The worker's client of a router that answers at once, or never."""

    def __init__(self, answer: Callable[[Question], Any], kept: Any = MISSING) -> None:
        self.answer = answer
        self.kept = kept
        self.asked: list[Question] = []

    def install(self, snapshot: object) -> None:
        """It has no state."""

    def cached(self, question: Question) -> Any:
        return self.kept

    async def route(self, question: Question) -> Answer | None:
        self.asked.append(question)
        found = self.answer(question)
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]


def custom(*, refuses: bool = True, reads: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"timeout_seconds": 0.05, "refuses": refuses, "reads": list(reads), "address": "r"}


def routed(
    answer: Callable[[Question], Any], kept: Any = MISSING, **options: Any
) -> tuple[Rig, Router]:
    rig = Rig(custom=custom(**options))
    router = Router(answer, kept)
    rig.worker.custom = router  # type: ignore[assignment]
    return rig, router


def to(target: str, rewrite: Rewrite | None = None) -> Callable[[Question], Answer]:
    return lambda _: Answer((target,), rewrite)


def test_the_router_decides_and_gets_what_it_may_look_at() -> None:
    rig, router = routed(to("generic"))
    client = rig.connect()
    client.says(put("/b-b/a%20key", b"body", "Content-Type: text/plain"))
    assert answered(rig.target) == "generic.test"
    rig.target.says(OK)
    assert router.asked == [Question(b"b-b", b"PUT", 4, b"text/plain", b"a key", "", "PutObject")]
    (line,) = rig.lines("access")
    assert (line["target"], line["rule"]) == ("generic", "custom")


def test_the_rules_decide_where_the_router_does_not() -> None:
    rig, _ = routed(lambda _: None)
    rig.connect().says(get("/g-b/k"))
    assert answered(rig.target) == "generic.test"


def test_the_router_names_bucket_and_prefix() -> None:
    rig, _ = routed(to("generic", Rewrite(b"other", b"main/")))
    rig.connect().says(get("/b-b/k"))
    assert rig.target.heard.startswith(b"GET /other/main/k HTTP/1.1\r\n")


def test_a_kept_answer_needs_no_question() -> None:
    rig, router = routed(to("first"), Answer(("generic",)))
    rig.connect().says(get("/b-b/k"))
    assert answered(rig.target) == "generic.test"
    assert not router.asked


@pytest.mark.parametrize(("refuses", "status"), [(True, b"503"), (False, None)])
def test_a_router_that_fails(refuses: bool, status: bytes | None) -> None:
    rig, _ = routed(lambda _: RouterFailed("it is asleep"), refuses=refuses)
    client = rig.connect()
    client.says(get("/g-b/k"))
    if status is None:
        assert answered(rig.target) == "generic.test"
    else:
        assert b"HTTP/1.1 503 " in client.heard
        assert b"asleep" not in client.heard
        assert not rig.targets


def test_a_target_that_a_reload_has_added_is_none_of_a_request_from_before() -> None:
    """The router may answer by the new configuration; the request ends on its own."""
    rig, _ = routed(to("added"))
    client = rig.connect()
    client.says(get("/b-b/k"))
    assert b"HTTP/1.1 503 " in client.heard
    assert not rig.defects


def test_reads_lists_and_deletes_look_where_custom_reads_says() -> None:
    rig, router = routed(to("first"), reads=("generic",))
    for raw in (get("/b-b/k"), get("/b-b?list-type=2"), put("/b-b/k", b"", method="DELETE")):
        rig.connect().says(raw)
        assert answered(rig.target) == "generic.test"
    rig.connect().says(put("/b-b/k", b"body"))
    assert answered(rig.target) == "first.test"
    assert [question.method for question in router.asked] == [b"PUT"]


@pytest.mark.parametrize("said", [None, RouterFailed("it is gone")], ids=["none", "failed"])
def test_a_write_that_the_rules_decide_removes_what_custom_reads_would_show(said: Any) -> None:
    """Reads look at `generic` first, whoever has sent the write to `first`."""
    rig, _ = routed(lambda _: said, refuses=False, reads=("generic", "first"))
    client = rig.connect()
    client.says(put("/b-b/k", b"new"))
    before = rig.target
    assert answered(before) == "generic.test"
    assert before.take().startswith(b"HEAD /b-b/k ")
    before.says(ok(b"", 'ETag: "old"'))
    stored = rig.targets[1]
    assert answered(stored) == "first.test"
    stored.says(ok(b"", 'ETag: "new"'))
    assert before.take().startswith(b"HEAD /b-b/k ")  # it takes no If-Match on deletes
    before.says(ok(b"", 'ETag: "old"'))
    assert before.take().startswith(b"DELETE /b-b/k ")
    assert client.heard == b""
    before.says(OK)
    assert client.heard.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("reads", [(), ("generic",)])
def test_a_list_of_uploads_goes_on_where_it_began_or_nowhere(reads: tuple[str, ...]) -> None:
    """The router may send each key elsewhere; the marker of one must not open all of its target."""
    rig, router = routed(to("generic"), reads=reads)
    for target, status in (("generic", None), ("first", b" 501 ")):
        client = rig.connect()
        marker = sealed(target=target)
        client.says(get(f"/b-b?uploads&key-marker=k&upload-id-marker={marker}"))
        if status is None:
            assert answered(rig.target) == target + ".test"
            assert b"&upload-id-marker=u1 HTTP/1.1" in rig.target.take()
        else:
            assert status in client.heard
            assert not rig.target.heard
    assert len(router.asked) == (0 if reads else 2)


def test_each_key_of_a_batch_is_a_question_of_its_own() -> None:
    rig, router = routed(to("generic"))
    rig.connect().says(put("/b-b?delete", batch(*map(str, range(250)), "7"), method="POST"))
    assert answered(rig.target) == "generic.test"
    assert router.asked[7] == Question(b"b-b", b"DELETE", None, b"", b"7", "", "DeleteObjects")
    assert len(router.asked) == 250


def test_the_source_of_a_copy_is_a_question_of_its_own() -> None:
    rig, router = routed(to("generic"))
    rig.connect().says(put("/b-b/k", b"", "x-amz-copy-source: /a-a/s%20s"))
    asked = [(one.method, one.bucket, one.key, one.s3_operation) for one in router.asked]
    assert asked == [
        (b"GET", b"a-a", b"s s", "GetObject"),
        (b"PUT", b"b-b", b"k", "CopyObject"),
    ]
    assert answered(rig.target) == "generic.test"


def test_a_copy_between_two_targets_begins_at_its_source() -> None:
    rig, _ = routed(lambda asked: Answer(("first" if asked.method == b"GET" else "generic",)))
    rig.connect().says(put("/b-b/k", b"", "x-amz-copy-source: /a-a/s"))
    assert rig.target.heard.startswith(b"HEAD /a-a/s HTTP/1.1\r\nhost: first.test")


@pytest.mark.parametrize("source", ["generic", "first"])
def test_the_source_of_a_rename_is_a_question_of_its_own(source: str) -> None:
    """The target deletes it: elsewhere, it would be another object of the same name."""
    rig, router = routed(lambda asked: Answer((source if asked.key == b"s" else "generic",)))
    client = rig.connect()
    client.says(put("/b-b/k?renameObject", b"", "x-amz-rename-source: /b-b/s"))
    asked = [(one.method, one.key, one.s3_operation) for one in router.asked]
    assert asked == [(b"PUT", b"s", "RenameObject"), (b"PUT", b"k", "RenameObject")]
    if source == "generic":
        assert answered(rig.target) == "generic.test"
    else:
        assert b" 501 " in client.heard
        assert not rig.targets


def test_a_client_that_leaves_while_the_router_thinks_is_forgotten() -> None:
    rig, router = routed(to("generic"))

    async def never(_: Question) -> None:
        await rig.loop.create_future()

    router.route = never  # type: ignore[assignment,method-assign]
    client = rig.connect()
    client.says(get("/b-b/k"))
    client.resets()
    assert not rig.targets
    assert not rig.worker.connections
