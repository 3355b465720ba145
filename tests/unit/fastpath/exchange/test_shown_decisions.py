"""`auth.show_decisions`: which answers say where they come from, and to whom."""

from __future__ import annotations

from typing import Any

import pytest

from fastpath.composed.operation import Composed, ComposedRequest
from fastpath.custom.answer import Answer as RouterAnswer
from tests.doubles import forms
from tests.doubles.http1 import Answer, get, ok, put, read_answers
from tests.doubles.rules import Rule
from tests.doubles.signing import RawClient
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import KEY, Peer, Rig, document
from tests.unit.fastpath.composed.test_finding_targets import Router, custom

BATCH = b"<Delete><Object><Key>k</Key></Object></Delete>"
LIST = (
    b"<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>"
)
DENIED = b"<Error><Code>AccessDenied</Code></Error>"
ORIGIN = "https://app.test"
PAGES = {
    "allowed_origins": [ORIGIN],
    "allowed_methods": ["GET"],
    "allowed_headers": [],
    "expose_headers": ["x-s3gateway-target"],
    "max_age_seconds": None,
}
INNER = ("X-S3Gateway-Target: inner", "x-s3gateway-RULE: 7")


def signed(
    method: str = "GET", path: str = "/b-b/k", *, key: tuple[str, str] = KEY, **headers: str
) -> bytes:
    return RawClient("gateway.test", 80, *key).head(method, path.encode(), 0, headers)


def started(**options: Any) -> tuple[Rig, Peer]:
    rig = Rig(**{"mode": "sigv4", "show_decisions": True, **options})
    return rig, rig.connect()


def one(client: Peer, method: bytes = b"GET") -> Answer:
    """The only answer, in which no header stands twice."""
    (answer,) = read_answers(client.take(), [method], ended=client.ended)
    return answer


def shown(answer: Answer) -> tuple[str | None, str | None]:
    return answer.fields.get("x-s3gateway-target"), answer.fields.get("x-s3gateway-rule")


def exchanged(
    request: bytes, reply: bytes = b"", method: bytes = b"GET", **options: Any
) -> tuple[int, str | None, str | None]:
    """Status and decision that a client gets; `reply`: of the target, if it is asked."""
    rig, client = started(**options)
    client.says(request)
    if reply:
        rig.target.says(reply)
    answer = one(client, method)
    assert not rig.defects
    return (answer.status, *shown(answer))


# Which answers


@pytest.mark.parametrize(
    ("reply", "method", "status"),
    [
        (ok(b"body"), "GET", 200),
        (b"HTTP/1.1 200 OK\r\n\r\n", "HEAD", 200),
        (b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n', "GET", 304),
        (ok(b"<Error/>", status="404 Not Found"), "GET", 404),
        (ok(DENIED, status="403 Forbidden"), "GET", 403),  # through the filters of refusals
    ],
)
def test_answers_of_a_target(reply: bytes, method: str, status: int) -> None:
    request = signed(method, "/g-b/k")
    assert exchanged(request, reply, method.encode()) == (status, "generic", "1")


def test_an_answer_in_chunks_is_still_framed() -> None:
    rig, client = started()
    client.says(signed())
    rig.target.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")
    answer = one(client)
    assert (answer.body, answer.whole, *shown(answer)) == (b"body", True, "first", "default")


def test_an_error_of_the_gateway_after_the_decision() -> None:
    rig, client = started()
    rig.connect_fault = ConnectionRefusedError(111, "Connection refused")
    client.says(signed("HEAD"))
    assert (answer := one(client, b"HEAD")).status == 503
    assert shown(answer) == ("first", "default")


def test_a_target_that_the_identity_may_not_reach() -> None:
    identity = {**document(show_decisions=True)["identities"][0], "targets": ["first"]}
    answer = exchanged(signed(path="/g-b/k"), identities=[identity])
    assert answer == (403, "generic", "1")


def test_an_answer_that_a_dialect_gives_itself() -> None:
    """`main/` is asked for, not stored: the PUT itself is answered by the gateway."""
    answer = exchanged(signed("PUT", "/repo/main/"), ok(LIST), b"PUT", profile="lakefs")
    assert answer == (200, "first", "default")


def test_an_answer_whose_document_is_replaced() -> None:
    request = signed(path="/repo?list-type=2&prefix=main%2F")
    answer = exchanged(request, ok(LIST), profile="lakefs")
    assert answer == (200, "first", "default")


def test_a_browsers_form() -> None:
    fields = forms.signed(KEY, {"key": "k"}, [{"bucket": "g-b"}, {"key": "k"}])
    request = forms.request(forms.body(fields, b"data"), path="/g-b")
    assert exchanged(request, ok(), b"POST") == (204, "generic", "1")


async def _reply(request: ComposedRequest) -> None:
    await request.reply.begin(200, [], 2)
    await request.reply.write(b"ok")
    await request.reply.end()


def test_the_reply_of_a_composed_operation() -> None:
    rig, client = started()
    rig.worker.composed = {"GetObject": Composed(_reply, is_always=True)}
    client.says(signed())
    answer = one(client)
    assert (answer.body, *shown(answer)) == (b"ok", "first", "default")


# The words for what decided


def test_an_upload_that_stays_where_it_began() -> None:
    path = with_sealed_id("/b-b/k?uploadId=u1")
    rules = [Rule(1, 1, "*", "generic")]
    answer = exchanged(get(path), ok(b"<ListPartsResult/>"), mode="open", rules=rules)
    assert answer == (200, "first", "upload")


def test_what_the_custom_router_decided() -> None:
    rig, client = started(custom=custom())
    rig.worker.custom = Router(lambda _: RouterAnswer(("generic",)))  # type: ignore[assignment]
    client.says(signed())
    rig.target.says(ok())
    assert shown(one(client)) == ("generic", "custom")


def test_what_the_keys_in_a_body_decided() -> None:
    rules = [Rule(1, 1, "b-b", "generic", keys=("k*",))]
    request = put("/b-b?delete", BATCH, method="POST")
    answer = exchanged(request, ok(b"<DeleteResult/>"), b"POST", mode="open", rules=rules)
    assert answer == (200, "generic", "1")


# Who sees them


def test_nobody_sees_them_unless_it_is_asked_for() -> None:
    assert exchanged(signed(), ok(), show_decisions=False) == (200, None, None)
    assert exchanged(get("/b-b/k"), ok(), mode="open", show_decisions=False) == (200, None, None)


def test_everybody_in_open_mode_forms_too() -> None:
    assert exchanged(get("/b-b/k"), ok(), mode="open") == (200, "first", "default")
    request = forms.request(forms.body({"key": "k"}, b"data"))
    assert exchanged(request, ok(), b"POST", mode="open") == (204, "first", "default")


def test_one_identity_and_not_the_other() -> None:
    known = document(show_decisions=True)["identities"][0]
    keys = [{"access_key_id": "AKIDOTHER", "secret_access_key": KEY[1]}]
    other = {**known, "name": "other", "keys": keys, "show_decisions": False}
    both = [known, other]
    assert exchanged(signed(), ok(), identities=both) == (200, "first", "default")
    request = signed(key=("AKIDOTHER", KEY[1]))
    assert exchanged(request, ok(), identities=both) == (200, None, None)


def test_nobody_whose_signature_is_not_verified() -> None:
    assert exchanged(signed(key=(KEY[0], "wrong"))) == (403, None, None)
    assert exchanged(signed(key=("AKIDNOBODY", "wrong"))) == (403, None, None)
    assert exchanged(get("/b-b/k"), ok(), anonymous="forward") == (200, None, None)
    form = forms.request(forms.body({"key": "k"}, b"data"))
    assert exchanged(form, ok(), b"POST", anonymous="forward") == (204, None, None)


def test_nobody_who_lacks_the_right_to_the_operation() -> None:
    identity = {**document(show_decisions=True)["identities"][0], "allow": []}
    assert exchanged(signed(), identities=[identity]) == (403, None, None)


@pytest.mark.parametrize("preflight", ["answer", "forward"])
def test_no_preflight(preflight: str) -> None:
    asked = f"Origin: {ORIGIN}", "Access-Control-Request-Method: GET"
    rules = [PAGES] if preflight == "answer" else []
    cors = {"preflight": preflight, "rules": rules}
    reply = b"" if rules else ok()
    request = get("/b-b/k", *asked, method="OPTIONS")
    answer = exchanged(request, reply, b"OPTIONS", mode="open", cors=cors)
    assert answer == (200, None, None)


def test_the_next_request_of_a_connection_is_another_caller() -> None:
    rig, client = started(mode="open")
    client.says(get("/b-b/k"))
    rig.target.says(ok())
    assert shown(one(client)) == ("first", "default")
    rig.install(mode="open", show_decisions=False)
    client.says(get("/b-b/k"))
    rig.target.says(ok())
    assert shown(one(client)) == (None, None)


# Beside other headers


def test_pages_of_other_origins_get_both() -> None:
    cors = {"preflight": "answer", "rules": [PAGES]}
    for fails in (False, True):
        rig, client = started(mode="open", cors=cors)
        rig.connect_fault = OSError() if fails else None
        client.says(get("/b-b/k", f"Origin: {ORIGIN}"))
        if not fails:
            rig.target.says(ok(b"", "Access-Control-Allow-Origin: *"))
        answer = one(client)
        assert shown(answer) == ("first", "default")
        assert answer.fields["access-control-allow-origin"] == ORIGIN
        assert answer.fields["access-control-expose-headers"] == "x-s3gateway-target"


def test_a_targets_own_cors_headers_stay() -> None:
    rig, client = started(mode="open")
    client.says(get("/b-b/k", f"Origin: {ORIGIN}"))
    rig.target.says(ok(b"", "Access-Control-Allow-Origin: *"))
    assert one(client).fields["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("lines", [INNER, INNER[:1], INNER[1:]])
def test_another_gateway_behind_this_one(lines: tuple[str, ...]) -> None:
    """Its decisions are for the key that this gateway has there, not for clients."""
    reply = ok(b"", *lines)
    assert exchanged(signed(), reply) == (200, "first", "default")
    assert exchanged(signed(), reply, show_decisions=False) == (200, None, None)
