"""Buckets of other regions: redirects are followed inside, once, and remembered."""

from __future__ import annotations

from typing import Any

import pytest

from fastpath.ipc.counters import Slot
from tests.doubles.http1 import Answer, get, ok, put, read_answers, read_requests
from tests.doubles.uploads import initiated, sealed
from tests.doubles.wire import Peer, Rig, document

HOST = "s3.us-east-1.store.example"
THERE = "s3.eu-west-1.store.example"


def redirect(region: str = "eu-west-1", code: str = "PermanentRedirect") -> bytes:
    body = f"<Error><Code>{code}</Code><Endpoint>bkt.s3.{region}.store.example</Endpoint></Error>"
    status = "301 Moved" if code == "PermanentRedirect" else "307 Temporary Redirect"
    return ok(body.encode(), f"x-amz-bucket-region: {region}", status=status)


def malformed(region: str = "eu-west-1") -> bytes:
    body = f"<Error><Code>AuthorizationHeaderMalformed</Code><Region>{region}</Region></Error>"
    return ok(body.encode(), status="400 Bad Request")


def options(host: str = HOST, **changes: Any) -> dict[str, Any]:
    """A snapshot whose target `first` has a host of its own."""
    made = document(**changes)
    made["targets"][0] |= {"host": host, "authority": f"{host}:9000"}
    return {"targets": made["targets"], **changes}


def asked(*requests: bytes, host: str = HOST, **changes: Any) -> tuple[Rig, Peer]:
    rig = Rig(**options(host, **changes))
    client = rig.connect()
    client.says(*requests)
    return rig, client


def answers(client: Peer, *methods: bytes) -> list[Answer]:
    return read_answers(client.take(), methods or [b"GET"], ended=client.ended)


def head_of(target: Peer) -> bytes:
    ((head, _),) = read_requests(target.take())
    return head


@pytest.mark.parametrize(
    "answer",
    [redirect(), redirect(code="TemporaryRedirect"), malformed()],
    ids=["301", "307", "400"],
)
def test_a_redirect_is_followed_and_remembered(answer: bytes) -> None:
    rig, client = asked(get("/bkt/a%2fb?x=1"))
    first = rig.target
    first.says(answer)
    assert not client.heard
    second = rig.target
    assert second is not first
    assert rig.loop.connects == [(HOST, 9000), (THERE, 9000)]
    head = head_of(second)
    assert head.startswith(b"GET /bkt/a%2fb?x=1 HTTP/1.1\r\nhost: s3.eu-west-1.store.example:9000")
    assert b"/eu-west-1/s3/aws4_request," in head
    second.says(ok(b"here"))
    assert answers(client)[0].body == b"here"
    # the next one goes there at once, on the kept connection
    first.take()
    client.says(get("/bkt/k"))
    assert not first.heard
    assert b"/eu-west-1/s3/aws4_request," in head_of(second)
    second.says(ok(b"again"))
    assert answers(client)[0].body == b"again"
    # another bucket does not
    client.says(get("/other/k"))
    assert b"/us-east-1/s3/aws4_request," in head_of(first)
    first.says(ok())
    assert len(rig.targets) == 2
    assert [line["status"] for line in rig.lines("access")] == [200, 200, 200]
    (event,) = rig.lines("event")
    assert (event["bucket"], event["region"], event["level"]) == ("bkt", "eu-west-1", "info")
    assert rig.count(Slot.REDIRECTED) == 1
    assert rig.count(Slot.SIGNATURES_REFUSED) == 0
    assert not rig.defects


@pytest.mark.parametrize("status", ["301 Moved Permanently", "400 Bad Request"])
def test_an_answer_to_head_has_only_a_field(status: str) -> None:
    rig, client = asked(get("/bkt/k", method="HEAD"))
    rig.target.says(f"HTTP/1.1 {status}\r\nx-amz-bucket-region: eu-west-1\r\n\r\n".encode())
    rig.target.says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    (answer,) = answers(client, b"HEAD")
    assert answer.status == 200
    assert rig.loop.connects[-1] == (THERE, 9000)


def test_the_beginning_of_a_multipart_upload_is_followed_although_it_is_a_post() -> None:
    rig, client = asked(get("/bkt/k?uploads", method="POST"))
    rig.target.says(redirect())
    assert head_of(rig.target).startswith(b"POST /bkt/k?uploads HTTP/1.1")
    rig.target.says(ok(initiated("u", "bkt")))
    (answer,) = answers(client, b"POST")
    assert answer.status == 200
    assert f"<UploadId>{sealed('u', 'bkt')}</UploadId>".encode() in answer.body


def test_a_host_without_its_region_is_asked_again_for_the_other_region() -> None:
    rig, client = asked(get("/bkt/k"), host="store.example")
    rig.target.says(malformed())
    assert {host for host, _ in rig.loop.connects} == {"store.example"}
    assert b"/eu-west-1/s3/aws4_request," in head_of(rig.target)
    rig.target.says(ok(b"here"))
    assert answers(client)[0].body == b"here"


def test_no_answer_leads_to_a_foreign_host() -> None:
    body = b"<Error><Code>PermanentRedirect</Code><Endpoint>evil.example.com</Endpoint></Error>"
    rig, client = asked(get("/bkt/k"))
    rig.target.says(ok(body, "Location: https://evil.example.com/bkt/k", status="301 Moved"))
    (answer,) = answers(client)
    assert (answer.status, answer.body) == (301, body)
    assert rig.loop.connects == [(HOST, 9000)]
    # one that names a region as well leads to the target's own host for it
    client.says(get("/bkt/k"))
    rig.target.says(ok(body, "x-amz-bucket-region: eu-west-1", status="301 Moved"))
    assert rig.loop.connects == [(HOST, 9000), (THERE, 9000)]


def test_a_circle_is_not_followed() -> None:
    rig, client = asked(get("/bkt/k"))
    rig.target.says(redirect("eu-west-1"))
    rig.target.says(redirect("us-east-1"))
    (answer,) = answers(client)
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert len(rig.targets) == 2
    assert "circle" in rig.lines("event")[-1]["message"]


def test_a_bucket_that_moved_is_found_again() -> None:
    rig, client = asked(get("/bkt/k"))
    rig.target.says(redirect("eu-west-1"))
    rig.target.says(ok())
    answers(client)
    client.says(get("/bkt/k"))
    rig.target.says(redirect("us-east-1"))
    assert b"host: s3.us-east-1.store.example:9000\r\n" in rig.target.heard
    rig.target.says(ok(b"back"))
    assert answers(client)[0].body == b"back"


UPLOAD = put("/bkt/k", b"0123456789")
QUESTION = b"HEAD /bkt HTTP/1.1\r\n"


def found(region: str = "eu-west-1", status: str = "200 OK") -> bytes:
    """The answer to a HEAD of a bucket."""
    named = f"x-amz-bucket-region: {region}\r\n" if region else ""
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n{named}\r\n".encode()


@pytest.mark.parametrize("status", ["200 OK", "301 Moved", "403 Forbidden"])
def test_where_a_bucket_is_is_asked_before_its_first_upload(status: str) -> None:
    """A body that has begun cannot be sent again."""
    rig, client = asked(UPLOAD)
    assert rig.target.take().startswith(QUESTION)
    rig.target.says(found(status=status))
    assert rig.loop.connects[-1] == (THERE, 9000)
    ((head, body),) = read_requests(rig.target.take())
    assert b"/eu-west-1/s3/aws4_request" in head
    assert body == b"0123456789"
    rig.target.says(ok())
    assert answers(client, b"PUT")[0].status == 200
    client.says(UPLOAD)
    assert head_of(rig.target).startswith(b"PUT ")  # it is known now
    (told,) = [line for line in rig.lines("event") if line["message"].startswith("the bucket")]
    assert (told["bucket"], told["region"]) == ("bkt", "eu-west-1")


@pytest.mark.parametrize(
    "answer",
    [found(""), found("us-east-1"), found("../x"), found("", "404 Not Found")],
    ids=["silent", "home", "no region", "missing"],
)
def test_a_bucket_that_is_nowhere_else_is_asked_for_once(answer: bytes) -> None:
    rig, client = asked(UPLOAD)
    rig.target.take()
    rig.target.says(answer)
    for _ in range(2):
        ((head, _body),) = read_requests(rig.target.take())
        assert head.startswith(b"PUT /bkt/k ")
        rig.target.says(ok())
        assert answers(client, b"PUT")[0].status == 200
        client.says(UPLOAD)
    assert len(rig.targets) == 1


def test_a_target_that_does_not_say_is_asked_again_next_time() -> None:
    rig, client = asked(UPLOAD)
    rig.target.take()
    rig.target.says(found("", "500 Oh"))
    ((head, _),) = read_requests(rig.target.take())
    assert head.startswith(b"PUT ")
    rig.target.says(ok())
    answers(client, b"PUT")
    client.says(UPLOAD)
    assert rig.target.take().startswith(QUESTION)


def test_a_client_that_leaves_while_a_question_is_asked_is_noticed_after_it() -> None:
    """A13: nothing is read of an upload that waits, so its end is not either."""
    rig, client = asked(UPLOAD[:-1])
    target = rig.target
    assert target.take().startswith(QUESTION)
    client.leaves()
    target.says(found("us-east-1"))
    assert target.reset
    assert not rig.defects


def test_an_endpoint_without_its_region_is_not_asked() -> None:
    rig, _ = asked(UPLOAD, host="store.example")
    assert head_of(rig.target).startswith(b"PUT ")


def test_an_upload_to_a_bucket_that_moved_is_told_to_come_again_and_then_goes_right() -> None:
    rig, client = asked(UPLOAD)
    rig.target.take()
    rig.target.says(found("us-east-1"))
    rig.target.take()
    rig.target.says(redirect())
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert answer.fields["retry-after"] == "1"
    assert len(rig.targets) == 1
    client.says(UPLOAD)
    ((head, body),) = read_requests(rig.target.take())
    assert b"host: s3.eu-west-1.store.example:9000\r\n" in head
    assert body == b"0123456789"
    rig.target.says(ok())
    assert answers(client, b"PUT")[0].status == 200
    assert not rig.defects


def test_an_upload_that_is_redirected_early() -> None:
    rig, client = asked(UPLOAD[:-5])
    rig.target.take()
    rig.target.says(found("us-east-1"))
    rig.target.says(redirect())
    assert answers(client, b"PUT")[0].code == "ServiceUnavailable"
    client.says(UPLOAD[-5:], UPLOAD)
    rig.target.says(ok())
    assert rig.loop.connects[-1] == (THERE, 9000)
    assert answers(client, b"PUT")[0].status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        get("/bkt?location"),
        get("/bkt", "Content-Length: 0", method="PUT"),
    ],
    ids=["GetBucketLocation", "CreateBucket"],
)
def test_what_asks_about_regions_gets_the_targets_answer(request_bytes: bytes) -> None:
    method = request_bytes.partition(b" ")[0]
    rig, client = asked(request_bytes)
    rig.target.says(redirect())
    assert answers(client, method)[0].status == 301
    assert len(rig.targets) == 1
    # nor does it go where the bucket is known to be
    client.says(get("/bkt/k"))
    rig.target.says(redirect())
    rig.target.says(ok())
    answers(client)
    client.says(request_bytes)
    assert b"host: s3.us-east-1.store.example:9000\r\n" in rig.targets[0].heard


def test_a_target_without_regions_keeps_its_redirects() -> None:
    rig, client = asked(get("/bkt/k"), profile="generic")
    rig.target.says(redirect())
    assert answers(client)[0].status == 301


def test_a_reload_keeps_what_was_learnt_and_drops_what_has_no_target() -> None:
    rig, client = asked(get("/bkt/k"))
    rig.target.says(redirect())
    there = rig.target
    there.says(ok())
    answers(client)
    rig.install(**options())
    client.says(get("/bkt/k"))
    assert b"host: s3.eu-west-1.store.example:9000\r\n" in there.heard.rpartition(b"GET ")[2]
    there.says(ok())
    assert len(rig.targets) == 2
    answers(client)
    rig.install(**options("s3.us-east-1.other.example"))
    rig.settle()
    assert there.transport.ended
    client.says(get("/bkt/k"))
    assert rig.loop.connects[-1] == ("s3.us-east-1.other.example", 9000)


def test_fresh_credentials_after_a_redirect_are_used_in_that_region() -> None:
    def session(key: str) -> dict[str, Any]:
        pair = {"access_key_id": key, "secret_access_key": "s", "token": "t"}
        return {"credentials": {"first": pair, "generic": pair}}

    rig, client = asked(get("/bkt/k"), **session("ASIAOLD"))
    rig.target.says(redirect())
    body = b"<Error><Code>ExpiredToken</Code></Error>"
    rig.target.says(ok(body, status="400 Bad Request"))
    rig.install(**options(**session("ASIANEW")))
    rig.settle()
    assert b"Credential=ASIANEW/" in rig.target.heard
    assert rig.target.heard.count(b"/eu-west-1/s3/aws4_request") == 1
    rig.target.says(ok(b"here"))
    assert answers(client)[0].body == b"here"
    assert not rig.defects
