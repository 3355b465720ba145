"""Addresses, keys and copy sources as the target names them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.renaming.addresses import (
    upstream_address,
    upstream_key,
    upstream_prefix,
    upstream_source,
)
from fastpath.routing.rewrite import Rewrite
from fastpath.s3.addressing import Address, locate_copy_source
from tests.unit.fastpath.renaming.sides import HOSTILE, MOVED, NEW, REWRITE

NAME = "x-amz-copy-source"


def up(bucket: str, path: str, rewrite: Rewrite) -> Address:
    key = unquote_to_bytes(path.partition("/")[2].partition("/")[2])
    return upstream_address(Address(bucket.encode(), key, True, path.encode()), rewrite)


@pytest.mark.parametrize(
    ("path", "rewrite", "key", "upstream"),
    [
        ("/old/a/b", REWRITE, "main/a/b", "/lakefs-new/main/a/b"),
        ("/old/a%2Fb%20%C3%A9/.~", REWRITE, "main/a/b é/.~", "/lakefs-new/main/a%2Fb%20%C3%A9/.~"),
        ("/old/a*(b)", Rewrite(key_prefix=b"p q&/"), "p q&/a*(b)", "/old/p%20q%26/a*(b)"),
        ("/old//a", REWRITE, "main//a", "/lakefs-new/main//a"),
        ("/old/home/a%2Bb", MOVED, "team a&b/a+b", "/lakefs-new/team%20a%26b/a%2Bb"),
        ("/old/home/", MOVED, "team a&b/", "/lakefs-new/team%20a%26b/"),
        ("/old/ho%6De/a", Rewrite(strip_prefix=b"home/"), "a", "/old/a"),
        ("/ol%64", REWRITE, "", "/lakefs-new"),
        ("/old/", REWRITE, "", "/lakefs-new/"),
        ("/ol%64/a", Rewrite(key_prefix=b"p/"), "p/a", "/ol%64/p/a"),
        ("/ol%64/%61", Rewrite(), "a", "/ol%64/%61"),
    ],
)
def test_an_address_goes_up_with_the_targets_names(
    path: str, rewrite: Rewrite, key: str, upstream: str
) -> None:
    address = up("old", path, rewrite)
    assert (address.key, address.path) == (key.encode(), upstream.encode())
    assert address.bucket == rewrite.bucket_up(b"old")


def test_a_request_to_the_service_has_no_names() -> None:
    address = Address(b"", b"", True, b"/")
    assert upstream_address(address, REWRITE) is address


@pytest.mark.parametrize("rewrite", [REWRITE, MOVED, Rewrite(b"new")])
@pytest.mark.parametrize("name", [*HOSTILE[:-2], "k" * 1015])
def test_a_path_and_a_copy_source_mean_the_renamed_key(name: str, rewrite: Rewrite) -> None:
    key = rewrite.strip_prefix + name.encode()
    path = quote(key)
    address = up("old", f"/old/{path}", rewrite)
    assert unquote_to_bytes(address.path) == b"/" + address.bucket + b"/" + address.key
    assert address.key == rewrite.key_up(key)
    for slash in ("", "/", "%2F", "%2f"):
        for version in ("", "?versionId=a%2F+b"):
            value = f"{slash}old/{path}{version}".encode()
            renamed = upstream_source(value, NAME, rewrite)
            assert locate_copy_source(renamed) == (rewrite.bucket_up(b"old"), address.key)
            assert renamed.partition(b"?")[1:] == value.partition(b"?")[1:]
            assert renamed.startswith((b"/", b"%2")) == bool(slash)


def test_a_source_that_is_not_renamed_stays_byte_for_byte() -> None:
    value = b"/ol%64%2F%61?versionId=v"
    assert upstream_source(value, NAME, Rewrite()) is value


@pytest.mark.parametrize("size", [1019, 1020])
def test_a_key_that_grows_past_1024_bytes_is_refused(size: int) -> None:
    path = "/old/" + "k" * size
    calls: tuple[Callable[[], bytes], ...] = (
        lambda: up("old", path, REWRITE).key,
        lambda: upstream_prefix(b"k" * size, REWRITE),
        lambda: upstream_source(path.encode(), NAME, REWRITE),
    )
    for call in calls:
        if size == 1019:
            assert b"k" * size in call()
            continue
        with pytest.raises(S3Error) as caught:
            call()
        assert caught.value.kind.code == "KeyTooLongError"
        assert caught.value.extras == (("Size", "1025"), ("MaxSizeAllowed", "1024"))


@pytest.mark.parametrize(
    ("key_prefix", "key"),
    [
        ("main/", "../other"),
        ("main/", "a/../../other"),
        ("main/", "/../other"),
        ("main/", "./../other"),
        ("main/", "a/../../main/b"),
        ("main/", "a/.."),
        ("main/", "."),
        ("main/", "./"),
        ("a/b/c/", "../../x"),
        ("team-a", "/../team-b/x"),
        ("team-a", "x/../team-b"),
        ("team-a", "/../../x"),
        ("x/.", "./y"),
        ("x/", "é/../../y"),
    ],
)
def test_a_key_that_could_leave_its_prefix_is_refused(key_prefix: str, key: str) -> None:
    rewrite = Rewrite(b"", key_prefix.encode())
    with pytest.raises(S3Error) as caught:
        up("old", f"/old/{quote(key)}", rewrite)
    assert caught.value.kind.code == "InvalidURI"
    with pytest.raises(S3Error) as caught:
        upstream_source(f"old/{quote(key)}".encode(), NAME, rewrite)
    assert caught.value.kind.code == "InvalidURI"


@pytest.mark.parametrize(
    "key", ["..a", "a..", "a/...", "...", ".a", "a/./b", "/", "a.", "b/a/../c"]
)
@pytest.mark.parametrize("key_prefix", ["main/", "team-a"])
def test_a_key_that_stays_below_its_prefix_goes_up(key_prefix: str, key: str) -> None:
    renamed = upstream_key(key.encode(), Rewrite(b"", key_prefix.encode()))
    assert renamed.decode() == key_prefix + key


SEGMENTS = st.sampled_from(["..", ".", "", "a", "team-b", "main", "..a", "a."])


@given(
    st.sampled_from(["main/", "team-a", "a/b/", "a/b", "./x/", "a//"]),
    st.lists(SEGMENTS, min_size=1, max_size=6).map("/".join),
)
def test_no_key_that_goes_up_leaves_its_prefix_when_paths_are_normalised(
    key_prefix: str, key: str
) -> None:
    try:
        renamed = upstream_key(key.encode(), Rewrite(b"", key_prefix.encode())).decode()
    except S3Error:
        assert "." in key
        return
    kept: list[str] = []
    for segment in renamed.split("/"):
        if segment == "..":
            kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    above = [one for one in key_prefix.split("/")[:-1] if one not in ("", ".")]
    begun = key_prefix.split("/")[-1]
    assert kept[: len(above)] == above
    if begun:
        assert kept[len(above)].startswith(begun)
    elif key.strip("/"):
        assert len(kept) > len(above)


@pytest.mark.parametrize("prefix", ["../", "a/../../", "/../x"])
def test_a_prefix_that_could_leave_is_refused(prefix: str) -> None:
    with pytest.raises(S3Error) as caught:
        upstream_prefix(prefix.encode(), REWRITE)
    assert caught.value.kind.code == "InvalidURI"


@pytest.mark.parametrize("prefix", ["", "..", ".", "a/..", "a/../", "a"])
def test_the_last_segment_of_a_prefix_may_go_on(prefix: str) -> None:
    assert upstream_prefix(prefix.encode(), REWRITE) == b"main/" + prefix.encode()


def test_a_key_that_no_rule_routes_here_is_refused() -> None:
    with pytest.raises(S3Error) as caught:
        upstream_key(b"elsewhere/a", MOVED)
    assert caught.value.kind.status == 501


def test_a_key_of_which_nothing_is_left_is_refused() -> None:
    """Its path would be that of the bucket: a DeleteObject would be a DeleteBucket."""
    stripped = Rewrite(NEW, strip_prefix=b"raw/")
    for name in (
        lambda: up("old", "/old/raw/", stripped),
        lambda: upstream_key(b"raw/", stripped),
        lambda: upstream_source(b"/old/raw/", NAME, stripped),
    ):
        with pytest.raises(S3Error) as caught:
            name()
        assert caught.value.kind.status == 501
    assert upstream_prefix(b"raw/", stripped) == b""
