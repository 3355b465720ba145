"""The double directly: which requests are S3, and what they name.

Every test says which file of lakeFS 1.84 the behaviour was read in (GW = pkg/gateway).
"""

from __future__ import annotations

import pytest

from tests.doubles.lakefs import LakeFS
from tests.doubles.lakefs.addressing import DEFAULT_DOMAIN
from tests.process.lakefs.client import Client
from tests.process.lakefs.conftest import OBJECT


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "HEAD"])
def test_an_unsigned_request_gets_the_page_of_the_ui_and_changes_nothing(
    client: Client, method: str
) -> None:
    """lakeFS 1.84: cmd/lakefs/cmd/run.go, pkg/api/ui_handler.go."""
    answer = client.unsigned(method, "/repo/main/a.txt", b"")
    assert answer.status == 200
    assert answer.fields["content-type"].startswith("text/html")
    assert client.send("GET", "/repo/main/a.txt").body == OBJECT


def test_an_unsigned_request_without_a_ui_is_not_found() -> None:
    """lakeFS 1.84: pkg/api/ui_handler.go, `ui.enabled=false`."""
    with LakeFS(has_ui=False) as lakefs:
        assert Client(lakefs).unsigned("GET", "/repo/main/a.txt").status == 404


def test_a_signed_request_to_a_page_of_the_api_is_taken_for_a_bucket(client: Client) -> None:
    """lakeFS 1.84: GW/sig/sig.go IsAWSSignedRequest, GW/middleware.go."""
    assert client.send("GET", "/_health").code == "InternalError"  # no name of a repository
    answer = client.send("GET", "/api/v1/repositories")
    assert (answer.status, answer.code) == (404, "ErrNoSuchBucketPossibleAPIEndpoint")


@pytest.mark.parametrize(
    "path", ["/repo/main", "/repo/main/", "/repo//x", "/repo/main?acl", "/repo/file.txt"]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_a_path_without_ref_or_key_is_a_404_without_a_body(
    client: Client, method: str, path: str
) -> None:
    """lakeFS 1.84: GW/middleware.go EnrichWithOperation, GW/handler.go ServeHTTP."""
    answer = client.send(method, path)
    assert (answer.status, answer.body) == (404, b"")


def test_the_repository_is_looked_up_before_the_path_is_found_wanting(client: Client) -> None:
    """lakeFS 1.84: GW/handler.go NewHandler, the order of checks."""
    answer = client.send("GET", "/missing/main")
    assert (answer.status, answer.code) == (404, "NoSuchBucket")


def test_the_root_answers_only_get(client: Client) -> None:
    """lakeFS 1.84: GW/middleware.go EnrichWithOperation."""
    assert b"<Name>repo</Name>" in client.send("GET", "/").body
    assert client.send("PUT", "/").status == 404


def test_a_bucket_may_end_in_a_slash(client: Client) -> None:
    """lakeFS 1.84: GW/handler_test.go."""
    assert client.send("HEAD", "/repo/").status == 200


@pytest.mark.parametrize("name", ["Repo", "my.repo", "my_repo", "ab", "-repo", "a" * 64])
def test_an_invalid_repository_name_is_an_internal_error(client: Client, name: str) -> None:
    """lakeFS 1.84: pkg/validator/validate.go, GW/middleware.go EnrichWithRepositoryOrFallback."""
    answer = client.send("GET", f"/{name}/main/a.txt")
    assert (answer.status, answer.code) == (500, "InternalError")


@pytest.mark.parametrize("key", ["b/", "a//b", "./a/../b", "//lead"])
def test_keys_are_not_cleaned(client: Client, lakefs: LakeFS, key: str) -> None:
    """lakeFS 1.84: GW/middleware.go ParseRequestParts."""
    assert client.send("PUT", f"/repo/main/{key}", b"x").status == 200
    assert key in lakefs.store.repositories["repo"].branches["main"].entries


def test_escapes_are_decoded_once_and_plus_stays(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: GW/middleware.go; the path is decoded, `%2F` is `/`, `+` is `+`."""
    client.send("PUT", "/repo/main/a%2Fb+c%20d%252e", b"x")
    assert "a/b+c d%2e" in lakefs.store.repositories["repo"].branches["main"].entries


def test_virtual_host_style_works_below_a_configured_domain(client: Client) -> None:
    """lakeFS 1.84: GW/middleware.go ParseRequestParts, GW/middleware_test.go."""
    headers = {"host": f"repo.{DEFAULT_DOMAIN}:{client.lakefs.port}"}
    assert client.send("GET", "/main/a.txt", headers=headers).body == OBJECT
    assert client.send("HEAD", "/", headers=headers).status == 200


@pytest.mark.parametrize("host", ["somewhere.example", f"a.b.{DEFAULT_DOMAIN}.example", "10.0.0.1"])
def test_any_other_host_is_path_style(client: Client, host: str) -> None:
    """lakeFS 1.84: GW/middleware.go ParseRequestParts."""
    answer = client.send("GET", "/repo/main/a.txt", headers={"host": host})
    assert answer.body == OBJECT


def test_a_domain_makes_even_an_unsigned_request_s3(client: Client) -> None:
    """lakeFS 1.84: pkg/httputil/server.go, cmd/lakefs/cmd/run.go."""
    for host in (DEFAULT_DOMAIN, f"repo.{DEFAULT_DOMAIN}"):
        assert client.unsigned("GET", "/", headers={"host": host}).code == "MissingFields"
    deeper = {"host": f"a.repo.{DEFAULT_DOMAIN}"}
    assert client.unsigned("GET", "/", headers=deeper).fields["content-type"].startswith("text")


@pytest.mark.parametrize(
    ("ref", "status"),
    [
        ("main", 200),
        ("v1.0", 200),
        ("main@", 200),
        ("main$", 200),  # the committed object, though nothing is staged
        ("main^0", 200),
        ("main~1", 404),
        ("main~9", 404),
        ("ma~x", 500),
        ("main@@", 500),
        ("main^2", 500),
        ("main@~1", 500),
        ("main~1@", 500),
        ("v1.0@", 500),
        ("v1.0$", 500),
        ("~1", 500),
    ],
)
def test_reads_take_every_ref_expression(
    client: Client, lakefs: LakeFS, ref: str, status: int
) -> None:
    """L8: lakeFS: pkg/graveler/ref/parse_ref.go, resolve_ref.go, GW/operations/getobject.go."""
    repository = lakefs.store.repositories["repo"]
    repository.tags["v1.0"] = repository.commit("main", "first")
    assert client.send("GET", f"/repo/{ref}/a.txt").status == status


def test_a_commit_is_found_by_its_id_and_by_a_unique_prefix(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: pkg/graveler/ref/resolve_ref.go."""
    commit_id = lakefs.store.repositories["repo"].commit("main", "first")
    client.send("DELETE", "/repo/main/a.txt")
    for ref in (commit_id, commit_id[:20]):
        assert client.send("GET", f"/repo/{ref}/a.txt").body == OBJECT


def test_a_branch_wins_over_a_tag_of_its_name(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: pkg/graveler/ref/resolve_ref.go."""
    repository = lakefs.store.repositories["repo"]
    repository.tags["main"] = repository.branches["dev"].commit_id  # an empty commit
    assert client.send("GET", "/repo/main/a.txt").body == OBJECT


@pytest.mark.parametrize("ref", ["v1.0", "main~1", "main@"])
def test_a_write_to_what_can_be_no_branch_is_an_internal_error(client: Client, ref: str) -> None:
    """lakeFS 1.84: pkg/validator/validate.go, GW/operations/putobject.go, deleteobject.go."""
    assert client.send("PUT", f"/repo/{ref}/k", b"x").status == 500
    assert client.send("DELETE", f"/repo/{ref}/k").status == 500


def test_a_key_has_at_most_1024_bytes_without_repository_and_branch(client: Client) -> None:
    """lakeFS 1.84: pkg/catalog/validate.go; a longer one is an internal error."""
    assert client.send("PUT", f"/repo/main/{'k' * 1024}", b"x").status == 200
    for method in ("PUT", "GET", "HEAD"):
        assert client.send(method, f"/repo/main/{'k' * 1025}").status == 500


@pytest.mark.parametrize("name", ["PATCH", "OPTIONS", "NOTHING"])
def test_an_unknown_method_on_an_object_is_not_found(client: Client, name: str) -> None:
    """Confirmed on a real 1.84.0: 404 without a body."""
    answer = client.send(name, "/repo/main/a.txt")
    assert (answer.status, answer.body) == (404, b"")


def test_a_directory_marker_of_a_branch_is_not_found(client: Client) -> None:
    """L15: `main/` is a ref without a key; `main/dir/` is a key like any other."""
    assert client.send("PUT", "/repo/main/").status == 404
    assert client.send("PUT", "/repo/main/dir/").status == 200
    assert client.send("GET", "/repo/main/dir/").status == 200
