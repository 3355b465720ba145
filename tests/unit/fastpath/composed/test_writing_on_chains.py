"""Writes and deletes on a chain of two places: what each answer of a place removes, and may not."""

from __future__ import annotations

import re

import pytest

from tests.doubles.http1 import ok, put
from tests.doubles.rules import Conditions, Rule
from tests.unit.fastpath.composed.bench import Bench
from tests.unit.fastpath.composed.copies.bench import Side, error, found

LARGE = b"larger than ten bytes"
STORED = ok(b"", 'ETag: "new"')
DELETED = ok(b"", status="204 No Content").replace(b"Content-Length: 0\r\n", b"")
NO_BUCKET = error("NoSuchBucket", "404 Not Found")
BATCH = b"<Delete><Object><Key>k</Key></Object></Delete>"
ROW = ok(b"<DeleteResult><Deleted><Key>k</Key></Deleted></DeleteResult>")


def post(path: str, body: bytes, *lines: str) -> bytes:
    return put(path, body, *lines, method="POST")


class Chain(Bench):
    """A client, and the places of its key, in their order."""

    def __init__(self, *rules: Rule) -> None:
        super().__init__(rules=rules)
        self.first, self.second = Side(self.rig, "first"), Side(self.rig, "generic")

    def writes_behind(self, etag: str = 'ETag: "old"', stored: bytes = STORED) -> None:
        """A large object is stored at the second place; the first has a small one."""
        self.client.says(put("/b-b/k", LARGE))
        self.first.hears("HEAD /b-b/k")
        self.first.says(found(5, etag))
        self.second.hears("PUT /b-b/k")
        self.second.says(stored)


def candidates() -> Chain:
    return Chain(
        Rule(1, 1, "b-b", "first", conditions=Conditions(max_size=10)), Rule(2, 2, "b-b", "generic")
    )


def fallback() -> Chain:
    return Chain(Rule(1, 1, "b-b", "first", fallback=("generic",)))


@pytest.mark.parametrize("now", ["old", "newer", None])
def test_an_object_whose_etag_is_refused_is_looked_at_again(now: str | None) -> None:
    """A proxy shows a weak ETag, which no If-Match matches; or another client was faster."""
    bench = candidates()
    bench.writes_behind('ETag: W/"old"')
    assert bench.first.hears("DELETE /b-b/k").fields["if-match"] == 'W/"old"'
    bench.first.says(error("PreconditionFailed", "412 Precondition Failed"))
    bench.first.hears("HEAD /b-b/k")
    bench.first.says(found(5, f'ETag: W/"{now}"') if now else ok(b"", status="404 Not Found"))
    if now == "old":
        assert "if-match" not in bench.first.hears("DELETE /b-b/k").fields
        bench.first.says(DELETED)
    assert bench.first.is_silent
    assert bench.answer().status == 200
    assert bench.is_at_rest


def test_a_page_that_is_no_answer_of_a_store_removes_nothing() -> None:
    bench = candidates()
    bench.writes_behind(stored=ok(b"<html>Please log in.</html>"))
    assert bench.first.is_silent
    assert bench.answer().status == 503
    assert any("ETag" in line["message"] for line in bench.rig.lines("event"))


@pytest.mark.parametrize("condition", [None, "If-None-Match: *"])
def test_an_upload_that_a_reload_has_put_behind_another_place_is_uncovered(
    condition: str | None,
) -> None:
    bench = Chain(Rule(1, 1, "b-b", "generic"))
    bench.client.says(post("/b-b/k?uploads", b""))
    bench.second.hears("POST /b-b/k?uploads")
    answer = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    bench.second.says(ok(answer.encode()))
    sealed = re.search(rb"<UploadId>([^<]+)<", bench.client.take())
    assert sealed is not None
    bench.rig.install(rules=(Rule(1, 1, "b-b", "first", fallback=("generic",)),))
    part = b"<Part><PartNumber>1</PartNumber><ETag>e</ETag></Part>"
    document = b"<CompleteMultipartUpload>" + part + b"</CompleteMultipartUpload>"
    lines = () if condition is None else (condition,)
    bench.client.says(post(f"/b-b/k?uploadId={sealed[1].decode()}", document, *lines))
    if condition is not None:  # the old store cannot judge it
        assert bench.answer(b"POST").status == 501
        return
    bench.first.hears("HEAD /b-b/k")
    bench.first.says(found(5))
    bench.second.hears("POST /b-b/k?uploadId=u")
    stored = b"<CompleteMultipartUploadResult><ETag>n</ETag></CompleteMultipartUploadResult>"
    bench.second.says(ok(stored))
    bench.first.hears("DELETE /b-b/k")
    bench.first.says(DELETED)
    assert bench.answer(b"POST").status == 200


def test_a_delete_needs_the_bucket_at_one_place_alone() -> None:
    for answers, status in [
        ((NO_BUCKET, DELETED), 204),
        ((DELETED, NO_BUCKET), 204),
        ((NO_BUCKET, NO_BUCKET), 404),
    ]:
        bench = fallback()
        bench.asks(method="DELETE")
        for place, said in zip((bench.second, bench.first), answers, strict=True):
            place.hears("DELETE /b-b/k")
            place.says(said)
        assert bench.answer(b"DELETE").status == status


def test_a_delete_takes_no_page_of_a_proxy_for_an_absence() -> None:
    """The object is still there, and a client would take 404 for its end."""
    bench = fallback()
    bench.asks(method="DELETE")
    bench.second.hears("DELETE /b-b/k")
    bench.second.says(ok(b"", status="404 Not Found"))
    assert bench.first.is_silent
    assert bench.answer(b"DELETE").status == 503


def test_a_batch_needs_the_bucket_at_one_place_alone() -> None:
    for answers, row in [
        ((NO_BUCKET, ROW), b"<Deleted><Key>k</Key>"),
        ((ROW, NO_BUCKET), b"<Deleted><Key>k</Key>"),
        ((NO_BUCKET, NO_BUCKET), b"<Code>NoSuchBucket</Code>"),
    ]:
        bench = fallback()
        bench.client.says(post("/b-b?delete", BATCH))
        for place, said in zip((bench.second, bench.first), answers, strict=True):
            place.hears("POST /b-b?delete")
            place.says(said)
        assert row in bench.answer(b"POST").body


def test_a_batch_takes_no_page_of_a_proxy_for_a_missing_bucket() -> None:
    bench = fallback()
    bench.client.says(post("/b-b?delete", BATCH))
    bench.second.hears("POST /b-b?delete")
    bench.second.says(ok(b"", status="404 Not Found"))
    assert b"<Error><Key>k</Key>" in bench.answer(b"POST").body
    assert bench.first.is_silent
