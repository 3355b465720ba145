"""The double directly: DeleteObjects.

lakeFS 1.84: pkg/gateway/operations/deleteobjects.go, pkg/catalog/catalog.go DeleteEntries, if a
test names nothing else. Keys are one batch only if all have the same ref.
"""

from __future__ import annotations

import pytest

from tests.doubles.http1 import Answer
from tests.doubles.lakefs import LakeFS
from tests.process.lakefs.client import Client


@pytest.fixture
def keys(client: Client) -> list[str]:
    made = ["main/a.txt", "main/b/c.txt", "dev/d.txt"]
    for key in made:
        client.send("PUT", f"/repo/{key}", b"x")
    return made


def delete(client: Client, *keys: str, extra: str = "") -> Answer:
    rows = "".join(f"<Object><Key>{key}</Key>{extra}</Object>" for key in keys)
    return client.send("POST", "/repo?delete", f"<Delete>{rows}</Delete>".encode())


def left(client: Client, lakefs: LakeFS) -> set[str]:
    branches = lakefs.store.repositories["repo"].branches
    return {f"{name}/{key}" for name, branch in branches.items() for key in branch.entries}


def test_keys_are_deleted_and_echoed_with_their_branch(
    client: Client, lakefs: LakeFS, keys: list[str]
) -> None:
    answer = delete(client, *keys)
    assert answer.body.count(b"<Deleted>") == 3
    assert b"<Key>dev/d.txt</Key>" in answer.body
    assert b"xmlns=" in answer.body
    assert not left(client, lakefs)


def test_no_md5_is_needed_and_versions_are_not_looked_at(
    client: Client, lakefs: LakeFS, keys: list[str]
) -> None:
    delete(client, keys[0], extra="<VersionId>gone</VersionId>")
    assert left(client, lakefs) == set(keys[1:])


def test_a_missing_key_or_branch_is_reported_as_deleted(client: Client) -> None:
    answer = delete(client, "main/missing", "nobranch/k")
    assert answer.body.count(b"<Deleted>") == 2


def test_a_key_without_a_path_saves_all_of_its_branch_and_reports_success(
    client: Client, lakefs: LakeFS, keys: list[str]
) -> None:
    """What happens when Spark deletes `main/`; keys of two branches are deleted one by one."""
    answer = delete(client, "main/", *keys[:2])
    assert answer.body.count(b"<Deleted>") == 3
    assert left(client, lakefs) == set(keys)
    mixed = delete(client, "main/", *keys)
    assert mixed.body.count(b"<Deleted>") == 4
    assert not left(client, lakefs)


def test_a_key_ends_at_its_first_newline(client: Client, lakefs: LakeFS, keys: list[str]) -> None:
    """lakeFS 1.84: pkg/gateway/path/resolver.go; another object is deleted."""
    answer = delete(client, "main/a.txt&#10;and more")
    assert answer.body.count(b"<Deleted>") == 1
    assert "main/a.txt" not in left(client, lakefs)


def test_an_error_of_one_key_is_reported_for_all_of_its_branch(
    client: Client, lakefs: LakeFS, keys: list[str]
) -> None:
    long = f"main/{'k' * 1025}"
    answer = delete(client, *keys[:2], long)
    assert answer.body.count(b"<Code>ErrDeletingKey</Code>") == 3
    assert left(client, lakefs) == set(keys)
    mixed = delete(client, *keys, long)
    assert mixed.body.count(b"<Code>ErrDeletingKey</Code>") == 1
    assert mixed.body.count(b"<Deleted>") == 3
    assert not left(client, lakefs)


def test_below_a_tag_nothing_can_be_deleted(client: Client, lakefs: LakeFS) -> None:
    """L9: an error for each key, unless the tag could be a branch, which is then missing."""
    repository = lakefs.store.repositories["repo"]
    repository.tags["v1.0"] = repository.tags["v1"] = repository.branches["main"].commit_id
    answer = delete(client, "v1.0/a", "v1.0/b")
    assert answer.body.count(b"<Code>ErrDeletingKey</Code>") == 2
    assert delete(client, "v1/a").body.count(b"<Deleted>") == 1


def test_protection_is_reported_for_each_key_and_read_only_for_the_request(
    client: Client, lakefs: LakeFS, keys: list[str]
) -> None:
    lakefs.store.repositories["repo"].branches["main"].is_protected = True
    answer = delete(client, *keys)
    assert answer.status == 200
    assert answer.body.count(b"<Code>ErrWriteToProtectedBranch</Code>") == 2
    lakefs.store.repositories["repo"].is_read_only = True
    assert delete(client, *keys).code == "ErrReadOnlyRepository"


@pytest.mark.parametrize("count", [0, 1001])
def test_there_are_1_to_1000_keys(client: Client, count: int) -> None:
    answer = delete(client, *(f"main/{number}" for number in range(count)))
    assert (answer.status, answer.code) == (400, "MalformedXML")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("query", ["", "?cors", "?policy"])
def test_every_other_post_and_delete_of_a_bucket_is_refused(
    client: Client, method: str, query: str
) -> None:
    """lakeFS 1.84: pkg/gateway/middleware.go repositoryBasedOperationID."""
    answer = client.send(method, f"/repo{query}")
    assert (answer.status, answer.code) == (405, "ERRLakeFSNotSupported")
