"""C13: an object may have 2 KB of metadata, in however many lines."""

from __future__ import annotations

import pytest

from tests.doubles.http1 import get, ok, put, read_answers
from tests.doubles.uploads import initiated, with_sealed_id
from tests.doubles.wire import Rig

PREFIX = "x-amz-meta-"


def asked(request: bytes, profile: str = "generic") -> tuple[int, str]:
    rig = Rig(profile=profile)
    client = rig.connect()
    client.says(request)
    if rig.targets and rig.target.heard:
        begins = b"?uploads" in request.partition(b"\r\n")[0]
        rig.target.says(ok(initiated() if begins else b"<CopyObjectResult/>"))
    (answer,) = read_answers(client.heard, [request.split(b" ")[0]], ended=client.ended)
    return answer.status, answer.code


@pytest.mark.parametrize("count", [1, 100, 120, 500])
def test_many_lines_are_served(count: int) -> None:
    """C13: bytes count, not lines."""
    lines = [f"{PREFIX}c{at}: a" for at in range(count)]
    assert asked(get("/b-b/k", *lines)) == (200, "")
    if count < 500:
        assert asked(put("/b-b/k", b"body", *lines)) == (200, "")


@pytest.mark.parametrize("profile", ["s3", "generic", "seaweedfs"])
@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("lines", [1, 2, 100])
@pytest.mark.parametrize("way", ["put", "empty", "create", "replace"])
def test_2048_bytes_of_names_and_values(profile: str, over: int, lines: int, way: str) -> None:
    """C13: of every profile, for everything that makes an object; the prefix does not count."""
    names = [f"{PREFIX}n{at:03}" for at in range(lines)]
    size, rest = divmod(2048 + over - 4 * lines, lines)
    sent = [f"{name}: {'v' * size}{'v' * rest if not at else ''}" for at, name in enumerate(names)]
    request = {
        "put": put("/b-b/k", b"body", *sent),
        "empty": put("/b-b/k", b"", *sent),
        "create": get("/b-b/k?uploads", *sent, method="POST"),
        "replace": put(
            "/b-b/k", b"", *sent, "x-amz-copy-source: /b-b/a", "x-amz-metadata-directive: REPLACE"
        ),
    }[way]
    assert asked(request, profile) == ((400, "MetadataTooLarge") if over else (200, ""))


@pytest.mark.parametrize(
    "request_",
    [
        get("/b-b/k", f"{PREFIX}a: {'v' * 3000}"),
        put("/b-b/k", b"", f"{PREFIX}a: {'v' * 3000}", "x-amz-copy-source: /b-b/a"),
        put(with_sealed_id("/b-b/k?partNumber=1&uploadId=u"), b"part", f"{PREFIX}a: {'v' * 3000}"),
    ],
    ids=["read", "copy as it is", "part"],
)
def test_what_is_not_stored_does_not_count(request_: bytes) -> None:
    """C13: metadata of requests that store none."""
    assert asked(request_)[0] == 200


def test_metadata_in_a_presigned_query_counts() -> None:
    """C13: a header that a presigner moved into the query is a header."""
    assert asked(put(f"/b-b/k?{PREFIX}a={'v' * 2048}&X-Amz-Signature=0", b"body")) == (
        400,
        "MetadataTooLarge",
    )
