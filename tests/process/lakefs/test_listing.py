"""The double directly: lists of repositories, branches and objects.

lakeFS 1.84: pkg/gateway/operations/listobjects.go, pkg/catalog/catalog.go ListEntries and
ListBranches, if a test names nothing else.
"""

from __future__ import annotations

import re

import pytest

from tests.doubles.lakefs import LakeFS
from tests.process.lakefs.client import Client

KEYS = ["a.txt", "b/1", "b/2", "c&d", "e"]


@pytest.fixture
def listed(client: Client) -> Client:
    for key in KEYS:
        client.send("PUT", f"/repo/main/{key}", b"x")
    return client


def names(body: bytes) -> list[str]:
    """Keys and common prefixes, in the order of the document."""
    return [found.decode() for found in re.findall(rb"<(?:Key|Prefix)>([^<]*)</", body)][1:]


def values(body: bytes, name: str) -> list[str]:
    pattern = f"<{name}>([^<]*)</{name}>".encode()
    return [found.decode() for found in re.findall(pattern, body)]


@pytest.mark.parametrize("version", ["", "&list-type=2"])
@pytest.mark.parametrize("delimiter", ["", "&delimiter=/", "&delimiter=x"])
def test_a_prefix_without_a_slash_lists_branches(
    listed: Client, version: str, delimiter: str
) -> None:
    """Whatever the delimiter; tags and objects are never listed."""
    listed.lakefs.store.repositories["repo"].tags["dart"] = "x"
    body = listed.send("GET", f"/repo?prefix=d{version}{delimiter}").body
    assert names(body) == ["dev/"]
    assert b"<Contents>" not in body
    assert names(listed.send("GET", f"/repo?x=y{version}{delimiter}").body) == ["dev/", "main/"]


@pytest.mark.parametrize("version", ["", "&list-type=2"])
def test_objects_come_back_with_their_ref(listed: Client, version: str) -> None:
    body = listed.send("GET", f"/repo?prefix=main/{version}").body
    assert names(body) == ["main/a.txt", "main/b/1", "main/b/2", "main/c&amp;d", "main/e"]
    assert set(values(body, "StorageClass")) == {"STANDARD"}
    assert values(body, "KeyCount") == ["5"]  # in V1 as well
    assert all(value.startswith("&#34;") for value in values(body, "ETag"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", values(body, "LastModified")[0])


def test_a_delimiter_folds_keys(listed: Client) -> None:
    body = listed.send("GET", "/repo?list-type=2&prefix=main/&delimiter=/").body
    assert names(body) == ["main/b/", "main/a.txt", "main/c&amp;d", "main/e"]
    assert values(body, "KeyCount") == ["4"]


def test_any_string_is_a_delimiter(listed: Client) -> None:
    """Issue treeverse/lakeFS#3457; the published documentation says `/` only."""
    body = listed.send("GET", "/repo?list-type=2&prefix=main/&delimiter=%26").body
    assert "main/c&amp;" in names(body)


def test_the_order_of_elements(listed: Client) -> None:
    """lakeFS 1.84: pkg/gateway/serde/xml.go; no namespace either."""
    path = "/repo?list-type=2&prefix=main/&delimiter=/&max-keys=2"
    body = listed.send("GET", path).body
    tops = re.sub(rb"<(CommonPrefixes|Contents)>.*?</\1>", rb"<\1></\1>", body)
    shown = re.findall(rb"<(\w+)>", tops)
    assert [name.decode() for name in shown] == [
        "ListBucketResult",
        "Name",
        "IsTruncated",
        "Prefix",
        "Delimiter",
        "KeyCount",
        "MaxKeys",
        "CommonPrefixes",
        "NextContinuationToken",
        "Contents",
    ]


def test_pages_go_on_at_the_plain_last_key(listed: Client) -> None:
    path = "/repo?list-type=2&prefix=main/&delimiter=/&max-keys=2"
    first = listed.send("GET", path).body
    assert values(first, "NextContinuationToken") == ["main/b/"]
    second = listed.send("GET", f"{path}&continuation-token=main/b/").body
    assert names(second) == ["main/c&amp;d", "main/e"]
    assert values(second, "ContinuationToken") == ["main/b/"]
    assert values(second, "IsTruncated") == ["false"]


def test_a_token_beats_start_after_which_is_never_echoed(listed: Client) -> None:
    path = "/repo?list-type=2&prefix=main/&start-after=main/e"
    body = listed.send("GET", f"{path}&continuation-token=main/c").body
    assert names(body) == ["main/c&amp;d", "main/e"]
    assert names(listed.send("GET", path).body) == []
    assert b"StartAfter" not in body


@pytest.mark.parametrize(
    "query",
    [
        "list-type=2&start-after=dev/a",
        "list-type=2&start-after=a",
        "list-type=2&continuation-token=dev/a",
        "marker=dev/a",
        "marker=/",
    ],
)
def test_going_on_from_another_ref_is_a_bad_request(listed: Client, query: str) -> None:
    answer = listed.send("GET", f"/repo?prefix=main/&{query}")
    assert (answer.status, answer.code) == (400, "BadRequest")


def test_refs_of_a_marker_are_compared_without_case(listed: Client) -> None:
    body = listed.send("GET", "/repo?prefix=main/&marker=MAIN/c").body
    assert names(body) == ["main/c&amp;d", "main/e"]


def test_encoding_type_owner_and_fetch_owner_are_ignored(listed: Client) -> None:
    """Keys stay raw; botocore decodes them only if EncodingType is echoed."""
    path = "/repo?list-type=2&prefix=main/c&encoding-type=url&fetch-owner=true"
    body = listed.send("GET", path).body
    assert names(body) == ["main/c&amp;d"]
    assert b"EncodingType" not in body
    assert b"Owner" not in body


def test_control_characters_become_replacement_characters(listed: Client) -> None:
    """lakeFS 1.84: Go's encoding/xml."""
    listed.send("PUT", "/repo/main/x%01y", b"x")
    body = listed.send("GET", "/repo?list-type=2&prefix=main/x").body
    assert names(body) == ["main/x\ufffdy"]


def test_an_unknown_ref_is_a_bad_request_in_v2_and_empty_in_v1(listed: Client) -> None:
    answer = listed.send("GET", "/repo?list-type=2&prefix=nobranch/")
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert b"400 BadRequest" in answer.body
    empty = listed.send("GET", "/repo?prefix=nobranch/")
    assert (empty.status, names(empty.body)) == (200, [])


@pytest.mark.parametrize("query", ["prefix=ma~x/", "prefix=/", "list-type=3", "list-type=x"])
def test_what_is_no_list_request(listed: Client, query: str) -> None:
    answer = listed.send("GET", f"/repo?{query}")
    assert (answer.status, answer.code) == (400, "BadRequest")


def test_a_slash_before_the_ref_is_dropped(listed: Client) -> None:
    """lakeFS 1.84: pkg/gateway/path/resolver.go, resolver_test.go."""
    assert names(listed.send("GET", "/repo?prefix=/main/e").body) == ["main/e"]


@pytest.mark.parametrize(
    ("asked", "echoed", "count"),
    [
        ("", "1000", 1000),
        ("x", "1000", 1000),
        ("1500", "1500", 1500),
        ("-1", "-1", 10000),
        ("20000", "20000", 10000),
    ],
)
def test_max_keys(lakefs: LakeFS, client: Client, asked: str, echoed: str, count: int) -> None:
    """Up to 10000 come back; MaxKeys says what was asked."""
    branch = lakefs.store.repositories["repo"].branches["main"]
    blob = branch.entries["a.txt"]
    branch.entries.update({f"k{number:05}": blob for number in range(10500)})
    body = client.send("GET", f"/repo?list-type=2&prefix=main/&max-keys={asked}").body
    assert body.count(b"<Contents>") == count
    assert values(body, "MaxKeys") == [echoed]


@pytest.mark.parametrize("version", ["", "&list-type=2"])
def test_max_keys_of_zero_is_truncated_if_there_is_anything(listed: Client, version: str) -> None:
    full = listed.send("GET", f"/repo?prefix=main/&max-keys=0{version}").body
    assert values(full, "IsTruncated") == ["true"]
    none = listed.send("GET", f"/repo?prefix=main/none&max-keys=0{version}").body
    assert values(none, "IsTruncated") == ["false"]


def test_v1_tells_its_next_marker_only_with_a_delimiter(listed: Client) -> None:
    """As AWS does; of a list of branches as well."""
    plain = listed.send("GET", "/repo?prefix=main/&max-keys=1").body
    assert values(plain, "IsTruncated") == ["true"]
    assert b"NextMarker" not in plain
    folded = listed.send("GET", "/repo?prefix=main/&max-keys=1&delimiter=/").body
    assert values(folded, "NextMarker") == ["main/a.txt"]
    branches = listed.send("GET", "/repo?max-keys=1").body
    assert values(branches, "IsTruncated") == ["true"]
    assert b"NextMarker" not in branches
    assert values(branches, "KeyCount") == ["0"]


@pytest.mark.parametrize("where", ["marker", "list-type=2&start-after"])
def test_a_key_inside_a_common_prefix_shows_the_prefix_again(listed: Client, where: str) -> None:
    """L19: even the last one: the list begins at it, and leaves out only what has its name."""
    path = f"/repo?prefix=main/&delimiter=/&{where}=main/b/"
    assert names(listed.send("GET", f"{path}2").body)[0] == "main/b/"
    assert names(listed.send("GET", f"{path}3").body)[0] == "main/c&amp;d"
    assert names(listed.send("GET", path).body)[0] == "main/c&amp;d"


@pytest.mark.parametrize("where", ["marker", "list-type=2&start-after"])
def test_a_marker_that_is_the_prefix_is_left_out(listed: Client, where: str) -> None:
    """L2: the key `main/dir/`, listed behind itself."""
    for key in ("dir/", "dir/a"):
        listed.send("PUT", f"/repo/main/{key}", b"x")
    body = listed.send("GET", f"/repo?prefix=main/dir/&{where}=main/dir/").body
    assert names(body) == ["main/dir/a"]


@pytest.mark.parametrize("where", ["marker", "list-type=2&start-after"])
def test_a_marker_of_branches_is_compared_as_it_is(listed: Client, where: str) -> None:
    """L3: `dev/` stands behind `dev-a`."""
    listed.lakefs.store.repositories["repo"].add_branch("dev-a", "main")
    assert names(listed.send("GET", "/repo").body) == ["dev/", "dev-a/", "main/"]
    assert names(listed.send("GET", f"/repo?{where}=dev/").body) == ["main/"]
    assert names(listed.send("GET", f"/repo?{where}=dev").body) == ["dev-a/", "main/"]


def test_branches_go_on_by_name(listed: Client) -> None:
    first = listed.send("GET", "/repo?list-type=2&max-keys=1").body
    assert values(first, "NextContinuationToken") == ["dev"]
    second = listed.send("GET", "/repo?list-type=2&max-keys=1&continuation-token=dev").body
    assert names(second) == ["main/"]


@pytest.mark.parametrize("name", ["versions", "acl", "policy", "tagging", "object-lock", "cors"])
def test_a_listed_sub_resource_of_a_bucket_is_refused(listed: Client, name: str) -> None:
    answer = listed.send("GET", f"/repo?{name}")
    assert (answer.status, answer.code) == (405, "ERRLakeFSNotSupported")


@pytest.mark.parametrize("name", ["session", "not-invented"])
def test_any_other_sub_resource_of_a_bucket_is_a_list(listed: Client, name: str) -> None:
    assert b"<ListBucketResult>" in listed.send("GET", f"/repo?{name}").body


def test_the_small_answers_about_a_bucket(listed: Client) -> None:
    """lakeFS 1.84: listobjects.go, headbucket.go."""
    assert values(listed.send("GET", "/repo?location").body, "LocationConstraint") == []
    versioning = listed.send("GET", "/repo?versioning").body
    assert re.search(rb"<VersioningConfiguration xmlns=\"[^\"]+\"/>$", versioning)
    head = listed.send("HEAD", "/repo")
    assert (head.status, "x-amz-bucket-region" in head.fields) == (200, False)
    assert listed.send("HEAD", "/repo?acl").status == 405


def test_a_location_is_told_unless_it_is_us_east_1() -> None:
    """lakeFS 1.84: listobjects.go, `gateways.s3.region`."""
    with LakeFS(region="eu-west-1") as lakefs:
        lakefs.add_repository("repo")
        body = Client(lakefs).send("GET", "/repo?location").body
    assert b">eu-west-1</LocationConstraint>" in body


def test_all_buckets_are_listed_at_once(listed: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: pkg/gateway/operations/listbuckets.go."""
    lakefs.add_repository("other")
    body = listed.send("GET", "/?max-buckets=1").body
    assert values(body, "Name") == ["other", "repo"]
    assert b"<Owner><ID></ID><DisplayName></DisplayName></Owner>" in body
    assert values(listed.send("GET", "/?prefix=o").body, "Name") == ["other"]
    assert listed.send("GET", "/?events").status == 405


def test_a_bucket_cannot_be_created(listed: Client) -> None:
    """lakeFS 1.84: pkg/gateway/operations/putbucket.go, esti/s3_gateway_test.go."""
    taken = listed.send("PUT", "/repo")
    assert (taken.status, taken.code) == (409, "BucketAlreadyExists")
    fresh = listed.send("PUT", "/fresh")
    assert (fresh.status, fresh.code) == (501, "NotImplemented")
    assert listed.send("PUT", "/repo?versioning", b"<x/>").code == "ERRLakeFSNotSupported"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/xml"),
        ("application/xml, */*", "application/xml"),
        ("text/xml", "text/xml"),
        ("*/*", "text/xml; charset=utf-8"),
    ],
)
def test_accept_chooses_the_type_of_a_document(
    listed: Client, accept: str | None, expected: str
) -> None:
    """lakeFS 1.84: pkg/gateway/handler.go setDefaultContentType."""
    headers = {"accept": accept} if accept else {}
    assert listed.send("GET", "/repo", headers=headers).fields["content-type"] == expected
