"""The double directly: the shape of its errors, and what is no S3.

Every test says which file of lakeFS 1.84 the behaviour was read in.
"""

from __future__ import annotations

import base64
import json
import re

import pytest

from tests.doubles.http1 import Answer
from tests.doubles.lakefs import LakeFS
from tests.process.lakefs.client import Client


def test_an_error_names_repository_and_key_apart(client: Client) -> None:
    """lakeFS 1.84: pkg/gateway/operations/base.go, pkg/gateway/errors/errors.go."""
    body = client.send("GET", "/repo/main/b/missing").body.decode()
    assert "<Key>b/missing</Key><BucketName>repo</BucketName><Resource>main@repo</Resource>" in body
    assert re.search(r"<RequestId>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}</RequestId>", body)
    assert re.search(r"<HostId>[0-9A-F]{16}</HostId></Error>$", body)
    assert "xmlns" not in body


def test_the_request_id_is_a_header_once_the_repository_is_known(client: Client) -> None:
    """lakeFS 1.84: pkg/gateway/operations/base.go; the document always has one."""
    known = client.send("GET", "/repo/main/missing")
    assert f"<RequestId>{known.fields['x-amz-request-id']}<".encode() in known.body
    unknown = client.send("GET", "/missing/main/k")
    assert "x-amz-request-id" not in unknown.fields
    assert b"<RequestId>" in unknown.body


def test_an_error_of_head_has_the_length_of_a_document(client: Client) -> None:
    """Confirmed on a real 1.84.0; what has no document (a range, no key) has no length either."""
    answer = client.send("HEAD", "/repo/main/missing")
    assert (answer.status, answer.body) == (404, b"")
    assert int(answer.fields["content-length"]) > 100
    far = client.send("HEAD", "/repo/main/a.txt", headers={"range": "bytes=99-"})
    nothing = client.send("HEAD", "/repo/main")
    assert (far.status, nothing.status) == (416, 404)
    assert not any("content-length" in one.fields for one in (far, nothing))


# The REST API


def call(client: Client, method: str, path: str, body: object = None) -> tuple[Answer, object]:
    password = base64.b64encode(f"{client.key_id}:{client.secret}".encode()).decode()
    headers = {"authorization": f"Basic {password}"}
    sent = json.dumps(body).encode() if body is not None else b""
    answer = client.unsigned(method, f"/api/v1{path}", sent, headers)
    is_json = answer.fields["content-type"] == "application/json"
    return answer, json.loads(answer.body) if is_json else answer.body.decode()


def test_health_needs_no_credentials(client: Client) -> None:
    """lakeFS 1.84: pkg/api/serve.go."""
    health = client.unsigned("GET", "/_health")
    assert (health.status, health.body[:7]) == (200, b"alive! ")
    assert client.unsigned("HEAD", "/_health").status == 200
    assert client.unsigned("GET", "/api/v1/healthcheck").status == 204


def test_the_api_wants_a_user(client: Client) -> None:
    """lakeFS 1.84: pkg/api/auth_middleware.go."""
    for headers in ({}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer stale"}):
        answer = client.unsigned("GET", "/api/v1/repositories", headers=headers)
        assert (answer.status, list(json.loads(answer.body))) == (401, ["message"])


def test_a_login_yields_a_token(client: Client) -> None:
    """lakeFS 1.84: api/swagger.yml."""
    asked = {"access_key_id": client.key_id, "secret_access_key": client.secret}
    answer = client.unsigned("POST", "/api/v1/auth/login", json.dumps(asked).encode())
    headers = {"authorization": f"Bearer {json.loads(answer.body)['token']}"}
    assert client.unsigned("GET", "/api/v1/repositories", headers=headers).status == 200


def test_repositories(client: Client) -> None:
    """lakeFS 1.84: api/swagger.yml."""
    asked = {"name": "made", "storage_namespace": "mem://made", "default_branch": "trunk"}
    made, row = call(client, "POST", "/repositories", asked)
    assert made.status == 201
    assert isinstance(row, dict)
    assert row["default_branch"] == "trunk"
    assert call(client, "POST", "/repositories", asked)[0].status == 409
    assert call(client, "POST", "/repositories", {**asked, "name": "No"})[0].status == 400
    assert call(client, "GET", "/repositories/made")[0].status == 200
    assert call(client, "GET", "/repositories/missing")[0].status == 404
    assert client.send("PUT", "/made/trunk/k", b"x").status == 200


def test_branches(client: Client) -> None:
    """lakeFS 1.84: api/swagger.yml; the answer to a new branch is a commit id in plain text."""
    path = "/repositories/repo/branches"
    made, commit_id = call(client, "POST", path, {"name": "new", "source": "main"})
    assert made.status == 201
    assert made.fields["content-type"].startswith("text/")
    found = call(client, "GET", f"{path}/new")
    assert found[1] == {"id": "new", "commit_id": commit_id}
    assert call(client, "POST", path, {"name": "new", "source": "main"})[0].status == 409
    assert call(client, "POST", path, {"name": "a/b", "source": "main"})[0].status == 400
    assert call(client, "POST", path, {"name": "x", "source": "missing"})[0].status == 404
    assert call(client, "POST", path, {"name": commit_id, "source": "main"})[0].status == 409
    assert call(client, "GET", f"{path}/missing")[0].status == 404
    assert call(client, "GET", f"{path}/a.b")[0].status == 400


def test_branches_come_in_pages(client: Client) -> None:
    """lakeFS 1.84: api/swagger.yml."""
    _, page = call(client, "GET", "/repositories/repo/branches?amount=1")
    assert isinstance(page, dict)
    assert [row["id"] for row in page["results"]] == ["dev"]
    assert page["pagination"]["has_more"]
    after = page["pagination"]["next_offset"]
    _, rest = call(client, "GET", f"/repositories/repo/branches?after={after}")
    assert isinstance(rest, dict)
    assert [row["id"] for row in rest["results"]] == ["main"]
    assert not rest["pagination"]["has_more"]


def test_commits(client: Client) -> None:
    """lakeFS 1.84: api/swagger.yml."""
    path = "/repositories/repo/branches/main/commits"
    made, row = call(client, "POST", path, {"message": "first"})
    assert made.status == 201
    assert isinstance(row, dict)
    assert len(row["parents"]) == 1
    assert client.send("GET", f"/repo/{row['id']}/a.txt").status == 200
    assert call(client, "POST", path, {"message": "again"})[0].status == 400


def test_the_double_tells_a_test_of_its_own_faults() -> None:
    """What an operation of the double does not expect must fail a test, not look like lakeFS."""
    lakefs = LakeFS()
    lakefs.add_repository("repo")

    def use() -> None:
        with lakefs:
            lakefs.defects.append("KeyError: 'x'")

    with pytest.raises(AssertionError, match="KeyError"):
        use()
