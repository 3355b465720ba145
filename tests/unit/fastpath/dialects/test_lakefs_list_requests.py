"""`fastpath.dialects.lakefs.list_requests`: what is asked of lakeFS for a list of S3."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fastpath.dialects.lakefs.list_positions import Position
from fastpath.dialects.lakefs.list_requests import Listing, read_listing
from fastpath.errors import S3Error
from fastpath.http.query import parse_query
from fastpath.s3.continuation_tokens import make_token, read_token

BUCKET = b"repo"


def v2(query: str) -> Listing:
    return read_listing(parse_query(query.encode()), BUCKET, is_v2=True)


def v1(query: str) -> Listing:
    return read_listing(parse_query(query.encode()), BUCKET, is_v2=False)


def refused(query: str, *, is_v2: bool) -> S3Error:
    with pytest.raises(S3Error) as caught:
        read_listing(parse_query(query.encode()), BUCKET, is_v2=is_v2)
    return caught.value


def test_only_what_lakefs_reads_goes_up_and_each_once() -> None:
    asked = "list-type=2&prefix=main/a%2Bb%20&prefix=dev/&encoding-type=url&fetch-owner=true&x-id=x"
    assert v2(asked).query == b"list-type=2&prefix=main%2Fa%2Bb%20&max-keys=1000"
    assert v1("marker=main/b&prefix=main/&delimiter=%26&max-keys=7").query == (
        b"prefix=main%2F&delimiter=%26&marker=main%2Fb&max-keys=7"
    )


@pytest.mark.parametrize(
    ("prefix", "after", "mark", "is_empty"),
    [
        ("main/", "main/b", "main/b", False),
        ("main/", "main/", "main/", False),  # to lakeFS the beginning
        ("main/dir/", "main/dir/", "main/dir/", False),  # L2: a key may be the prefix
        ("main/", "dev/z", "", False),
        ("main/", "MAIN/c", "", False),  # lakeFS would take it for `main/c`
        ("main/", "/", "", False),
        ("main/", "main", "", False),
        ("main/", "main0", "", True),
        ("main/", "zzz", "", True),
        ("main/b", "main/a", "", False),
        ("main/b", "main/c", "", True),
        ("main/é", "main/é1", "main/é1", False),
        ("", "dev/", "dev", False),  # L3: to lakeFS `dev/` stands behind `dev-a`
        ("dev", "dev-a/x", "dev-a", False),
        ("dev-", "dev/", "", False),  # nor does lakeFS list `dev-a` before `dev`
        ("", "dev", "deu~", False),  # to S3 the branch `dev/` stands behind it
        ("dev", "dev", "", False),  # all that begins with `dev` does
        ("", "dev0", "dev.~", False),  # not `dev/~`, which is in the branch `dev`
        ("", "a.b", "a.b", False),
        ("", "/x", "", False),
        ("d", "main", "", True),
    ],
)
def test_a_marker_means_what_it_means_to_s3(
    prefix: str, after: str, mark: str, is_empty: bool
) -> None:
    for listing in (
        v2(f"prefix={prefix}&start-after={after}"),
        v1(f"prefix={prefix}&marker={after}"),
    ):
        assert listing.after == after
        assert (listing.begin.mark, listing.is_empty) == (mark, is_empty)
        assert (b"max-keys=0" in listing.query) is is_empty
        assert (
            f"={mark}&".replace("/", "%2F").replace("é", "%C3%A9").encode() in listing.query
        ) is (bool(mark))


def test_a_slash_before_the_branch_finds_nothing() -> None:
    """lakeFS would drop the slash; `/` alone is a bad request to it."""
    for prefix in ("/", "/main/e"):
        assert v2(f"prefix={prefix}").is_empty
        assert v2(f"prefix={prefix}").query == b"max-keys=0" or (
            v2(f"prefix={prefix}").query == b"list-type=2&max-keys=0"
        )


def test_a_token_goes_up_as_the_key_it_holds() -> None:
    token = make_token(BUCKET, "main/b c")
    assert "main" not in token
    listing = v2(f"prefix=main/&continuation-token={token}&start-after=main/z")
    assert listing.query == (
        b"list-type=2&prefix=main%2F&continuation-token=main%2Fb%20c&max-keys=1000"
    )
    assert (listing.token, listing.after) == (token, "main/z")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "main/b",
        "bWFpbi9i",
        make_token(b"other", "main/b"),
        make_token(BUCKET, "dev/b"),
        make_token(BUCKET, ""),
        make_token(BUCKET, "main/b")[:-1],
        make_token(BUCKET, "main/b") + "A",
        "%00%ff",
        "*",
    ],
)
def test_a_token_of_another_list_is_incorrect(token: str) -> None:
    error = refused(f"prefix=main/&continuation-token={token}", is_v2=True)
    assert error.kind.code in ("InvalidArgument", "InvalidURI")
    if error.kind.code == "InvalidArgument":
        assert error.message == "The continuation token provided is incorrect"
        assert error.extras == (("ArgumentName", "continuation-token"),)


def test_a_token_holds_any_key() -> None:
    for mark in ("main/a", "main/\u00e9\U0001f600", "dev", "x" * 1200):
        assert read_token(BUCKET, make_token(BUCKET, mark).encode()) == mark


@pytest.mark.parametrize(
    ("sent", "most"), [("", 1000), ("0", 0), ("7", 7), ("1000", 1000), ("5000", 1000), ("%2B7", 7)]
)
def test_at_most_1000_keys_are_asked_for(sent: str, most: int) -> None:
    listing = v2(f"max-keys={sent}")
    assert (listing.max_keys, listing.is_empty) == (most, not most)


@pytest.mark.parametrize(
    ("query", "is_v2", "text", "name"),
    [
        ("max-keys=x", True, "Provided max-keys not an integer or within integer", "max-keys"),
        ("max-keys=2147483648", False, "Provided max-keys not an integer", "max-keys"),
        ("max-keys=-01", True, "Argument maxKeys must be an integer between 0 and 21", "maxKeys"),
        ("encoding-type=", True, "Invalid Encoding Method specified in Request", "encoding-type"),
        ("encoding-type=xml", False, "Invalid Encoding Method specified in", "encoding-type"),
        ("marker=a", True, "Marker unsupported with REST.GET.BUCKET in list-type=2", "marker"),
        ("start-after=a", False, "startAfter only supported in REST.GET.BUCKET", "start-after"),
        ("continuation-token=a", False, "continuation-token only", "continuation-token"),
        ("list-type=3", False, "Invalid List Type specified in Request", "list-type"),
    ],
)
def test_what_s3_refuses(query: str, is_v2: bool, text: str, name: str) -> None:
    error = refused(query, is_v2=is_v2)
    assert error.kind.code == "InvalidArgument"
    assert error.message.startswith(text)
    assert error.extras[0] == ("ArgumentName", name)


@pytest.mark.parametrize("query", ["prefix=main/a%0Ab", "start-after=main/a%0Ab&prefix=main/"])
def test_what_lakefs_would_cut_at_a_line_break_is_refused(query: str) -> None:
    assert refused(query, is_v2=True).kind.code == "NotImplemented"


def test_a_list_does_not_go_on_behind_a_key_that_lakefs_did_not_tell() -> None:
    """It writes U+FFFD for control characters: going on there would leave keys out."""
    for mark in ("main/a%0Ab", "main/x\ufffdy"):
        assert refused(f"prefix=main/&start-after={mark}", is_v2=True).kind.code == "NotImplemented"
        assert refused(f"prefix=main/&marker={mark}", is_v2=False).kind.code == "NotImplemented"
    assert v2("prefix=main/&start-after=main/x%01y").begin.mark == "main/x\x01y"
    assert v2("prefix=main/&start-after=zz%0A").is_empty


@pytest.mark.parametrize(
    ("after", "delimiter", "mark"),
    [
        ("main/b/1", "/", "main/b/1\0"),
        ("main/b/1", "", "main/b/1"),
        ("main/b/1", "x", "main/b/1"),
        ("main/b/", "/", "main/b/"),  # the common prefix itself: lakeFS leaves it out
        ("main/b//", "/", "main/b//\0"),
        ("main/b//", "//", "main/b//"),
        ("main/b", "/", "main/b"),
    ],
)
def test_a_list_begins_behind_a_key_inside_a_common_prefix(
    after: str, delimiter: str, mark: str
) -> None:
    """L19: lakeFS begins with the key itself, and so shows a prefix that has nothing more."""
    found = v2(f"prefix=main/&start-after={after}&delimiter={delimiter}").begin.mark
    assert found == v1(f"prefix=main/&marker={after}&delimiter={delimiter}").begin.mark == mark


def test_a_position_goes_up_as_a_mark_and_more_rows() -> None:
    """L17: what was shown behind the mark is asked for again, and left out."""
    sealed = make_token(BUCKET, Position("main/a", 2, 3).text)
    for listing in (
        v2(f"prefix=main/&max-keys=7&continuation-token={sealed}"),
        v1(f"prefix=main/&max-keys=7&marker={sealed}"),
    ):
        assert listing.begin == ("main/a", 2, 3)
        assert b"=main%2Fa&max-keys=12" in listing.query
    begin = make_token(BUCKET, Position("", 0, 3).text)
    assert v1(f"prefix=main/&marker={begin}").query == b"prefix=main%2F&max-keys=1003"
    for token in (
        make_token(BUCKET, Position("dev/a", 2, 3).text),
        make_token(BUCKET, "main/a\nb"),
        make_token(BUCKET, "main/a\n1"),
    ):
        error = refused(f"prefix=main/&continuation-token={token}", is_v2=True)
        assert error.kind.code in ("InvalidArgument", "NotImplemented")
    assert v1(f"prefix=main/&marker={make_token(BUCKET, 'main/a')}").begin.mark == ""  # a key


def test_a_position_among_too_many_keys_is_refused() -> None:
    """lakeFS gives 10,000 rows at once."""
    sealed = make_token(BUCKET, Position("main/a", 0, 9500).text)
    error = refused(f"prefix=main/&continuation-token={sealed}", is_v2=True)
    assert error.kind.code == "NotImplemented"


@pytest.mark.parametrize("name", ["prefix", "start-after", "delimiter", "continuation-token"])
def test_bytes_that_are_no_utf_8(name: str) -> None:
    assert refused(f"{name}=%ff", is_v2=True).kind.code == "InvalidURI"


def test_owners_are_shown_as_s3_shows_them() -> None:
    assert v1("").owners
    assert not v2("").owners
    assert v2("fetch-owner=true").owners
    assert replace(v2("encoding-type=URL"), encoded=True) == v2("encoding-type=URL")
