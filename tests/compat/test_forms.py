"""Browser forms: boto3's `generate_presigned_post`, sent by plain HTTP clients, to real stores.

Rules: boto3 is told no signature version but in the s3v4 half; the form is encoded by urllib3 or by
hand as browsers do it, never by the gateway's own code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from urllib3 import encode_multipart_formdata

from tests.compat.doors import HTTPS, Door
from tests.compat.live import (
    CLIENT,
    MIB,
    Side,
    assert_landed,
    payload,
    read_directly,
    s3_client,
)
from tests.doubles import forms
from tests.process.harness import Answer

Send = Callable[..., Answer]

VERSIONS = {"default": None, "s3v4": Config(signature_version="s3v4")}


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(version: str, door: Door) -> Any:
    return s3_client(door.url, CLIENT, VERSIONS[version], door.ca)


@pytest.fixture
def send(door: Door) -> Send:
    """Posts a form as urllib3 encodes it."""

    def send_form(
        made: Any, fields: dict[str, str], data: bytes, filename: str = "a.bin"
    ) -> Answer:
        parts = [*fields.items(), ("file", (filename, data, "application/octet-stream"))]
        content, kind = encode_multipart_formdata(parts)
        return door.fetch(made["url"], "POST", content, {"Content-Type": kind})

    return send_form


@pytest.mark.parametrize("size", [0, 1, 262144, MIB, 20 * MIB])
def test_a_presigned_post_lands(
    client: Any, send: Send, version: str, side: Side, prefix: str, size: int
) -> None:
    key = f"{prefix}a b+c=d%e/grüße"
    made = client.generate_presigned_post(side.bucket, key)
    assert ("AWSAccessKeyId" in made["fields"]) is (version == "default")
    answer = send(made, made["fields"], payload(size))
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["etag"] == client.head_object(Bucket=side.bucket, Key=key)["ETag"]
    assert_landed(side, key, payload(size))


@pytest.mark.parametrize("door", [HTTPS], indirect=True)
def test_a_form_over_tls(door: Door, sides: dict[str, Side], prefix: str) -> None:
    side = sides["lakefs"]
    made = s3_client(door.url, CLIENT, ca=door.ca).generate_presigned_post(
        side.bucket, f"{prefix}form"
    )
    content = forms.body(made["fields"], payload(MIB))
    kind = {"Content-Type": f"multipart/form-data; boundary={forms.BOUNDARY}"}
    answer = door.fetch(made["url"], "POST", content, kind)
    assert answer.status == 204
    assert answer.headers["location"].startswith(f"{door.url}/{side.bucket}/")
    assert_landed(side, f"{prefix}form", payload(MIB))


def test_fields_conditions_and_the_answer(client: Any, send: Send, side: Side, prefix: str) -> None:
    said = {
        "Content-Type": "image/png",
        "Cache-Control": "no-cache",
        "x-amz-meta-colour": "blue 1",
        "success_action_status": "201",
    }
    conditions = [{name: value} for name, value in said.items()]
    conditions.append(["content-length-range", 1, 10])  # type: ignore[arg-type]
    made = client.generate_presigned_post(side.bucket, f"{prefix}${{filename}}", said, conditions)
    answer = send(made, made["fields"], b"text", "dir/photo 1.png")
    assert answer.status == 201
    key = f"{prefix}photo 1.png"
    assert f"<Bucket>{side.bucket}</Bucket><Key>{key}</Key>".encode() in answer.body
    found = client.head_object(Bucket=side.bucket, Key=key)
    assert (found["ContentType"], found["CacheControl"]) == ("image/png", "no-cache")
    assert found["Metadata"] == {"colour": "blue 1"}
    assert_landed(side, key, b"text")
    for data, code in ((b"", b"EntityTooSmall"), (b"01234567890", b"EntityTooLarge")):
        refused = send(made, made["fields"], data, "other")
        assert (refused.status, code in refused.body) == (400, True)
    other = {**made["fields"], "Content-Type": "text/html"}
    assert b"Policy Condition failed" in send(made, other, b"text", "other").body
    assert read_directly(side.here, side.bucket, f"{prefix}other") is None


def test_a_redirect(client: Any, send: Send, side: Side, prefix: str) -> None:
    said = {"success_action_redirect": "http://127.0.0.1:9/done"}
    made = client.generate_presigned_post(side.bucket, f"{prefix}k", said, [said])
    answer = send(made, made["fields"], b"text")
    assert answer.status == 303
    expected = f"http://127.0.0.1:9/done?bucket={side.bucket}&key={prefix.replace('/', '%2F')}k"
    assert answer.headers["location"].startswith(f"{expected}&etag=%22")


def test_what_browsers_send_behind_the_file(
    door: Door, client: Any, side: Side, prefix: str
) -> None:
    """AWS's own sample page has its submit button, a field, behind the file."""
    made = client.generate_presigned_post(side.bucket, f"{prefix}k")
    content = forms.body(made["fields"], payload(70000), behind=forms.field("submit", b"Upload"))
    kind = f"multipart/form-data; boundary={forms.BOUNDARY}"
    assert door.fetch(made["url"], "POST", content, {"Content-Type": kind}).status == 204
    assert_landed(side, f"{prefix}k", payload(70000))


def test_a_form_that_nobody_signed_stores_nothing(
    client: Any, send: Send, side: Side, prefix: str
) -> None:
    made = client.generate_presigned_post(side.bucket, f"{prefix}k")
    late = client.generate_presigned_post(side.bucket, f"{prefix}k", ExpiresIn=-1)
    changed = {**made["fields"], "key": f"{prefix}other"}
    for fields in ({"key": f"{prefix}k"}, late["fields"], changed):
        answer = send(made, fields, b"text")
        assert (answer.status, b"<Code>AccessDenied</Code>" in answer.body) == (403, True)
    for key in ("k", "other"):
        assert read_directly(side.here, side.bucket, f"{prefix}{key}") is None
