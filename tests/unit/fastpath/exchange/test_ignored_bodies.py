"""A body where S3 has none: read and verified, and never with a target, which might not read it."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest

from fastpath.s3.operations import OPERATIONS, has_request_body
from tests.doubles.http1 import Answer, get, ok, put, read_answers, read_requests
from tests.doubles.signing import RawClient
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import KEY, Peer, Rig
from tests.unit.fastpath.clients import BODY, answers, one, started
from tests.unit.fastpath.exchange.test_whole_surface import made
from tests.unit.fastpath.s3.test_operations import SERVICE

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SMUGGLED = get("/b-b/smuggled")  # what a target that reads no body would take it for


def has_body(name: str) -> bool:
    """Whether botocore's model has a body for an operation."""
    shape = SERVICE.operation_model(name).input_shape
    if shape is None:
        return False
    members = shape.members.values()
    return "payload" in shape.serialization or any(
        not member.serialization.get("location") for member in members
    )


def signed(method: str, path: str, body: bytes, said: bytes | None = None) -> bytes:
    """A signed request with this body, or that of another."""
    digest = hashlib.sha256(body if said is None else said).hexdigest()
    client = RawClient("gateway.test", 80, *KEY)
    return client.head(method, path.encode(), len(body), {"x-amz-content-sha256": digest}) + body


def test_the_table_is_botocores() -> None:
    """A1: which operations have a body."""

    def said(name: str) -> bool:
        method = SERVICE.operation_model(name).http["method"].encode()
        return has_request_body(OPERATIONS[name], method)

    assert [name for name in SERVICE.operation_names if said(name) is not has_body(name)] == []


@pytest.mark.parametrize("name", [n for n in SERVICE.operation_names if not has_body(n)])
def test_a_body_of_an_operation_without_one_stays_here(name: str) -> None:
    """A1: every operation that has none in botocore's model."""
    rig, client = started(rules=())
    request = made(name, "b-b")
    pairs = [f"{quote(k)}={quote(str(v), safe='')}" for k, v in request["query_string"].items()]
    path, _, query = request["url_path"].partition("?")
    target = path + ("?" if query or pairs else "") + "&".join(filter(None, [query, *pairs]))
    lines = [f"{header}: {value}" for header, value in request["headers"].items()]
    method = request["method"]
    client.says(put(with_sealed_id(target), SMUGGLED, *lines, method=method))
    heard = rig.target.take()
    assert heard.endswith(b"\r\n\r\n")
    ((head, body),) = read_requests(heard)
    assert head.startswith(method.encode())
    assert body == b""
    rig.target.says(ok())
    client.says(get("/-/healthz"))
    got = answers(client, method.encode(), b"GET")
    assert [answer.status for answer in got] == [200, 200]
    assert b"smuggled" not in b"".join(target.heard for target in rig.targets)


def asked(method: str, body: bytes, said: bytes | None = None) -> tuple[Rig, Peer]:
    rig, client = started(mode="sigv4")
    client.says(signed(method, "/b-b/k", body, said))
    return rig, client


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_it_is_verified(method: str) -> None:
    """A1: its signed digest; what goes up is signed without it."""
    rig, client = asked(method, BODY)
    assert f"x-amz-content-sha256: {EMPTY}\r\n".encode() in rig.target.heard
    assert b"content-length: 0\r\n" in rig.target.heard
    rig.target.says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert one(client, method.encode()).status == 200
    (line,) = rig.lines("access")
    assert line["bytes_in"] == len(BODY)
    rig, client = asked(method, BODY, b"9876543210")
    assert one(client, method.encode()).status == 400
    assert rig.targets == []


def test_a_long_one_is_refused_and_the_connection_ends() -> None:
    """A1: read up to a bound only."""
    for size, status in ((100, 200), (101, 400)):
        rig, client = started(limits={"ignored_body_bytes": 100})
        client.says(put("/b-b/k", bytes(size), method="GET"))
        if status == 200:
            rig.target.says(ok())
        answer: Answer = one(client)
        assert answer.status == status
        assert client.ended is (status == 400)
        assert ("connection" in answer.fields) is (status == 400)
        assert len(rig.targets) == (status == 200)


def test_it_may_come_late_and_in_pieces() -> None:
    """A1: nothing goes up before it is whole."""
    rig, client = started()
    whole = put("/b-b/k", BODY, "Expect: 100-continue", method="GET")
    client.says(whole[:-10])
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.says(BODY[:4], BODY[4:9])
    assert rig.targets == []
    client.says(BODY[9:] + get("/b-b/next"))
    assert rig.target.take().count(b"HTTP/1.1\r\n") == 1
    rig.target.says(ok(b"one"))
    assert rig.target.take().startswith(b"GET /b-b/next ")
    rig.target.says(ok(b"two"))
    assert [answer.body for answer in answers(client, b"GET", b"GET")] == [b"one", b"two"]
    rig, client = started()
    client.says(whole[:-10] + BODY[:4])
    rig.pass_time(25)
    got = read_answers(client.heard, [b"GET"], ended=True)
    assert got[0].code == "RequestTimeout"
    assert rig.targets == []


def test_a_stale_connection_is_no_loss() -> None:
    """A1: nothing of the body went up, so the request may be sent again."""
    rig, client = started()
    client.says(get())
    rig.target.says(ok())
    client.take()
    client.says(put("/b-b/k", BODY, method="GET"))
    rig.target.leaves()
    assert len(rig.targets) == 2
    rig.target.says(ok(BODY))
    assert one(client).body == BODY


def test_one_in_chunks_has_no_bound_and_is_refused() -> None:
    """A1: as AWS does with every body in HTTP chunks that is no stream."""
    rig, client = started()
    client.says(get("/b-b/k", "Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\n\r\n")
    assert one(client).status == 501
    assert client.ended
    assert rig.targets == []


def test_a_slow_one_must_move_at_the_minimum_rate() -> None:
    """Whatever reads it, and however many pieces it comes in."""
    rig, client = started()
    client.says(put("/b-b/k", bytes(3000), method="GET")[:-3000])
    for _ in range(13):
        client.says(b"a")
        rig.pass_time(5)
    assert one(client).code == "RequestTimeout"
