"""Who may ask the admin plane what: hosts, origins, tokens, this machine and others."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from gateway.admin.access import Access, hostname
from gateway.admin.answers import Problem

TOKEN = "0123456789abcdef-token"
HERE, THERE = "127.0.0.1", "10.1.2.3"
RIGHT = {"authorization": f"Bearer {TOKEN}"}

Fields = dict[str, str] | list[tuple[str, str]]


def asked(
    method: str, path: str, fields: Fields | None = None, client: str | None = HERE
) -> Request:
    """A request with a Host of localhost, if `fields` have no other one."""
    listed = list(fields.items()) if isinstance(fields, dict) else fields or []
    if not any(name == "host" for name, _ in listed):
        listed = [("host", "localhost:9090"), *listed]
    headers = [(name.encode(), value.encode("latin-1")) for name, value in listed]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    return Request({**scope, "client": None if client is None else (client, 4711)})


def outcome(request: Request, access: Access | None = None) -> tuple[int, str]:
    """The status and code of the refusal; (200, "") if there is none."""
    try:
        (access or Access(TOKEN, ("gw.example.com",))).check(request)
    except Problem as problem:
        return problem.status, problem.code
    return 200, ""


ANSWERED = (200, "")
UNKNOWN_HOST = (421, "UnknownHost")
FOREIGN = (403, "ForeignOrigin")
WRONG_TOKEN = (401, "Unauthorized")
LOCAL_ONLY = (403, "LocalOnly")
DISABLED = (403, "ChangesDisabled")


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("localhost", ANSWERED),
        ("LOCALHOST:9090", ANSWERED),
        ("localhost.:9090", ANSWERED),
        ("gw.example.com", ANSWERED),
        ("GW.example.com:443", ANSWERED),
        ("127.0.0.1:9090", ANSWERED),
        ("10.1.2.3", ANSWERED),
        ("[::1]:9090", ANSWERED),
        ("evil.example.com", UNKNOWN_HOST),
        ("localhost.evil.example.com", UNKNOWN_HOST),
        ("gw.example.com.evil.net", UNKNOWN_HOST),
        ("", UNKNOWN_HOST),
        ("[", UNKNOWN_HOST),
        ("[::1", UNKNOWN_HOST),
        ("127.0.0.1/live?", UNKNOWN_HOST),
        ("127.0.0.1:9/live?", UNKNOWN_HOST),
        ("127.0.0.1:x@evil.net", UNKNOWN_HOST),
        ("localhost:9090 evil.net", UNKNOWN_HOST),
        ("127.0.0.1.evil.net", UNKNOWN_HOST),
        ("2130706433", UNKNOWN_HOST),
    ],
)
def test_a_host_that_is_a_name_must_be_known(host: str, found: tuple[int, str]) -> None:
    assert outcome(asked("GET", "/live", {"host": host})) == found


def test_a_request_has_one_host() -> None:
    assert outcome(asked("GET", "/live", [("host", "localhost"), ("host", "x")])) == UNKNOWN_HOST
    scope = {"type": "http", "method": "GET", "path": "/live", "headers": [], "client": (HERE, 1)}
    assert outcome(Request(scope)) == UNKNOWN_HOST


def test_a_host_cannot_be_part_of_the_path_that_is_judged() -> None:
    """Frameworks make a URL of Host and path; `/api/config` would look like `/live` here."""
    for host in ("127.0.0.1/live?", "127.0.0.1:1/live?x=", "[::1]/live#"):
        assert outcome(asked("GET", "/api/config", {"host": host}, THERE)) != ANSWERED
    assert outcome(asked("GET", "/live\n", client=THERE)) == WRONG_TOKEN


@pytest.mark.parametrize("path", ["/live", "/ready", "/started", "/metrics", "/", "/page/app.js"])
@pytest.mark.parametrize("token", [TOKEN, None])
def test_probes_metrics_and_the_page_are_answered_to_all(path: str, token: str | None) -> None:
    for method in ("GET", "HEAD"):
        assert outcome(asked(method, path, client=THERE), Access(token)) == ANSWERED


@pytest.mark.parametrize("path", ["/api/status", "/api/config", "/livex", "/page", "//", "/x"])
def test_the_rest_is_read_on_this_machine_or_with_the_token(path: str) -> None:
    assert outcome(asked("GET", path)) == ANSWERED
    assert outcome(asked("GET", path, client="::1")) == ANSWERED
    assert outcome(asked("GET", path, client="::ffff:127.0.0.1")) == ANSWERED
    assert outcome(asked("GET", path, client=THERE)) == WRONG_TOKEN
    assert outcome(asked("GET", path, client=None)) == WRONG_TOKEN
    assert outcome(asked("GET", path, RIGHT, client=THERE)) == ANSWERED
    assert outcome(asked("GET", path, client=THERE), Access(None)) == LOCAL_ONLY
    assert outcome(asked("GET", path, RIGHT, client=THERE), Access(None)) == LOCAL_ONLY


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_what_a_proxy_on_this_machine_passes_on_comes_from_elsewhere(name: str) -> None:
    assert outcome(asked("GET", "/api/config", {name: "for=127.0.0.1"})) == WRONG_TOKEN


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (f"Bearer {TOKEN}", ANSWERED),
        (f"bearer   {TOKEN} ", ANSWERED),
        (f"Bearer {TOKEN}x", WRONG_TOKEN),
        (f"Bearer {TOKEN[:-1]}", WRONG_TOKEN),
        (f"Basic {TOKEN}", WRONG_TOKEN),
        (TOKEN, WRONG_TOKEN),
        ("Bearer", WRONG_TOKEN),
        ("Bearer \xff\xfe", WRONG_TOKEN),
        ("", WRONG_TOKEN),
    ],
)
def test_a_change_needs_the_token(given: str, found: tuple[int, str]) -> None:
    assert outcome(asked("POST", "/api/drain", {"authorization": given})) == found


def test_a_wrong_token_is_told_how_to_be_given() -> None:
    with pytest.raises(Problem) as told:
        Access(TOKEN).check(asked("POST", "/api/drain"))
    assert told.value.headers == {"www-authenticate": 'Bearer realm="s3gateway"'}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_without_a_token_in_the_configuration_nothing_is_changed(method: str) -> None:
    for fields in ({}, RIGHT, {"authorization": "Bearer None"}, {"authorization": "Bearer "}):
        assert outcome(asked(method, "/api/drain", fields), Access(None)) == DISABLED


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "http://evil.example.com"},
        {"origin": "http://localhost:8000"},
        {"origin": "http://localhost:9090.evil.net"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": ""},
        {"origin": "ftp://localhost:9090"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_origin_changes_nothing_even_with_the_token(
    fields: dict[str, str],
) -> None:
    assert outcome(asked("POST", "/api/drain", {**RIGHT, **fields})) == FOREIGN


def test_the_page_itself_changes_what_its_token_allows() -> None:
    own = {"origin": "http://localhost:9090", "sec-fetch-site": "same-origin", **RIGHT}
    assert outcome(asked("POST", "/api/drain", own)) == ANSWERED
    two = [*own.items(), ("origin", "http://evil.example.com")]
    assert outcome(asked("POST", "/api/drain", two)) == FOREIGN


def test_a_page_of_another_origin_has_control_do_no_work_but_may_link_here() -> None:
    loaded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert outcome(asked("GET", "/api/decision", loaded)) == FOREIGN
    assert outcome(asked("GET", "/live", loaded)) == ANSWERED
    followed = {**loaded, "sec-fetch-mode": "navigate"}
    assert outcome(asked("GET", "/api/status", followed)) == ANSWERED


def test_the_token_is_in_no_text_of_the_rules() -> None:
    assert TOKEN not in repr(Access(TOKEN))


def test_a_hostname_has_no_port_no_brackets_and_no_capitals() -> None:
    assert hostname("[2001:DB8::1]:80") == "2001:db8::1"
    assert hostname("Name.Example.:1") == "name.example"
    assert hostname("a b") == ""
