"""`auth.cors`: preflights answered here or by the target, and headers on every other answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles import forms
from tests.doubles.http1 import Answer, get, ok, put
from tests.doubles.wire import KEY, Peer, Rig
from tests.unit.fastpath.clients import one

ORIGIN = "https://app.example.com"
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
REFUSED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of "
    "Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are "
    "not whitelisted by the resource&apos;s CORS spec."
).replace("&apos;", "'")


def rule(**changes: Any) -> dict[str, Any]:
    return {
        "allowed_origins": ["https://*.example.com"],
        "allowed_methods": ["GET", "PUT", "POST"],
        "allowed_headers": ["x-amz-*", "Content-Type"],
        "expose_headers": ["ETag", "x-amz-version-id"],
        "max_age_seconds": 600,
        **changes,
    }


def started(*rules: dict[str, Any], preflight: str = "answer", **options: Any) -> tuple[Rig, Peer]:
    cors = {"preflight": preflight, "rules": list(rules) or [rule()]}
    rig = Rig(**{"mode": "sigv4", "cors": cors, **options})
    return rig, rig.connect()


def ask(
    method: str = "PUT", headers: str = "", *, origin: str = ORIGIN, path: str = "/b-b/k"
) -> bytes:
    lines = [f"Origin: {origin}", f"Access-Control-Request-Method: {method}"]
    if headers:
        lines.append(f"Access-Control-Request-Headers: {headers}")
    return get(path, *lines, method="OPTIONS")


def answered(request: bytes, *rules: dict[str, Any], **options: Any) -> Answer:
    rig, client = started(*rules, **options)
    client.says(request)
    assert not rig.targets
    assert not rig.defects
    assert not client.ended
    return one(client, b"OPTIONS")


def message(answer: Answer) -> str:
    return answer.body.partition(b"<Message>")[2].partition(b"</Message>")[0].decode()


def test_a_preflight_is_answered_from_the_rules() -> None:
    answer = answered(ask("PUT", "X-Amz-Date, content-type"))
    assert (answer.status, answer.body) == (200, b"")
    found = {name: value for name, value in answer.fields.items() if name.startswith("access")}
    assert found == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, PUT, POST",
        "access-control-allow-headers": "x-amz-date, content-type",
        "access-control-expose-headers": "ETag, x-amz-version-id",
        "access-control-max-age": "600",
    }
    assert answer.fields["vary"] == VARY
    assert answer.fields["content-length"] == "0"
    assert answer.fields["x-amz-request-id"]


def test_every_origin_is_told_as_a_star_without_credentials() -> None:
    answer = answered(ask(), rule(allowed_origins=["*"], max_age_seconds=None, expose_headers=[]))
    found = {name: value for name, value in answer.fields.items() if name.startswith("access")}
    assert found == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, PUT, POST",
    }


def test_the_first_rule_that_admits_all_of_it_decides() -> None:
    rules = [rule(allowed_headers=[]), rule(max_age_seconds=1), rule(max_age_seconds=2)]
    assert answered(ask("PUT", "x-amz-a"), *rules).fields["access-control-max-age"] == "1"
    assert answered(ask("PUT"), *rules).fields["access-control-max-age"] == "600"


@pytest.mark.parametrize(
    "request_",
    [
        ask(origin="https://example.com"),
        ask(origin="https://app.example.com.evil.test"),
        ask(origin="http://app.example.com"),
        ask(origin="https://APP.EXAMPLE.COM"),
        ask(origin="null"),
        ask("DELETE"),
        ask("PUT", "x-amz-a, authorization"),
        ask("PUT", "content-type-x"),
    ],
)
def test_what_no_rule_admits(request_: bytes) -> None:
    answer = answered(request_)
    assert (answer.status, answer.code, message(answer)) == (403, "AccessForbidden", REFUSED)
    assert not [name for name in answer.fields if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("path", "kind"), [("/b-b/k", "OBJECT"), ("/b-b", "BUCKET"), ("/", "SERVICE")]
)
def test_without_rules_cors_is_not_enabled(path: str, kind: str) -> None:
    answer = answered(ask("PUT", path=path), cors=None)
    assert (answer.status, answer.code) == (403, "AccessForbidden")
    assert message(answer) == "CORSResponse: CORS is not enabled for this bucket."
    extras = f"<Method>PUT</Method><ResourceType>{kind}</ResourceType>"
    assert extras.encode() in answer.body


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([], "Insufficient information. Origin request header needed."),
        ([f"Origin: {ORIGIN}"], "Invalid Access-Control-Request-Method: null"),
        (
            [f"Origin: {ORIGIN}", "Access-Control-Request-Method: PATCH"],
            "Invalid Access-Control-Request-Method: PATCH",
        ),
    ],
)
def test_preflights_that_are_none(lines: list[str], text: str) -> None:
    answer = answered(get("/b-b/k", *lines, method="OPTIONS"))
    assert (answer.status, answer.code, message(answer)) == (400, "BadRequest", text)


def test_a_preflight_with_a_body_leaves_nothing_for_the_next_request() -> None:
    rig, client = started()
    request = ask().replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nGET /") + ask()
    client.says(request)
    assert client.heard.count(b"HTTP/1.1 200 OK") == 2
    assert not rig.targets


# --- other answers ---


def test_an_answer_of_a_target_gets_the_headers_and_loses_the_target_s_own() -> None:
    rig, client = started(mode="open")
    client.says(get("/b-b/k", f"Origin: {ORIGIN}"))
    theirs = ["Access-Control-Allow-Origin: *", "access-control-max-age: 9", "Vary: Accept"]
    rig.target.says(ok(b"data", *theirs))
    heard = client.heard.lower()
    assert heard.count(b"access-control-allow-origin: " + ORIGIN.encode()) == 1
    assert heard.count(b"access-control-allow-origin") == 1
    assert b"access-control-max-age: 600" in heard
    assert b"vary: accept\r\n" in heard
    assert b"vary: origin, " in heard
    assert client.heard.endswith(b"\r\n\r\ndata")


def test_an_error_made_here_gets_them_too() -> None:
    _, client = started()
    client.says(get("/b-b/k", f"Origin: {ORIGIN}"))
    answer = one(client)
    assert (answer.status, answer.fields["access-control-allow-origin"]) == (403, ORIGIN)
    assert answer.fields["vary"] == VARY


def test_an_origin_that_no_rule_admits_is_told_nothing_but_that_it_matters() -> None:
    rig, client = started(mode="open")
    client.says(get("/b-b/k", "Origin: https://evil.test"))
    rig.target.says(ok(b"", "Access-Control-Allow-Origin: *"))
    answer = one(client)
    assert not [name for name in answer.fields if name.startswith("access-control")]
    assert answer.fields["vary"] == VARY


def test_a_request_of_no_page_is_left_alone() -> None:
    rig, client = started(mode="open")
    client.says(get("/b-b/k"))
    rig.target.says(ok(b"", "Access-Control-Allow-Origin: *"))
    answer = one(client)
    assert answer.fields["access-control-allow-origin"] == "*"
    assert "vary" not in answer.fields


def test_without_rules_the_target_s_own_lines_pass() -> None:
    rig, client = started(mode="open", cors=None)
    client.says(get("/b-b/k", f"Origin: {ORIGIN}"))
    rig.target.says(ok(b"", "Access-Control-Allow-Origin: *"))
    assert one(client).fields["access-control-allow-origin"] == "*"


def test_a_form_sent_by_a_page() -> None:
    rig, client = started()
    fields = forms.signed(KEY, {"key": "k"}, [{"bucket": "b-b"}, {"key": "k"}])
    client.says(forms.request(forms.body(fields, b"data"), lines=f"Origin: {ORIGIN}\r\n"))
    rig.target.says(ok(b"", 'ETag: "a"', "Access-Control-Allow-Origin: *"))
    answer = one(client, b"POST")
    assert (answer.status, answer.fields["access-control-allow-origin"]) == (204, ORIGIN)


# --- forwarded ---


def test_a_preflight_can_be_the_target_s_business() -> None:
    rig, client = started(preflight="forward", anonymous="deny")
    client.says(ask("PUT", "x-amz-date"))
    head = rig.target.heard
    assert head.startswith(b"OPTIONS /b-b/k HTTP/1.1\r\nhost: first.test:9000\r\n")
    assert b"authorization" not in head.lower()
    assert b"\r\nAccess-Control-Request-Headers: x-amz-date\r\n" in head
    rig.target.says(ok(b"", "Access-Control-Allow-Origin: *"))
    answer = one(client, b"OPTIONS")
    assert (answer.status, answer.fields["access-control-allow-origin"]) == (200, "*")
    client.take()
    client.says(put("/b-b/k", b"x", f"Origin: {ORIGIN}"))
    assert one(client, b"PUT").status == 403  # unsigned, and no preflight


def test_where_preflights_are_forwarded_the_target_s_own_lines_are_the_answer() -> None:
    rig, client = started(mode="open", cors={"preflight": "forward", "rules": []})
    client.says(get("/b-b/k", f"Origin: {ORIGIN}"))
    rig.target.says(ok(b"", "Access-Control-Allow-Origin: https://their.test"))
    answer = one(client)
    assert answer.fields["access-control-allow-origin"] == "https://their.test"
    assert "vary" not in answer.fields


def test_a_target_that_knows_no_strangers_gets_no_preflight() -> None:
    answer = answered(ask(), preflight="forward", profile="lakefs")
    assert (answer.status, answer.code) == (403, "AccessDenied")
