"""The double directly: multipart uploads.

lakeFS 1.84: pkg/gateway/operations/postobject.go and putobject.go, esti/multipart_test.go, if a
test names nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.doubles.http1 import Answer
from tests.doubles.lakefs import LakeFS
from tests.process.lakefs.client import Client

PATH = "/repo/main/big"
PARTS = [b"first", b"second"]


@pytest.fixture
def lakefs() -> Iterator[LakeFS]:
    """On a block store that takes parts of any size."""
    with LakeFS(block_store="mem") as one:
        one.add_repository("repo", "dev")
        yield one


@pytest.fixture
def client(lakefs: LakeFS) -> Client:
    one = Client(lakefs)
    one.send("PUT", "/repo/main/a.txt", b"0123456789")
    return one


def tag(body: bytes, name: str) -> str:
    return body.partition(f"<{name}>".encode())[2].partition(b"<")[0].decode()


def begin(client: Client, path: str = PATH, **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.send("POST", f"{path}?uploads", headers=named)
    assert answer.status == 200
    return tag(answer.body, "UploadId")


def put_part(client: Client, upload_id: str, number: int, data: bytes, path: str = PATH) -> Answer:
    return client.send("PUT", f"{path}?partNumber={number}&uploadId={upload_id}", data)


def complete(
    client: Client,
    upload_id: str,
    parts: list[bytes],
    path: str = PATH,
    headers: dict[str, str] | None = None,
) -> Answer:
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{md5(data)}</ETag></Part>"
        for number, data in enumerate(parts, 1)
    )
    body = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
    return client.send("POST", f"{path}?uploadId={upload_id}", body, headers)


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def uploaded(client: Client, path: str = PATH) -> str:
    upload_id = begin(client, path)
    for number, data in enumerate(PARTS, 1):
        assert put_part(client, upload_id, number, data, path).fields["etag"] == f'"{md5(data)}"'
    return upload_id


@pytest.mark.parametrize(("kind", "count"), [("local", "-2"), ("mem", "")])
def test_the_stored_etag_drops_the_number_of_parts(kind: str, count: str) -> None:
    """lakeFS 1.84: postobject.go; 32 hex digits that are not the MD5 of the data.

    `mem` has no number of parts from the beginning (confirmed on a real 1.84.0).
    """
    with LakeFS(block_store=kind) as lakefs:
        lakefs.add_repository("repo")
        client = Client(lakefs)
        answer = complete(client, uploaded(client), PARTS)
        etag = hashlib.md5(b"".join(bytes.fromhex(md5(part)) for part in PARTS)).hexdigest()
        assert tag(answer.body, "ETag") == f"&#34;{etag}{count}&#34;"
        got = client.send("GET", PATH)
        assert got.body == b"".join(PARTS)
        assert got.fields["etag"] == f'"{etag}"'
        listed = client.send("GET", "/repo?prefix=main/big").body.decode()
        assert f"<ETag>&#34;{etag}&#34;" in listed


def test_metadata_and_type_are_those_of_the_beginning(client: Client) -> None:
    upload_id = begin(client, content_type="image/png", x_amz_meta_a="1")
    put_part(client, upload_id, 1, b"x")
    complete(client, upload_id, [b"x"], headers={"x-amz-meta-a": "2"})
    fields = client.send("HEAD", PATH).fields
    assert (fields["content-type"], fields["x-amz-meta-a"]) == ("image/png", "1")


def test_the_key_of_the_answer_has_the_branch(client: Client) -> None:
    answer = client.send("POST", f"{PATH}?uploads")
    assert tag(answer.body, "Key") == "main/big"
    assert b"xmlns" not in answer.body


@pytest.mark.parametrize(
    ("ref", "status", "code"), [("nobranch", 404, "NoSuchBucket"), ("v1.0", 500, "InternalError")]
)
def test_a_branch_must_be_there_to_begin(client: Client, ref: str, status: int, code: str) -> None:
    answer = client.send("POST", f"/repo/{ref}/big?uploads")
    assert (answer.status, answer.code) == (status, code)


def test_protection_is_found_at_the_end(client: Client, lakefs: LakeFS) -> None:
    lakefs.store.repositories["repo"].branches["main"].is_protected = True
    answer = complete(client, uploaded(client), PARTS)
    assert (answer.status, answer.code) == (403, "ErrWriteToProtectedBranch")


def test_a_complete_that_fails_at_the_branch_has_consumed_the_parts(
    client: Client, lakefs: LakeFS
) -> None:
    """L12: the block store is done with the upload before lakeFS looks at the branch."""
    path = "/repo/dev/big"
    upload_id = uploaded(client, path)
    del lakefs.store.repositories["repo"].branches["dev"]
    answer = complete(client, upload_id, PARTS, path)
    assert (answer.status, answer.code) == (500, "InternalError")
    lakefs.store.repositories["repo"].add_branch("dev", "main")
    assert complete(client, upload_id, PARTS, path).code == "InternalError"
    assert client.send("GET", f"{path}?uploadId={upload_id}").code == "InternalError"
    assert upload_id.encode() not in client.send("GET", "/repo?uploads").body


def test_an_unknown_upload_is_an_internal_error(client: Client) -> None:
    """lakeFS 1.84: never NoSuchUpload; an upload that was completed is unknown as well."""
    upload_id = uploaded(client)
    assert complete(client, upload_id, PARTS).status == 200
    for answer in (
        complete(client, upload_id, PARTS),
        put_part(client, upload_id, 1, b"x"),
        client.send("GET", f"{PATH}?uploadId={upload_id}"),
    ):
        assert (answer.status, answer.code) == (500, "InternalError")


def test_aborting_an_unknown_upload_is_no_such_key(client: Client) -> None:
    """lakeFS 1.84: pkg/gateway/operations/deleteobject.go; also under another key."""
    upload_id = uploaded(client)
    answer = client.send("DELETE", f"/repo/main/other?uploadId={upload_id}")
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    assert client.send("DELETE", f"{PATH}?uploadId={upload_id}").status == 204
    assert client.send("DELETE", f"{PATH}?uploadId={upload_id}").code == "NoSuchKey"


def test_aborting_looks_at_the_path_alone(client: Client) -> None:
    """L11: the same path below another branch ends the upload."""
    upload_id = uploaded(client)
    assert client.send("DELETE", f"/repo/dev/big?uploadId={upload_id}").status == 204
    assert put_part(client, upload_id, 1, b"x").code == "InternalError"


def test_the_location_is_where_lakefs_was_asked(client: Client) -> None:
    """L5: postobject.go."""
    answer = complete(client, uploaded(client), PARTS)
    assert tag(answer.body, "Location") == f"http://127.0.0.1:{client.port}{PATH}"


def test_the_address_of_the_end_decides_where_it_lands(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: postobject.go; an upload id is tied to no repository, branch or key."""
    lakefs.add_repository("other")
    assert complete(client, uploaded(client), PARTS, "/other/main/elsewhere").status == 200
    assert client.send("GET", "/other/main/elsewhere").body == b"".join(PARTS)
    assert client.send("GET", PATH).status == 404


@pytest.mark.parametrize("number", ["x", "1x", ""])
def test_a_bad_part_number_is_an_invalid_argument(client: Client, number: str) -> None:
    answer = client.send("PUT", f"{PATH}?partNumber={number}&uploadId={begin(client)}", b"x")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


@pytest.mark.parametrize(("kind", "status"), [("local", 200), ("mem", 200), ("s3", 500)])
@pytest.mark.parametrize("number", [0, 10001])
def test_a_part_number_beyond_the_ends_is_the_block_stores_to_judge(
    kind: str, status: int, number: int
) -> None:
    """Confirmed on a real 1.84.0."""
    with LakeFS(block_store=kind) as lakefs:
        lakefs.add_repository("repo")
        client = Client(lakefs)
        assert put_part(client, begin(client), number, b"x").status == status


def test_the_branch_of_a_part_must_be_there(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: putobject.go: it is looked at first of all."""
    upload_id = begin(client)
    assert put_part(client, upload_id, 1, b"x", "/repo/nobranch/big").code == "NoSuchBucket"
    assert put_part(client, upload_id, 1, b"x", "/repo/v1.0/big").code == "InternalError"


def test_a_wrong_digest_of_a_part_is_an_internal_error(client: Client) -> None:
    """lakeFS 1.84: pkg/gateway/sig/v4.go."""
    path = f"{PATH}?partNumber=1&uploadId={begin(client)}"
    answer = client.send("PUT", path, b"x", {"x-amz-content-sha256": "0" * 64})
    assert (answer.status, answer.code) == (500, "InternalError")


@pytest.mark.parametrize("body", [b"", b"<Complete"])
def test_a_bad_document_is_an_internal_error(client: Client, body: bytes) -> None:
    answer = client.send("POST", f"{PATH}?uploadId={uploaded(client)}", body)
    assert (answer.status, answer.code) == (500, "InternalError")


@pytest.mark.parametrize(("kind", "status"), [("mem", 200), ("s3", 500)])
def test_another_document_is_an_empty_list_of_parts(kind: str, status: int) -> None:
    """Confirmed on a real 1.84.0: `mem` does not look at the list."""
    with LakeFS(block_store=kind) as lakefs:
        lakefs.add_repository("repo")
        client = Client(lakefs)
        answer = client.send("POST", f"{PATH}?uploadId={uploaded(client)}", b"<Other/>")
        assert answer.status == status


def test_if_none_match_at_the_end(client: Client) -> None:
    """lakeFS 1.84: pkg/api/apiutil/conditions.go, TestMultipartUploadIfNoneMatch."""
    absent = {"if-none-match": "*"}
    assert complete(client, uploaded(client), PARTS, headers=absent).status == 200
    assert complete(client, uploaded(client), PARTS, headers=absent).code == "PreconditionFailed"
    other = {"if-match": '"x"'}
    assert complete(client, uploaded(client), PARTS, headers=other).code == "NotImplemented"


def test_the_block_store_decides_whether_the_parts_are_looked_at() -> None:
    """lakeFS 1.84: pkg/block/local/adapter.go; what S3 refuses is an internal error."""
    for kind in ("local", "mem"):  # all the parts are joined, whatever the list says
        with LakeFS(block_store=kind) as lakefs:
            lakefs.add_repository("repo")
            local = Client(lakefs)
            for parts in ([b"never uploaded"], PARTS[1:], [*PARTS, b"third"]):
                assert complete(local, uploaded(local), parts).status == 200
                assert local.send("GET", PATH).body == b"".join(PARTS)
    with LakeFS(block_store="s3") as lakefs:
        lakefs.add_repository("repo")
        s3 = Client(lakefs)
        small = uploaded(s3)
        for parts in (PARTS, [b"never uploaded"], []):  # EntityTooSmall, InvalidPart
            assert complete(s3, small, parts).code == "InternalError"
        assert complete(s3, small, PARTS[:1]).status == 200


def test_encryption_of_an_s3_block_store_is_echoed() -> None:
    """lakeFS 1.84: pkg/block/s3/adapter.go."""
    with LakeFS(block_store="s3") as lakefs:
        lakefs.add_repository("repo")
        s3 = Client(lakefs)
        answer = put_part(s3, begin(s3), 1, b"x")
    assert answer.fields["x-amz-server-side-encryption"] == "AES256"


# Copied parts


def copy_part(client: Client, source: str, asked: str = "") -> tuple[Answer, str]:
    upload_id = begin(client)
    headers = {"x-amz-copy-source": source}
    if asked:
        headers["x-amz-copy-source-range"] = asked
    path = f"{PATH}?partNumber=1&uploadId={upload_id}"
    return client.send("PUT", path, headers=headers), upload_id


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=2-4", b"234"),
        ("bytes=8-99", b"89"),
        ("2-4", b"0123456789"),
        ("bytes=4-2", b"0123456789"),
        ("bytes=99-100", b"0123456789"),
    ],
)
def test_a_copied_part_ignores_a_range_it_cannot_read(
    client: Client, asked: str, expected: bytes
) -> None:
    """L4: putobject.go; the whole object is copied, and the root is CopyObjectResult."""
    answer, upload_id = copy_part(client, "/repo/main/a.txt", asked)
    assert b"<CopyObjectResult>" in answer.body
    assert complete(client, upload_id, [expected]).status == 200
    assert client.send("GET", PATH).body == expected


@pytest.mark.parametrize("source", ["/repo/main/missing", "/missing/main/a.txt", "repo"])
def test_a_missing_source_of_a_part_is_an_invalid_argument(client: Client, source: str) -> None:
    """L10: whatever is missing."""
    answer, _ = copy_part(client, source)
    assert (answer.status, answer.code) == (400, "InvalidArgument")


# Lists


def test_parts_have_etags_without_quotes(client: Client) -> None:
    """lakeFS 1.84: pkg/gateway/operations/getobject.go handleListParts."""
    body = client.send("GET", f"{PATH}?uploadId={uploaded(client)}").body
    assert f"<ETag>{md5(PARTS[0])}</ETag>".encode() in body
    assert body.count(b"<Part>") == 2
    assert b"UploadId" not in body
    assert b"Owner" not in body


def test_uploads_of_all_branches_are_listed_without_their_branch(client: Client) -> None:
    """lakeFS 1.84: pkg/gateway/operations/listobjects.go; markers are physical keys."""
    begin(client)
    begin(client, "/repo/dev/small")
    body = client.send("GET", "/repo?uploads").body
    assert body.count(b"<Upload>") == 2
    assert b"<Key>big</Key>" in body
    assert b"<Key>small</Key>" in body
    assert b"Initiated" not in body
    first = client.send("GET", "/repo?uploads&max-uploads=1").body
    marker = tag(first, "NextKeyMarker")
    assert marker not in ("big", "small")
    second = client.send("GET", f"/repo?uploads&max-uploads=1&key-marker={marker}").body
    assert {tag(first, "Key"), tag(second, "Key")} == {"big", "small"}
    assert tag(second, "IsTruncated") == "false"


@pytest.mark.parametrize(("kind", "count"), [("mem", 2), ("s3", 1)])
def test_mem_lists_the_uploads_of_all_repositories(kind: str, count: int) -> None:
    """Confirmed on a real 1.84.0."""
    with LakeFS(block_store=kind) as lakefs:
        lakefs.add_repository("repo")
        lakefs.add_repository("other")
        client = Client(lakefs)
        begin(client)
        begin(client, "/other/main/else")
        assert client.send("GET", "/repo?uploads").body.count(b"<Upload>") == count


@pytest.mark.parametrize("query", ["prefix=main/", "delimiter=/", "encoding-type=url"])
def test_uploads_cannot_be_filtered(client: Client, query: str) -> None:
    """lakeFS 1.84: pkg/gateway/operations/listobjects.go."""
    answer = client.send("GET", f"/repo?uploads&{query}")
    assert (answer.status, answer.code) == (501, "NotImplemented")


def test_a_bad_number_of_uploads_is_an_invalid_argument(client: Client) -> None:
    """lakeFS 1.84: pkg/gateway/operations/listobjects.go."""
    assert client.send("GET", "/repo?uploads&max-uploads=x").code == "InvalidArgument"


@pytest.mark.parametrize(
    ("kind", "parts", "uploads"),
    [
        ("s3", 200, 200),
        ("mem", 200, 200),
        ("gs", 200, 501),
        ("local", 500, 501),
        ("azure", 500, 501),
    ],
)
def test_the_block_store_decides_what_can_be_listed(kind: str, parts: int, uploads: int) -> None:
    """lakeFS 1.84: pkg/block/*/adapter.go."""
    with LakeFS(block_store=kind) as lakefs:
        lakefs.add_repository("repo")
        client = Client(lakefs)
        upload_id = begin(client)
        assert client.send("GET", f"{PATH}?uploadId={upload_id}").status == parts
        assert client.send("GET", "/repo?uploads").status == uploads
