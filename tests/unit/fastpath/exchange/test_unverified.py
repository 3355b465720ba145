"""Whose authentication failed: the key id that was claimed, in the access line and the event."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from fastpath.ipc.access_log import as_json, as_text
from fastpath.ipc.counters import Slot
from fastpath.ipc.log import FAILED_AUTHENTICATION_SECONDS
from fastpath.signing.authentication import MAX_KEY_ID_BYTES
from tests.doubles import forms
from tests.doubles.http1 import get
from tests.doubles.wire import Rig

SCOPE = "20260101/us-east-1/s3/aws4_request"
SECRET = "hush"

REQUESTS = {
    "header V4": get(
        "/b-b/k",
        f"Authorization: AWS4-HMAC-SHA256 Credential=AKIDX/{SCOPE}, SignedHeaders=host, "
        f"Signature={SECRET}",
        "x-amz-date: 20260101T000000Z",
    ),
    "presigned V4": get(
        f"/b-b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDX%2F{SCOPE}"
        f"&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
        f"&X-Amz-Signature={SECRET}"
    ),
    "header V2": get(
        "/b-b/k", f"Authorization: AWS AKIDX:{SECRET}", "x-amz-date: 20260101T000000Z"
    ),
    "query V2": get(f"/b-b/k?AWSAccessKeyId=AKIDX&Expires=1&Signature={SECRET}"),
    "form V4": forms.request(
        forms.body(
            {
                "key": "k",
                "policy": "e30=",
                "x-amz-algorithm": "AWS4-HMAC-SHA256",
                "x-amz-credential": f"AKIDX/{SCOPE}",
                "x-amz-date": "20260101T000000Z",
                "x-amz-signature": SECRET,
            },
            b"data",
        )
    ),
    "form V2": forms.request(
        forms.body(
            {"key": "k", "policy": "e30=", "AWSAccessKeyId": "AKIDX", "signature": SECRET}, b"data"
        )
    ),
}


@pytest.mark.parametrize("sigv2", ["all", "off"])
@pytest.mark.parametrize("form", REQUESTS)
def test_the_claimed_key_id_is_told(form: str, sigv2: str) -> None:
    """D3: of every form, also of one that is not accepted; never the signature."""
    rig = Rig(mode="sigv4", sigv2=sigv2)
    rig.connect().says(REQUESTS[form])
    (line,) = rig.lines("access")
    assert line["status"] in (400, 403)
    assert line["identity"] == "?AKIDX"
    (event,) = rig.lines("event")
    assert event["message"] == f"authentication failed: {line['code']}"
    assert event["access_key_id"] == "AKIDX"
    assert event["request_id"] == line["request_id"]
    assert SECRET not in json.dumps(rig.lines())


@pytest.mark.parametrize(
    "authorization",
    ["AWS hush", "AWS :hush", "hush", "AWS4-HMAC-SHA256 hush", "AWS4-HMAC-SHA256 Signature=hush"],
)
def test_what_could_be_a_signature_is_no_key_id(authorization: str) -> None:
    """D3: rather nothing than a secret."""
    rig = Rig(mode="sigv4", sigv2="all")
    rig.connect().says(get("/b-b/k", f"Authorization: {authorization}"))
    assert [line["identity"] for line in rig.lines("access")] == [""]
    assert rig.lines("event") == []


def test_a_hostile_key_id_is_bounded_and_escaped() -> None:
    """D3: it is a client's input, in both forms of a line."""
    rig = Rig(mode="sigv4")
    key = "%1B%0A%E2%98%83%20 x".replace(" ", "%22") * 100
    rig.connect().says(get(f"/b-b/k?AWSAccessKeyId={key}&Expires=1&Signature=hush"))
    (line,) = rig.lines("access")
    assert len(line["identity"]) <= MAX_KEY_ID_BYTES + 1
    told: list[Any] = []
    rig.log._form = lambda access, _: told.append(access) or b""  # type: ignore[func-returns-value]
    rig.connect().says(get(f"/b-b/k?AWSAccessKeyId={key}&Expires=1&Signature=hush"))
    for form in (as_text, as_json):
        text = form(told[0])
        assert text.isascii()
        assert text.decode().isprintable()
    assert len(as_text(told[0]).split(b" ")) == 14


def test_many_failures_are_one_event_a_second() -> None:
    """D3: each has its access line; a flood of them is no flood of events."""
    rig = Rig(mode="sigv4", limits={"refused_requests": 0})
    for _ in range(20):
        rig.connect().says(REQUESTS["header V4"])
    rig.loop.now += FAILED_AUTHENTICATION_SECONDS
    rig.connect().says(REQUESTS["header V4"])
    assert len(rig.lines("access")) == 21
    first, second = rig.lines("event")
    assert first["untold"] == ""
    assert second["untold"] == "19"


# The code of a target's error


def _answer(body: bytes, *fields: str, status: str = "404 Not Found") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


DOCUMENT = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>'
    b"<Message>gone</Message></Error>"
)


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "500 Oh", "412 No"])
@pytest.mark.parametrize("cuts", [(), (1,), (60,), (70, 80, 90), tuple(range(10, 170, 3))])
def test_the_code_of_a_targets_error_is_told(status: str, cuts: tuple[int, ...]) -> None:
    """D4: however it comes in pieces; the answer streams unchanged."""
    rig = Rig()
    client = rig.connect()
    client.says(get())
    answer = _answer(DOCUMENT, "Content-Type: application/xml", status=status)
    places = [0, *cuts, len(answer)]
    for start, end in pairwise(places):
        rig.target.says(answer[start:end])
    (line,) = rig.lines("access")
    assert (line["code"], line["bytes_out"]) == ("NoSuchKey", len(DOCUMENT))
    assert client.heard.endswith(b"\r\n\r\n" + DOCUMENT)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (b"GET", _answer(DOCUMENT, status="200 OK")),  # no error
        (b"HEAD", _answer(b"", "x-n: 1").replace(b"h: 0", b"h: 99")),
        (b"GET", _answer(DOCUMENT, "Content-Encoding: gzip")),
        (b"GET", _answer(b"")),
        (b"GET", _answer(b"not <Code>XML</Code>")),
        (b"GET", _answer(b"<Error><Code>a b\x1b</Code></Error>")),
        (b"GET", _answer(b"<Error><Code>" + b"A" * 65 + b"</Code></Error>")),
        (b"GET", _answer(b"<Error>" + b" " * 5000 + b"<Code>Late</Code></Error>")),
    ],
)
def test_what_is_no_code_is_not_told(method: bytes, answer: bytes) -> None:
    """D4: only the beginning of an error's document counts, and only what a code looks like."""
    rig = Rig()
    client = rig.connect()
    client.says(get().replace(b"GET", method, 1))
    rig.target.says(answer)
    (line,) = rig.lines("access")
    assert line["code"] == ""


def test_a_target_cannot_make_a_request_look_cut() -> None:
    """D4: what is counted does not go by the code."""
    rig = Rig()
    rig.connect().says(get())
    rig.target.says(_answer(DOCUMENT.replace(b"NoSuchKey", b"ClientGone")))
    assert rig.count(Slot.ABORTED) == 0
    assert rig.count(Slot.REQUESTS) == 1
