"""Queries as the target gets them: what names keys and uploads is renamed, the rest stays."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.http.query import parse_query
from fastpath.renaming.queries import after_all, upstream_query
from fastpath.routing.rewrite import Rewrite
from tests.unit.fastpath.renaming.sides import HOSTILE, MOVED, REWRITE, names_of

STRIPPED = Rewrite(b"", b"", b"home/")
UPLOAD = (b"client/id", b"target id")


def up(
    query: str,
    operation: str = "ListObjectsV2",
    rewrite: Rewrite = REWRITE,
    upload: tuple[bytes, bytes] = (b"", b""),
) -> str:
    raw, pairs = upstream_query(
        query.encode(), parse_query(query.encode()), operation, names_of(b"", rewrite, upload)
    )
    assert parse_query(raw) == list(pairs)
    return raw.decode()


@pytest.mark.parametrize(
    ("operation", "query", "upstream"),
    [
        ("ListObjectsV2", "list-type=2", "list-type=2&prefix=main%2F"),
        ("ListObjects", "", "prefix=main%2F"),
        ("ListObjects", "prefix=", "prefix=main%2F"),
        ("ListObjects", "prefix", "prefix=main%2F"),
        ("ListObjects", "marker=a%2Bb&x-id=%41", "x-id=%41&marker=main%2Fa%2Bb&prefix=main%2F"),
        ("ListObjects", "marker=&prefix=a+b", "marker=&prefix=main%2Fa%20b"),
        ("ListObjectsV2", "p%72efix=a&start-after=b", "prefix=main%2Fa&start-after=main%2Fb"),
        ("ListObjectsV2", "prefix=a&prefix=../b", "prefix=main%2Fa"),
        ("ListObjectsV2", "prefix=&continuation-token=a%2F",
         "continuation-token=a%2F&prefix=main%2F"),
        ("ListObjectsV2", "marker=x&prefix=", "marker=main%2Fx&prefix=main%2F"),
        ("ListObjectVersions", "versions&key-marker=a&version-id-marker=v",
         "versions&version-id-marker=v&key-marker=main%2Fa&prefix=main%2F"),
        ("ListMultipartUploads", "uploads&&delimiter=/&prefix=a",
         "uploads&delimiter=/&prefix=main%2Fa"),
        ("GetObject", "versionId=a%2Fb&prefix=x", "versionId=a%2Fb&prefix=x"),
        ("HeadBucket", "", ""),
    ],
)  # fmt: skip
def test_a_query_is_renamed(operation: str, query: str, upstream: str) -> None:
    assert up(query, operation) == upstream


@pytest.mark.parametrize(
    ("marker", "upstream"),
    [
        ("a", None),  # before all of home/: from the beginning
        ("home", None),
        ("home/", "team a&b/"),
        ("home/x", "team a&b/x"),
        ("home0", "team a&b0"),  # behind all of home/: nothing is left
        ("z", "team a&b0"),
    ],
)
@pytest.mark.parametrize("name", ["marker", "start-after", "key-marker"])
def test_a_marker_outside_strip_prefix_is_before_or_behind_every_key(
    name: str, marker: str, upstream: str | None
) -> None:
    query = f"prefix=home/&{name}={marker}&version-id-marker=v&upload-id-marker=client/id"
    pairs = dict(parse_query(up(query, "ListObjectVersions", MOVED, UPLOAD).encode()))
    assert pairs[b"prefix"] == b"team a&b/"
    assert pairs.get(name.encode()) == (upstream.encode() if upstream else None)
    goes_on = name != "key-marker" or marker.startswith("home/")
    assert (b"version-id-marker" in pairs) is goes_on
    has_key = name == "key-marker" and goes_on  # without one, S3 does not read it
    assert pairs.get(b"upload-id-marker") == (b"target id" if has_key else None)


def test_where_the_target_has_no_prefix_a_marker_can_be_behind_every_key_too() -> None:
    pairs = dict(parse_query(up("prefix=home/&marker=z", "ListObjects", STRIPPED).encode()))
    assert pairs[b"prefix"] == b""
    assert pairs[b"marker"] == "\U0010ffff".encode() * 256


def test_the_upload_is_the_targets() -> None:
    query = "partNumber=1&uploadId=client%2Fid&uploadId=other"
    assert up(query, "UploadPart", upload=UPLOAD) == "partNumber=1&uploadId=target%20id"
    assert up(query, "UploadPart", Rewrite(), UPLOAD) == "partNumber=1&uploadId=target%20id"
    marker = "uploads&key-marker=k&upload-id-marker=client/id"
    assert up(marker, "ListMultipartUploads", Rewrite(), UPLOAD).endswith(
        "upload-id-marker=target%20id"
    )
    assert up("uploads&upload-id-marker=", "ListMultipartUploads", Rewrite()) == (
        "uploads&upload-id-marker="
    )


@pytest.mark.parametrize("upload", [UPLOAD, (b"", b"")])
def test_an_id_that_was_not_opened_never_goes_up(upload: tuple[bytes, bytes]) -> None:
    with pytest.raises(S3Error) as caught:
        up("uploadId=forged", "ListParts", upload=upload)
    assert caught.value.kind.code == "NoSuchUpload"
    assert caught.value.extras == (("UploadId", "forged"),)


@pytest.mark.parametrize(
    "query", ["prefix=../x/", "marker=../x/", "start-after=../x/", "prefix=" + "k" * 1020]
)
def test_what_could_leave_the_prefix_or_grows_too_long_is_refused(query: str) -> None:
    with pytest.raises(S3Error):
        up(query, "ListObjects")


@pytest.mark.parametrize("query", ["a=%zz&prefix=x+y%2f", "uploads", "", "&&a&=&prefix"])
def test_without_a_rewrite_a_query_stays_byte_for_byte(query: str) -> None:
    raw = query.encode()
    pairs = parse_query(raw)
    renamed = upstream_query(raw, pairs, "ListObjects", names_of(rewrite=Rewrite(b"new")))
    assert renamed == (raw, pairs)


def test_of_a_repeated_parameter_only_the_first_goes_up() -> None:
    """A store may read the last one; the answer repeats the first."""
    assert up("prefix=a&max-keys=1&prefix=b", "ListObjects", Rewrite()) == "max-keys=1&prefix=a"


@pytest.mark.parametrize("rewrite", [REWRITE, MOVED])
@pytest.mark.parametrize("name", [*HOSTILE[:-2], "k" * 1015])
def test_a_name_goes_up_as_it_is(name: str, rewrite: Rewrite) -> None:
    key = rewrite.strip_prefix.decode() + name
    query = f"prefix={quote(key)}&start-after={quote(key)}&delimiter=%2F"
    pairs = dict(parse_query(up(query, rewrite=rewrite).encode()))
    assert pairs[b"prefix"] == pairs[b"start-after"] == rewrite.key_up(key.encode())
    assert pairs[b"delimiter"] == b"/"


@given(st.text(min_size=1, max_size=4), st.text(max_size=4))
def test_a_key_behind_every_key_of_a_prefix_is(prefix: str, rest: str) -> None:
    begun = prefix.encode("utf-8", "replace")
    behind = after_all(begun)
    assert behind.decode()
    if prefix.strip("\U0010ffff"):
        assert begun + rest.encode("utf-8", "replace") < behind
        assert not behind.startswith(begun)
