"""Targets that refuse the gateway's own signature: what client, operator and control see."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from fastpath.ipc.counters import Slot
from fastpath.s3.refusals import MAX_BUFFERED_BYTES
from fastpath.upstream.credential_refresh import ASK_SECONDS, WAIT_SECONDS
from tests.doubles.http1 import Answer, get, ok, put, read_answers, read_requests
from tests.doubles.wire import TARGET_KEY, Peer, Rig

OLD = {"access_key_id": "ASIAOLD", "secret_access_key": "old", "token": "old"}
NEW = {"access_key_id": "ASIANEW", "secret_access_key": "new", "token": "new"}

ACCESS_DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


def refusal(code: str, status: str = "403 Forbidden", *lines: str, more: str = "") -> bytes:
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>m</Message>'
        f"<AWSAccessKeyId>{TARGET_KEY[0]}</AWSAccessKeyId>"
        f"<CanonicalRequest>GET /k host:first.test{more}</CanonicalRequest></Error>"
    )
    return ok(body.encode(), *lines, status=status)


def temporary(first: dict[str, Any] = OLD) -> dict[str, Any]:
    """Credentials that end, for the target `first`."""
    return {"credentials": {"first": first, "generic": OLD}}


def asked(rig: Rig, *requests: bytes) -> tuple[Rig, Peer]:
    client = rig.connect()
    client.says(*requests)
    return rig, client


def answers(client: Peer, *methods: bytes) -> list[Answer]:
    return read_answers(client.heard, methods or [b"GET"], ended=client.ended)


def assert_hidden(answer: Answer, client: Peer) -> None:
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert answer.fields["retry-after"] == "1"
    assert TARGET_KEY[0].encode() not in client.heard
    assert b"CanonicalRequest" not in client.heard
    assert b"first.test" not in client.heard


@pytest.mark.parametrize("profile", ["s3", "generic", "lakefs"])
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("SignatureDoesNotMatch", "403 Forbidden"),
        ("InvalidAccessKeyId", "403 Forbidden"),
        ("RequestTimeTooSkewed", "403 Forbidden"),
        ("ExpiredToken", "400 Bad Request"),
        ("InvalidToken", "400 Bad Request"),
        ("AuthorizationHeaderMalformed", "400 Bad Request"),
    ],
)
def test_a_refused_signature_is_the_operators_business(
    profile: str, code: str, status: str
) -> None:
    rig, client = asked(Rig(profile=profile), get("/bkt/main/k"))
    rig.target.says(refusal(code, status))
    (answer,) = answers(client)
    assert_hidden(answer, client)
    (event,) = [line for line in rig.lines("event") if line["level"] == "warning"]
    assert event["message"] == f"refused the gateway's signature: {code}"
    assert event["target"] == "first"
    assert "Canonical" not in str(rig.lines())
    (line,) = rig.lines("access")
    assert (line["status"], line["code"], line["bytes_out"]) == (503, "ServiceUnavailable", 0)
    assert rig.count(Slot.SIGNATURES_REFUSED) == 1
    assert rig.count(Slot.RETRIES) == 0
    # static keys: nobody to wait for; and both connections go on
    client.take()
    client.says(get("/bkt/main/k"))
    rig.target.says(ok(b"here"))
    assert len(rig.targets) == 1
    assert answers(client)[0].body == b"here"
    assert not rig.defects


@pytest.mark.parametrize(
    "answer",
    [
        ok(ACCESS_DENIED, "x-amz-request-id: A", "Content-Type: application/xml", status="403 No"),
        ok(b"", status="403 Forbidden"),
        ok(b"not xml", status="400 Bad Request"),
        ok(b"<Error><Code>InvalidArgument</Code></Error>", status="400 Bad Request"),
        ok(b"x" * 3 * MAX_BUFFERED_BYTES, status="403 Forbidden"),
        ok(b"moved", "Location: https://elsewhere.example/", status="301 Moved Permanently"),
        ok(b"", "Location: https://aws.amazon.com/s3/", status="307 Temporary Redirect"),
    ],
)
@pytest.mark.parametrize("size", [7, 100, 1 << 20])
def test_the_stores_own_answer_passes_unchanged(answer: bytes, size: int) -> None:
    rig, client = asked(Rig(), get("/bkt/k"))
    rig.target.says(*[answer[at : at + size] for at in range(0, len(answer), size)])
    request_id = rig.lines("access")[0]["request_id"]
    heard = client.heard.replace(f"\r\nx-amz-request-id: {request_id}".encode(), b"")
    assert heard == answer
    assert rig.count(Slot.SIGNATURES_REFUSED) == 0
    assert not rig.lines("event")


def test_a_chunked_refusal_and_one_that_ends_with_the_connection() -> None:
    body = refusal("SignatureDoesNotMatch").partition(b"\r\n\r\n")[2]
    head = b"HTTP/1.1 403 Forbidden\r\n"
    rig, client = asked(Rig(), get("/bkt/k"))
    rig.target.says(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(body), body))
    assert not client.heard
    rig.target.says(b"0\r\n\r\n")
    assert_hidden(answers(client)[0], client)
    rig, client = asked(Rig(), get("/bkt/k"))
    rig.target.says(head + b"\r\n" + body)
    assert not client.heard
    rig.target.leaves()
    assert_hidden(answers(client)[0], client)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_refusal_longer_than_what_is_held_is_hidden_all_the_same(chunked: bool) -> None:
    answer = refusal("SignatureDoesNotMatch", more="x" * 2 * MAX_BUFFERED_BYTES)
    if chunked:
        body = answer.partition(b"\r\n\r\n")[2]
        pieces = [body[at : at + 9000] for at in range(0, len(body), 9000)]
        answer = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
            b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""]
        )
    rig, client = asked(Rig(), get("/bkt/k"))
    rig.target.says(answer)
    assert_hidden(answers(client)[0], client)
    assert rig.target.aborted
    assert not rig.defects


def test_a_refusal_that_breaks_off_is_an_unavailable_target() -> None:
    rig, client = asked(Rig(), get("/bkt/k"))
    rig.target.says(refusal("SignatureDoesNotMatch")[:-10])
    rig.target.resets()
    (answer,) = answers(client)
    assert_hidden(answer, client)


def test_a_client_that_leaves_meanwhile() -> None:
    rig, client = asked(Rig(), get("/bkt/k"))
    rig.target.says(refusal("SignatureDoesNotMatch")[:-10])
    client.resets()
    assert rig.target.aborted
    assert [line["code"] for line in rig.lines("access")] == ["ClientGone"]


MUTE = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 500\r\nx-store: 1\r\n\r\n"


@pytest.mark.parametrize("profile", ["s3", "generic", "lakefs"])
def test_what_an_answer_to_head_is_about_is_asked(profile: str) -> None:
    """B6: it has no document; of a plain denial nothing more is asked for a while."""
    rig, client = asked(Rig(profile=profile), get("/bkt/main/k", method="HEAD"))
    rig.target.take()
    rig.target.says(MUTE)
    assert not client.heard
    assert rig.target.take().startswith(b"GET /bkt?location= HTTP/1.1\r\n")
    rig.target.says(refusal("SignatureDoesNotMatch"))
    (answer,) = answers(client, b"HEAD")
    assert (answer.status, rig.count(Slot.SIGNATURES_REFUSED)) == (503, 1)
    client.take()
    client.says(get("/bkt/main/k", method="HEAD"))
    rig.target.says(MUTE)
    rig.target.says(ok(ACCESS_DENIED, status="403 Forbidden"))
    (answer,) = answers(client, b"HEAD")
    assert (answer.status, answer.fields["x-store"]) == (403, "1")
    client.take()
    client.says(get("/bkt/main/k", method="HEAD"))
    rig.target.says(MUTE)
    assert answers(client, b"HEAD")[0].status == 403
    assert rig.count(Slot.SIGNATURES_REFUSED) == 1
    assert len(rig.targets) == 1
    rig.pass_time(ASK_SECONDS + 1)
    client.take()
    client.says(get("/bkt/main/k", method="HEAD"))
    rig.target.says(MUTE)
    assert not client.heard
    rig.target.leaves()  # without a reply, the answer stands
    rig.target.leaves()
    assert answers(client, b"HEAD")[0].status == 403
    assert not rig.defects


def test_a_head_goes_again_with_fresh_credentials() -> None:
    """B6"""
    rig, client = asked(Rig(**temporary()), get("/bkt/k", method="HEAD"))
    rig.target.says(MUTE)
    rig.target.says(refusal("ExpiredToken", "400 Bad Request"))
    assert not client.heard
    rig.install(**temporary(NEW))
    rig.settle()
    assert b"ASIANEW" in rig.target.heard
    rig.target.says(ok(b"", "ETag: 1"))
    assert answers(client, b"HEAD")[0].status == 200
    assert not rig.defects


def test_a_client_that_leaves_while_its_head_is_asked_about() -> None:
    """B6"""
    rig, client = asked(Rig(), get("/bkt/k", method="HEAD"))
    rig.target.says(MUTE)
    client.resets()
    assert rig.target.aborted
    assert [line["code"] for line in rig.lines("access")] == ["ClientGone"]
    assert not rig.defects


@pytest.mark.parametrize("profile", ["s3", "generic", "lakefs"])
@pytest.mark.parametrize(
    ("body", "line"),
    [
        (
            gzip.compress(refusal("SignatureDoesNotMatch").partition(b"\r\n\r\n")[2], mtime=0),
            "gzip",
        ),
        (b"\x8b\x02\x80", "br"),
        (b'{"Code": "SignatureDoesNotMatch", "Key": "AKIDTARGET"}', "identity"),
    ],
)
def test_a_refusal_in_another_coding_or_shape(profile: str, body: bytes, line: str) -> None:
    """B6"""
    rig, client = asked(Rig(profile=profile), get("/bkt/main/k"))
    rig.target.says(ok(body, f"Content-Encoding: {line}", status="403 Forbidden"))
    assert_hidden(answers(client)[0], client)
    assert len([line for line in rig.lines("event") if line["level"] == "warning"]) == 1
    assert not rig.defects


def test_an_upload_that_is_refused_early() -> None:
    rig = Rig()
    client = rig.connect()
    whole = put("/bkt/k", b"0123456789")
    client.says(whole[:-5])
    rig.target.says(refusal("InvalidAccessKeyId"))
    (answer,) = answers(client, b"PUT")
    assert_hidden(answer, client)
    assert rig.target.aborted
    client.take()
    client.says(whole[-5:], get("/bkt/k"))
    rig.target.says(ok(b"next"))
    assert answers(client)[0].body == b"next"
    assert not rig.defects


def test_a_held_early_answer_has_the_rest_of_the_upload_read_away() -> None:
    rig = Rig(buffer=1000)
    client = rig.connect()
    client.says(put("/bkt/k", b"x" * 5000)[:-4900])
    rig.target.stalls()
    client.says(b"x" * 3000)
    assert not client.transport.reading
    answer = refusal("InvalidAccessKeyId")
    rig.target.says(answer[:-1])
    assert client.transport.reading
    client.says(b"x" * 1900)
    rig.target.says(answer[-1:])
    assert_hidden(answers(client, b"PUT")[0], client)
    assert not rig.defects


def test_an_early_answer_of_the_store_passes() -> None:
    rig = Rig()
    client = rig.connect()
    client.says(put("/bkt/k", b"0123456789")[:-5])
    rig.target.says(ok(ACCESS_DENIED, status="403 Forbidden"))
    client.says(b"56789")
    (answer,) = answers(client, b"PUT")
    assert (answer.status, answer.body) == (403, ACCESS_DENIED)
    assert answer.fields["connection"] == "close"
    assert rig.target.aborted


# --- fresh credentials ---


def wishes(rig: Rig) -> list[str]:
    return [line["target"] for line in rig.lines("refresh")]


def test_a_refused_session_waits_for_fresh_credentials_and_goes_again_once() -> None:
    rig, client = asked(Rig(**temporary()), get("/bkt/k"))
    rig.target.says(refusal("ExpiredToken", "400 Bad Request"))
    assert wishes(rig) == ["first"]
    assert not client.heard
    rig.install(**temporary(NEW))
    rig.settle()
    ((head, _),) = read_requests(rig.target.take())
    assert b"Credential=ASIANEW/" in head
    assert b"x-amz-security-token: new" in head
    rig.target.says(ok(b"here"))
    assert answers(client)[0].body == b"here"
    assert rig.count(Slot.RETRIES) == 1
    (line,) = rig.lines("access")
    assert line["status"] == 200
    assert not rig.defects


def test_the_second_try_is_the_last() -> None:
    rig, client = asked(Rig(**temporary()), get("/bkt/k"))
    rig.target.says(refusal("ExpiredToken", "400 Bad Request"))
    rig.install(**temporary(NEW))
    rig.settle()
    rig.target.says(refusal("ExpiredToken", "400 Bad Request"))
    assert_hidden(answers(client)[0], client)
    assert rig.count(Slot.SIGNATURES_REFUSED) == 2
    assert len([line for line in rig.lines("event") if line["level"] == "warning"]) == 1
    assert wishes(rig) == ["first"]


def test_credentials_that_changed_meanwhile_are_used_at_once() -> None:
    rig, client = asked(Rig(**temporary()), get("/bkt/k"))
    rig.install(**temporary(NEW))
    rig.target.says(refusal("InvalidAccessKeyId"))
    assert b"Credential=ASIANEW/" in rig.target.heard
    rig.target.says(ok(b"here"))
    assert answers(client)[0].body == b"here"


def test_no_credentials_in_time() -> None:
    rig, client = asked(Rig(**temporary()), get("/bkt/k"))
    rig.target.says(refusal("ExpiredToken", "400 Bad Request"))
    rig.install(**temporary())  # a reload that brought the same ones
    rig.pass_time(WAIT_SECONDS - 1)
    assert not client.heard
    rig.pass_time(2)
    assert_hidden(answers(client)[0], client)
    # the next one is told at once: fresh ones were asked for and did not come
    client.take()
    client.says(get("/bkt/k"))
    rig.target.says(refusal("ExpiredToken", "400 Bad Request"))
    assert_hidden(answers(client)[0], client)
    assert wishes(rig) == ["first"]
    rig.pass_time(ASK_SECONDS)
    client.take()
    client.says(get("/bkt/k"))
    rig.target.says(refusal("ExpiredToken", "400 Bad Request"))
    assert wishes(rig) == ["first", "first"]


def test_a_target_that_moved_meanwhile_is_not_asked() -> None:
    rig, client = asked(Rig(**temporary()), get("/bkt/k"))
    rig.target.says(refusal("ExpiredToken", "400 Bad Request"))
    rig.install(**temporary(NEW), timeouts={"idle_seconds": 1.0})  # another route
    rig.pass_time(WAIT_SECONDS + 1)
    assert_hidden(answers(client)[0], client)
    assert len(rig.targets) == 1


def test_a_client_that_leaves_while_it_waits() -> None:
    rig, client = asked(Rig(**temporary()), get("/bkt/k"))
    rig.target.says(refusal("ExpiredToken", "400 Bad Request"))
    client.resets()
    rig.install(**temporary(NEW))
    rig.settle()
    assert len(rig.targets) == 1
    assert [line["code"] for line in rig.lines("access")] == ["ClientGone"]


@pytest.mark.parametrize(
    ("request_bytes", "method"),
    [
        (put("/bkt/k", b"body"), b"PUT"),
        (get("/bkt/k?uploads", method="POST"), b"POST"),
    ],
)
def test_what_may_not_be_repeated_is_refused_at_once(request_bytes: bytes, method: bytes) -> None:
    rig, client = asked(Rig(**temporary()), request_bytes)
    rig.target.says(refusal("ExpiredToken", "400 Bad Request"))
    assert_hidden(answers(client, method)[0], client)
    assert wishes(rig) == ["first"]
    assert rig.count(Slot.RETRIES) == 0


def test_a_clock_is_not_cured_by_credentials() -> None:
    rig, client = asked(Rig(**temporary()), get("/bkt/k"))
    rig.target.says(refusal("RequestTimeTooSkewed"))
    assert_hidden(answers(client)[0], client)
    assert wishes(rig) == []
