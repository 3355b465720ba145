"""Copies to lakeFS and from there: its profile has a dialect, which each request goes through."""

from __future__ import annotations

from typing import Any

import pytest

from fastpath.composed.copies import copy_object
from fastpath.ipc.counters import Slot
from tests.doubles.http1 import ok, put
from tests.doubles.rules import Rewriting, Rule
from tests.doubles.uploads import initiated
from tests.doubles.wire import Rig
from tests.unit.fastpath.composed.copies.bench import ETAG, OBJECT, Copying, error, found, ranged

RULES = (
    Rule(1, 1, "g-*", "generic"),
    Rule(2, 2, "r-*", "first", rewrite=Rewriting("repo", "main/p/")),
)
IN_PARTS = {"hides_parts": False}  # else a copy of any size is one PutObject
MISSING = "<Message>The specified key does not exist.</Message><Key>p/source</Key>"


def to_lakefs(*lines: str, path: str = "/repo/main/k", **options: Any) -> Copying:
    request = put(path, b"", "x-amz-copy-source: g-b/source", *lines)
    return Copying(request, source="generic", profile="lakefs", rules=RULES, **options)


def from_lakefs(source: str = "repo/main/source", **options: Any) -> Copying:
    request = put("/g-b/k", b"", f"x-amz-copy-source: {source}")
    return Copying(request, profile="lakefs", rules=RULES, **options)


def test_a_copy_to_lakefs() -> None:
    copy = to_lakefs()
    copy.finds()
    copy.reads(ETAG, "x-amz-meta-b: 1")
    written = copy.stores("PUT /repo/main/k HTTP/1.1")
    assert written.body == OBJECT
    assert written.fields["content-type"] == "binary/octet-stream"
    copy.shows()
    assert copy.ended().status == 200


LOCK = "x-amz-object-lock-mode: GOVERNANCE"
FORGOTTEN = [
    ("Content-Encoding: gzip", "content-encoding"),
    (LOCK, "x-amz-object-lock-mode"),
    ("x-amz-object-lock-legal-hold: ON", "x-amz-object-lock-legal-hold"),
    ("x-amz-website-redirect-location: /x", "x-amz-website-redirect-location"),
    ("x-amz-tagging: a=b", "x-amz-tagging"),
]


def forgetting(line: str, forgets: str) -> Copying:
    """A copy of an object with a coding, or one that is to have what lakeFS forgets."""
    of_the_source = line.startswith("Content")
    lines = () if of_the_source else ("x-amz-tagging-directive: REPLACE", line)
    copy = to_lakefs(*lines, forgets=forgets)
    copy.finds()
    copy.reads(*((ETAG, line) if of_the_source else (ETAG,)))
    return copy


@pytest.mark.parametrize(("line", "name"), FORGOTTEN)
def test_what_lakefs_would_forget_is_refused(line: str, name: str) -> None:
    copy = forgetting(line, "refuse")
    assert copy.refused() == (501, "NotImplemented")
    assert f"<Header>{name}</Header>".encode() in copy.client.heard
    assert copy.destination.peers == []


@pytest.mark.parametrize(("line", "name"), FORGOTTEN)
def test_or_dropped_and_the_operator_is_told(line: str, name: str) -> None:
    copy = forgetting(line, "drop")
    written = copy.stores()
    assert name not in written.fields
    assert written.body == OBJECT
    (told,) = copy.rig.lines("event")
    assert (told["headers"], told["target"]) == (name, "first")
    copy.shows()
    assert copy.ended().status == 200


def test_a_request_whose_headers_were_dropped_counts_once() -> None:
    """lakeFS would have made the copy itself, but for its type."""
    rig = Rig(profile="lakefs", forgets="drop", rules=RULES)
    lines = ["x-amz-metadata-directive: REPLACE", "Content-Type: text/y", LOCK]
    rig.connect().says(put("/repo/main/k", b"", "x-amz-copy-source: repo/main/s", *lines))
    rig.target.says(found(3, ETAG, "Content-Type: text/x"))  # asked for its type
    rig.target.says(found(3, ETAG, "Content-Type: text/x"))
    rig.target.says(ok(b"abc", ETAG, "Content-Type: text/x"))
    assert b"PUT /repo/main/k" in rig.target.heard
    assert rig.count(Slot.FORGOTTEN) == 1


def test_tags_of_the_source_are_among_them() -> None:
    for forgets in ("refuse", "drop"):
        copy = to_lakefs(forgets=forgets)
        copy.finds()
        copy.reads(ETAG, "x-amz-tagging-count: 1")
        copy.source.hears("GET /g-b/source?tagging= ")
        tag = b"<Tag><Key>a</Key><Value>b</Value></Tag>"
        copy.source.says(ok(b"<Tagging><TagSet>" + tag + b"</TagSet></Tagging>"))
        if forgets == "refuse":
            assert copy.refused() == (501, "NotImplemented")
        else:
            assert "x-amz-tagging" not in copy.stores().fields


@pytest.mark.parametrize(
    ("lines", "path", "expected"),
    [
        (["if-match: e"], "/repo/main/k", (501, "NotImplemented")),
        (["x-amz-tagging: a=b"], "/repo/main/k", None),  # without the directive
        ([], "/repo/main/", (400, "InvalidRequest")),
        ([], "/repo/file.txt", (400, "InvalidRequest")),
    ],
)
def test_a_large_object_is_refused_before_its_first_part(
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str],
    path: str,
    expected: tuple[int, str] | None,
) -> None:
    """What the destination refuses of one PutObject does not wait for the end of the copy."""
    monkeypatch.setattr(copy_object, "WHOLE", 1000)
    copy = to_lakefs(*lines, path=path, overrides=IN_PARTS)
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ranged(0, 1))
    if expected is None:
        copy.destination.hears("POST /repo/main/k?uploads")
    else:
        assert copy.refused() == expected
        assert copy.destination.peers == []


def test_a_large_copy_to_lakefs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_object, "WHOLE", 2000)
    monkeypatch.setattr(copy_object, "PART", 2000)
    copy = to_lakefs("if-none-match: *", overrides=IN_PARTS)
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(ranged(0, 1))
    copy.destination.hears("POST /repo/main/k?uploads")
    copy.destination.says(ok(initiated(bucket="repo", key="main/k")))
    for number, (first, end) in enumerate([(0, 2000), (2000, len(OBJECT))], start=1):
        copy.source.hears("GET ")
        copy.source.says(ranged(first, end))
        copy.stores(f"PUT /repo/main/k?partNumber={number}&uploadId=u1 ")
    closing = copy.destination.hears("POST /repo/main/k?uploadId=u1 ")
    assert closing.fields["if-none-match"] == "*"
    # lakeFS says 500 for a part that it does not have; what is sent decides what that means.
    copy.destination.says(error("InternalError", "500 Internal"))
    copy.destination.hears("GET /repo/main/k?uploadId=u1")
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        for number, etag in ((1, "n"), (2, "x"))
    )
    copy.destination.says(ok(f"<ListPartsResult>{parts}</ListPartsResult>".encode()))
    answer = copy.answer(b"PUT")
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    (told,) = copy.rig.lines("event")
    assert told["message"] == "refused the upload of a copy: InvalidPart"
    copy.destination.hears("DELETE /repo/main/k?uploadId=u1 ")
    copy.destination.says(error("NoSuchKey", "404 Not Found"))  # as lakeFS says it of an upload
    assert copy.over == copy.left != []
    assert copy.is_at_rest


def test_a_large_copy_to_lakefs_is_one_put(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_object, "WHOLE", 1000)
    copy = to_lakefs()
    copy.finds()
    copy.reads()
    assert copy.stores("PUT /repo/main/k HTTP/1.1").body == OBJECT


def test_an_empty_object_of_a_directory_is_stored_as_it_is_by_a_client_s_own_put() -> None:
    copy = to_lakefs(path="/repo/main/")
    copy.finds(0)
    copy.reads(data=b"")
    copy.destination.hears("GET /repo?list-type=2&prefix=main%2F")
    copy.destination.says(ok(b"<ListBucketResult/>"))
    if not copy.destination.is_silent:
        copy.destination.hears("HEAD ")
        copy.destination.says(error("NoSuchKey", "404 Not Found"))
    answer = copy.ended()
    assert answer.status == 200
    assert b"&quot;d41d8cd98f00b204e9800998ecf8427e&quot;" in answer.body


def test_a_directory_on_a_branch_that_is_missing() -> None:
    copy = to_lakefs(path="/repo/none/")
    copy.finds(0)
    copy.reads(data=b"")
    copy.destination.hears("GET /repo?list-type=2&prefix=none%2F")
    copy.destination.says(error("NoSuchBucket", "404 Not Found"))
    assert copy.refused() == (404, "NoSuchBucket")


# --- from lakeFS ---


def test_a_copy_from_lakefs() -> None:
    copy = from_lakefs()
    copy.source.hears("HEAD /repo/main/source HTTP/1.1")
    copy.source.says(found(len(OBJECT), ETAG, "X-Amz-Meta-Owner: me"))
    copy.reads(ETAG, "X-Amz-Meta-Owner: me")
    assert copy.stores().fields["x-amz-meta-owner"] == "me"


def test_lakefs_does_not_compare_but_its_etag_does() -> None:
    copy = from_lakefs()
    copy.finds()
    copy.reads('ETag: "other"')
    assert copy.refused() == (503, "ServiceUnavailable")
    assert b"The source changed" in copy.client.heard


def test_a_source_at_lakefs_that_is_gone_since_it_was_found_may_be_elsewhere() -> None:
    copy = from_lakefs()
    copy.finds()
    copy.source.hears("GET ")
    copy.source.says(error("NoSuchKey", "404 Not Found", MISSING))
    assert copy.refused() == (503, "ServiceUnavailable")
    assert b"The source changed" in copy.client.heard


def test_an_error_of_a_renamed_source_has_the_names_of_the_client() -> None:
    copy = from_lakefs("r-x/source")
    copy.source.hears("HEAD /repo/main/p/source ")
    copy.source.says(ok(b"", status="404 Not Found"))
    if not copy.source.is_silent:
        copy.source.hears("GET /repo/main/p/source ")
        copy.source.says(error("NoSuchKey", "404 Not Found", MISSING))
    assert copy.refused() == (404, "NoSuchKey")
    assert b"<Key>source</Key>" in copy.client.heard
    for theirs in (b"repo", b"main/"):
        assert theirs not in copy.client.heard


def test_a_version_that_lakefs_does_not_have() -> None:
    copy = from_lakefs("repo/main/source?versionId=v1")
    assert copy.refused() == (501, "NotImplemented")
    assert not copy.rig.targets


def test_lakefs_has_no_tags_to_ask_for() -> None:
    copy = from_lakefs()
    copy.finds()
    copy.reads()
    copy.stores()
    copy.shows()
    assert copy.ended().status == 200
    assert [call[0] for call in copy.calls()] == [
        "HeadObject",
        "GetObject",
        "PutObject",
        "HeadObject",
    ]
