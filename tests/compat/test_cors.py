"""A page of another origin works: preflight, presigned PUT and GET, a form, to real stores."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.compat.live import CLIENT, Side, assert_landed, configuration, s3_client
from tests.compat.shared import Store
from tests.doubles import forms
from tests.process.harness import Answer, Gateway, ask

ORIGIN = "https://app.example.com"
RULE = {
    "allowed_origins": ["https://*.example.com"],
    "allowed_methods": ["GET", "PUT", "POST"],
    "allowed_headers": ["content-type"],
    "expose_headers": ["ETag"],
}


@pytest.fixture(scope="module")
def page(stores: dict[str, Store]) -> Iterator[Gateway]:
    """A gateway that answers preflights."""
    document: Any = configuration(stores, CLIENT)
    document["auth"]["cors"] = {"rules": [RULE]}
    with Gateway.start(document, workers=1) as running:
        yield running


def fetch(
    url: str, method: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    """As a browser's `fetch` of the page: with its origin."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return ask(connection, method, path, body, {"Origin": ORIGIN, **(headers or {})})
    finally:
        connection.close()


def allowed(answer: Answer) -> bool:
    return answer.headers.get("access-control-allow-origin") == ORIGIN


def test_a_page_uploads_and_reads(page: Gateway, side: Side, prefix: str) -> None:
    client = s3_client(page.url, CLIENT)
    where = {"Bucket": side.bucket, "Key": f"{prefix}k"}
    url = client.generate_presigned_url("put_object", {**where, "ContentType": "text/plain"})
    wanted = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = fetch(url, "OPTIONS", headers=wanted)
    assert (preflight.status, allowed(preflight)) == (200, True)
    assert preflight.headers["access-control-allow-headers"] == "content-type"
    put = fetch(url, "PUT", b"text", {"Content-Type": "text/plain"})
    assert (put.status, allowed(put)) == (200, True)
    assert put.headers["access-control-expose-headers"] == "ETag"
    assert_landed(side, where["Key"], b"text")
    got = fetch(client.generate_presigned_url("get_object", where), "GET")
    assert (got.status, got.body, allowed(got)) == (200, b"text", True)


def test_a_page_sends_a_form(page: Gateway, side: Side, prefix: str) -> None:
    made = s3_client(page.url, CLIENT).generate_presigned_post(side.bucket, f"{prefix}k")
    kind = {"Content-Type": f"multipart/form-data; boundary={forms.BOUNDARY}"}
    answer = fetch(made["url"], "POST", forms.body(made["fields"], b"text"), kind)
    assert (answer.status, allowed(answer)) == (204, True)
    assert_landed(side, f"{prefix}k", b"text")


def test_a_page_may_read_why_it_was_refused(page: Gateway, side: Side) -> None:
    answer = fetch(f"{page.url}/{side.bucket}/k", "GET")
    assert (answer.status, allowed(answer)) == (403, True)


def test_other_pages_are_told_nothing(page: Gateway, side: Side) -> None:
    headers = {"Origin": "https://evil.test", "Access-Control-Request-Method": "PUT"}
    answer = fetch(f"{page.url}/{side.bucket}/k", "OPTIONS", headers=headers)
    assert (answer.status, b"<Code>AccessForbidden</Code>" in answer.body) == (403, True)
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_without_rules_preflights_are_refused_as_by_aws(gateway: Gateway, side: Side) -> None:
    headers = {"Access-Control-Request-Method": "PUT"}
    answer = fetch(f"{gateway.url}/{side.bucket}/k", "OPTIONS", headers=headers)
    assert (answer.status, b"CORS is not enabled for this bucket." in answer.body) == (403, True)
