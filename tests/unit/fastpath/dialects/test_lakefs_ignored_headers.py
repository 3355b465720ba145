"""What lakeFS would forget of an object: refused, or dropped and told, as the operator says."""

from __future__ import annotations

import pytest

from fastpath.ipc.counters import Slot
from fastpath.ipc.log import SAME_MISTAKE_SECONDS
from tests.doubles import forms
from tests.doubles.http1 import Answer, get, ok, put, read_answers, read_requests
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import Peer, Rig

KEY = "/repo/main/k"
CHUNKED = b"4\r\ndata\r\n0\r\n\r\n"
PROMISES = [
    ("Content-Encoding", "gzip"),
    ("Content-Encoding", "identity, br"),
    ("x-amz-tagging", "a=b"),
    ("x-amz-object-lock-mode", "GOVERNANCE"),
    ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"),
    ("x-amz-object-lock-legal-hold", "ON"),
    ("x-amz-website-redirect-location", "/x"),
    ("x-amz-server-side-encryption", "aws:kms"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "k"),
    ("x-amz-server-side-encryption-context", "k"),
    ("x-amz-server-side-encryption-customer-key", "k"),
    ("x-amz-acl", "public-read"),
    ("x-amz-grant-full-control", "id=1"),
]
REQUESTS = ["PUT", "POST ?uploads", "PUT copy", "PUT root"]


def started(request: bytes, forgets: str = "drop") -> tuple[Rig, Peer]:
    rig = Rig(profile="lakefs", forgets=forgets)
    client = rig.connect()
    client.says(request)
    return rig, client


def answer(client: Peer, method: bytes) -> Answer:
    (found,) = read_answers(client.heard, [method], ended=client.ended)
    return found


def made(request: str, *lines: str) -> bytes:
    method, _, kind = request.partition(" ")
    if kind == "copy":
        return put(KEY, b"", "x-amz-copy-source: /repo/main/a", *lines)
    return put("/repo/main/" if kind == "root" else KEY + kind, b"", *lines, method=method)


@pytest.mark.parametrize(("name", "value"), PROMISES)
def test_a_promise_is_refused_by_default(name: str, value: str) -> None:
    """Forgets: refuse."""
    for request in REQUESTS:
        rig, client = started(made(request, f"{name}: {value}"), forgets="refuse")
        assert answer(client, request.partition(" ")[0].encode()).status in (400, 501), request
        assert not rig.targets, request
        assert rig.count(Slot.FORGOTTEN) == 0, request


@pytest.mark.parametrize(("name", "value"), PROMISES)
def test_a_promise_is_dropped_and_told(name: str, value: str) -> None:
    """Forgets: drop."""
    for request in REQUESTS:
        rig, _ = started(made(request, f"{name}: {value}"))
        sent = read_requests(rig.target.heard)[0][0].lower()
        assert name.lower().encode() not in sent, request  # neither sent nor signed
        (event,) = rig.lines("event")
        assert (event["level"], event["target"], event["bucket"]) == ("warning", "first", "repo")
        assert (event["headers"], event["requests"]) == (name.lower(), "1")
        assert rig.count(Slot.FORGOTTEN) == 1, request


@pytest.mark.parametrize("forgets", ["refuse", "drop"])
@pytest.mark.parametrize(
    ("request_", "method"),
    [
        (get(KEY, "x-amz-server-side-encryption-customer-key: k"), b"GET"),
        (get(KEY, "x-amz-server-side-encryption-customer-key: k", method="HEAD"), b"HEAD"),
        (
            put(
                with_sealed_id(f"{KEY}?partNumber=1&uploadId=u", "lakefs"),
                b"x",
                f"{'x-amz-server-side-encryption'}-customer-algorithm: AES256",
            ),
            b"PUT",
        ),
        (
            put(
                KEY,
                b"",
                "x-amz-copy-source: /repo/main/a",
                "x-amz-copy-source-server-side-encryption-customer-key: k",
            ),
            b"PUT",
        ),
    ],
)
def test_a_clients_key(request_: bytes, method: bytes, forgets: str) -> None:
    """Forgets: a key of the client's is never sent to a store that would not use it."""
    rig, client = started(request_, forgets)
    if forgets == "refuse":
        assert answer(client, method).status == 501
        assert not rig.targets
    else:
        assert b"-customer-" not in rig.target.heard
        assert rig.count(Slot.FORGOTTEN) == 1


def test_what_is_dropped_of_a_chunked_upload() -> None:
    """Forgets: drop. The coding stays behind, and so does the framing."""
    lines = [
        "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "Content-Encoding: aws-chunked,gzip",
        "x-amz-decoded-content-length: 4",
    ]
    rig, client = started(put(KEY, CHUNKED, *lines))
    ((head, body),) = read_requests(rig.target.heard)
    assert body == b"data"
    assert b"encoding" not in head.lower()
    rig.target.says(ok(b"", "ETag: 1"))
    assert answer(client, b"PUT").status == 200


def test_what_is_dropped_is_told_at_intervals_and_counted_always() -> None:
    """Forgets: drop. A line for each request would drown the others."""
    rig, client = started(put(KEY, b"x", "x-amz-tagging: a=b"))
    for _ in range(4):
        rig.target.says(ok(b"", "ETag: 1"))
        client.says(put(KEY, b"x", "x-amz-tagging: a=b"))
    assert len(rig.lines("event")) == 1
    rig.target.says(ok(b"", "ETag: 1"))
    rig.pass_time(SAME_MISTAKE_SECONDS)
    client.says(put(KEY, b"x", "x-amz-tagging: a=c"))
    assert [event["requests"] for event in rig.lines("event")] == ["1", "5"]
    assert rig.count(Slot.FORGOTTEN) == 6
    client.says(put("/g-repo/k", b"x", "x-amz-tagging: a=b"))
    assert rig.count(Slot.FORGOTTEN) == 6


@pytest.mark.parametrize(
    "line",
    [
        "Cache-Control: no-cache",
        "Content-Disposition: inline",
        "x-amz-acl: private",
        "Content-Encoding: identity",
        "x-amz-server-side-encryption: AES256",
        "x-amz-storage-class: GLACIER",
    ],
)
@pytest.mark.parametrize("forgets", ["refuse", "drop"])
def test_what_is_no_promise_goes_up(line: str, forgets: str) -> None:
    """Forgets: advice passes, whatever the setting."""
    rig, _ = started(put(KEY, b"x", line), forgets)
    assert line.encode() in rig.target.heard
    assert not rig.lines("event")


@pytest.mark.parametrize("body", [b"", b"abc"])
def test_what_is_dropped_is_told_for_a_body_that_stays_here_too(body: bytes) -> None:
    rig, _ = started(put("/repo/main/k?uploads", body, "x-amz-tagging: a=b", method="POST"))
    assert rig.count(Slot.FORGOTTEN) == 1
    assert len(rig.lines("event")) == 1


def test_what_is_dropped_of_a_form_is_told() -> None:
    fields = {"key": "main/k", "x-amz-website-redirect-location": "/x"}
    rig, _ = started(forms.request(forms.body(fields, b"file"), path="/repo"))
    assert rig.count(Slot.FORGOTTEN) == 1
