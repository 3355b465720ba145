"""`fastpath.composed.copies.tags`: tags of the source are those of the new object."""

from __future__ import annotations

import pytest

from tests.doubles.http1 import ok, put
from tests.unit.fastpath.composed.copies.bench import ETAG, OBJECT, Copying, error

TAGGED = (ETAG, "x-amz-tagging-count: 2")
TAGS = (
    b'<?xml version="1.0"?><Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet>'
    b"<Tag><Key>a b</Key><Value>1&amp;2=3</Value></Tag><Tag><Value/><Key>\xc3\xa9</Key></Tag>"
    b"</TagSet></Tagging>"
)


def copy_with(*lines: str, source: str = "b-b/source") -> bytes:
    return put("/g-b/k", b"", f"x-amz-copy-source: {source}", *lines)


def tagged(request: bytes = copy_with()) -> Copying:
    """A copy whose source shows to a read that it has tags; S3 shows it to a HEAD too."""
    copy = Copying(request)
    copy.finds()
    copy.reads(*TAGGED)
    return copy


@pytest.mark.parametrize("is_shown_by_head", [True, False])
def test_the_tags_of_the_source_are_asked_for_once_and_go_along(is_shown_by_head: bool) -> None:
    copy = Copying(copy_with(source="b-b/source?versionId=v1"))
    copy.finds(len(OBJECT), *(TAGGED if is_shown_by_head else (ETAG,)))
    if not is_shown_by_head:
        copy.reads(*TAGGED)
    copy.source.hears("GET /b-b/source?tagging=&versionId=v1 ")
    copy.source.says(ok(TAGS))
    if is_shown_by_head:
        copy.reads(*TAGGED)
    assert copy.stores().fields["x-amz-tagging"] == "a%20b=1%262%3D3&%C3%A9="
    copy.shows()
    assert copy.ended().status == 200


@pytest.mark.parametrize("lines", [(ETAG,), (ETAG, "x-amz-tagging-count: 0")])
def test_a_source_without_tags_is_not_asked(lines: tuple[str, ...]) -> None:
    copy = Copying()
    copy.finds(len(OBJECT), *lines)
    copy.reads(*lines)
    assert "x-amz-tagging" not in copy.stores().fields


def test_tags_that_are_gone_when_they_are_asked_for() -> None:
    copy = tagged()
    copy.source.hears("GET /b-b/source?tagging= ")
    copy.source.says(ok(b"<Tagging><TagSet/></Tagging>"))
    assert "x-amz-tagging" not in copy.stores().fields


def test_with_replace_the_request_has_the_tags() -> None:
    lines = ("x-amz-tagging-directive: REPLACE", "x-amz-tagging: c=d")
    copy = tagged(copy_with(*lines))
    assert copy.stores().fields["x-amz-tagging"] == "c=d"
    copy = tagged(copy_with(lines[0]))
    assert "x-amz-tagging" not in copy.stores().fields


@pytest.mark.parametrize("answer", [ok(b"<Tagging><TagSet><Tag/></TagSet>"), ok(b"{}"), ok()])
def test_tags_that_cannot_be_read_are_not_lost(answer: bytes) -> None:
    copy = tagged()
    copy.source.hears("GET /b-b/source?tagging= ")
    copy.source.says(answer)
    assert copy.refused() == (503, "ServiceUnavailable")


def test_tags_that_a_target_does_not_show() -> None:
    copy = tagged()
    copy.source.hears("GET /b-b/source?tagging= ")
    copy.source.says(error("NoSuchBucket", "404 Not Found"))
    assert copy.refused() == (404, "NoSuchBucket")
