"""Who may copy between two targets: for everybody else, nothing is sent anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from fastpath.custom.answer import Answer
from tests.doubles.http1 import ok, put
from tests.doubles.signing import RawClient
from tests.doubles.wire import KEY, document
from tests.unit.fastpath.composed.copies.bench import ETAG, OBJECT, Copying
from tests.unit.fastpath.composed.test_finding_targets import routed

SOURCE = {"x-amz-copy-source": "b-b/source"}
READ = {"buckets": ["b-*"], "operations": ["GetObject"]}
WRITE = {"buckets": ["g-*"], "operations": ["CopyObject"]}
TAGGED = (ETAG, "x-amz-tagging-count: 1")
TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"


def copy_by(*allow: dict[str, Any], targets: list[str] | None = None, **options: Any) -> Copying:
    """A copy that an identity with these rights asks for."""
    entry = document()["identities"][0]
    identity = {**entry, "allow": list(allow) or None, "targets": targets}
    client = RawClient("gateway.test", 80, *KEY)
    head = client.head("PUT", b"/g-b/k", 0, {**SOURCE, **options.pop("headers", {})})
    return Copying(head, **{"mode": "sigv4", "identities": [identity], **options})


def is_refused(copy: Copying) -> bool:
    """Whether it is AccessDenied, and no target has heard of it."""
    return copy.refused() == (403, "AccessDenied") and not copy.rig.targets


def test_an_identity_needs_both_rights() -> None:
    copy = copy_by(READ, WRITE)
    copy.finds()
    copy.reads()
    copy.stores()
    assert is_refused(copy_by(READ))
    assert is_refused(copy_by(WRITE))


@pytest.mark.parametrize("reached", [["first"], ["generic"], []])
def test_and_reaches_both_targets(reached: list[str]) -> None:
    """Without identities, a target's own key reaches that target alone, off loopback."""
    assert is_refused(copy_by(targets=reached))


def test_a_header_that_implies_another_operation_needs_its_right() -> None:
    lock = {"x-amz-object-lock-legal-hold": "ON"}
    assert is_refused(copy_by(READ, WRITE, headers=lock))
    may = {"buckets": ["g-*"], "operations": ["PutObjectLegalHold"]}
    copy_by(READ, WRITE, may, headers=lock).finds()


@pytest.mark.parametrize(
    ("of_source", "of_destination"), [(True, True), (True, False), (False, True)]
)
def test_tags_are_copied_by_whom_they_may_be_read_and_written(
    of_source: bool, of_destination: bool
) -> None:
    tags = [
        {"buckets": ["b-*"] if of_source else [], "operations": ["GetObjectTagging"]},
        {"buckets": ["g-*"] if of_destination else [], "operations": ["PutObjectTagging"]},
    ]
    copy = copy_by(READ, WRITE, *tags)
    copy.finds(len(OBJECT), *TAGGED)
    if of_source and of_destination:
        copy.source.hears("GET /b-b/source?tagging= ")
        copy.source.says(ok(TAGS))
        copy.reads(*TAGGED)
        assert copy.stores().fields["x-amz-tagging"] == "a=b"
    else:
        assert copy.refused() == (403, "AccessDenied")
        assert (copy.source.is_silent, copy.destination.peers) == (True, [])


def test_tags_of_the_request_need_the_right_to_write_them() -> None:
    tags = {"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "a=b"}
    assert is_refused(copy_by(READ, WRITE, headers=tags))


def test_a_target_without_credentials_is_not_the_fault_of_the_client() -> None:
    copy = copy_by(credentials={"first": document()["credentials"]["first"]})
    assert copy.refused() == (503, "ServiceUnavailable")
    assert not copy.rig.targets


def test_each_target_is_asked_with_the_credentials_of_this_identity() -> None:
    own = {"access_key_id": "AKIDOWN", "secret_access_key": "own", "token": None}
    entry = {**document()["identities"][0], "credentials": {"generic": "own"}}
    credentials = {**document()["credentials"], "own": own}
    copy = copy_by()
    copy = Copying(
        RawClient("gateway.test", 80, *KEY).head("PUT", b"/g-b/k", 0, SOURCE),
        mode="sigv4",
        identities=[entry],
        credentials=credentials,
    )
    assert "AKIDTARGET/" in copy.finds().fields["authorization"]
    copy.reads()
    assert "AKIDOWN/" in copy.stores().fields["authorization"]


def test_unsigned_requests_are_copied_unsigned_where_both_targets_decide_themselves() -> None:
    request = put("/g-b/k", b"", "x-amz-copy-source: b-b/source")
    copy = Copying(request, mode="sigv4", anonymous="forward")
    heard = [copy.finds(), copy.reads(), copy.stores(), copy.shows()]
    assert not any("authorization" in one.fields for one in heard)
    assert copy.ended().status == 200


@pytest.mark.parametrize("source", ["first", "generic"])
def test_unsigned_requests_reach_no_target_that_does_not(source: str) -> None:
    path, name = ("/g-b/k", "repo/main/k") if source == "first" else ("/repo/main/k", "g-b/source")
    request = put(path, b"", f"x-amz-copy-source: {name}")
    copy = Copying(request, source=source, mode="sigv4", anonymous="forward", profile="lakefs")
    assert is_refused(copy)


def test_without_a_signature_nothing_is_copied() -> None:
    request = put("/g-b/k", b"", "x-amz-copy-source: b-b/source")
    assert is_refused(Copying(request, mode="sigv4"))


def test_a_custom_router_decides_about_both_sides() -> None:
    rig, router = routed(lambda asked: Answer(("generic" if asked.method == b"GET" else "first",)))
    client = rig.connect()
    client.says(put("/b-b/k", b"", "x-amz-copy-source: c-c/source"))
    assert [(one.method, one.bucket) for one in router.asked] == [
        (b"GET", b"c-c"),
        (b"PUT", b"b-b"),
    ]
    assert rig.target.heard.startswith(b"HEAD /c-c/source HTTP/1.1\r\nhost: generic.test:9000\r\n")
    rig.target.take()
    rig.target.says(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 3\r\n\r\n')
    rig.target.take()
    rig.target.says(ok(b"abc", ETAG))
    assert rig.target.heard.startswith(b"PUT /b-b/k HTTP/1.1\r\nhost: first.test:9000\r\n")
