"""A client's connection: early answers, who leaves and who dies, digests."""

from __future__ import annotations

import hashlib

import pytest

from fastpath.ipc.counters import Slot
from tests.doubles.http1 import get, ok, put
from tests.unit.fastpath.clients import BODY, PUT, answers, one, started

# --- early answers ---


def test_an_answer_before_the_request_is_whole() -> None:
    rig, client = started()
    client.says(PUT[:-5])
    denied = ok(b"denied", status="403 Forbidden")
    rig.target.says(denied[:-3])
    client.says(PUT[-5:-3])
    rig.target.says(denied[-3:])
    answer = one(client, b"PUT")
    assert (answer.status, answer.body, answer.fields["connection"]) == (403, b"denied", "close")
    assert client.ended
    assert rig.target.aborted
    assert not rig.target.heard.endswith(PUT[-5:-3])
    client.says(PUT[-3:])
    assert not client.aborted


def test_an_early_answer_goes_on_when_the_client_sends_no_more() -> None:
    rig, client = started(timeouts={"idle_seconds": 50})
    client.says(PUT[:-5])
    rig.target.says(ok(BODY)[:-8])
    for n in range(3):
        rig.pass_time(30)
        rig.target.says(BODY[n + 2 : n + 3])
    assert not client.aborted
    rig.pass_time(51)  # the target's own time
    assert rig.target.aborted
    assert client.reset


def test_an_answer_in_the_very_moment_of_the_last_byte_keeps() -> None:
    rig, client = started()
    client.says(PUT)
    rig.target.says(ok())
    assert not client.ended
    assert not rig.target.aborted


# --- who leaves, who dies ---


@pytest.mark.parametrize(
    ("end", "request_"),
    [("leaves", PUT[:-5]), ("resets", PUT[:-5]), ("resets", PUT), ("resets", get())],
)
def test_a_client_that_leaves_cancels_upstream(end: str, request_: bytes) -> None:
    rig, client = started()
    client.says(request_)
    getattr(client, end)()
    assert rig.target.aborted
    (line,) = rig.lines("access")
    assert line["code"] == "ClientGone"
    assert rig.count(Slot.ABORTED) == 1
    assert rig.count(Slot.CONNECTIONS) == 0


def test_a_client_that_leaves_while_it_waits_for_a_connection() -> None:
    rig, client = started()
    rig.hold_connects()
    client.says(get())
    client.resets()
    rig.open_held()
    assert rig.target.heard == b""
    assert rig.lines("access")[0]["code"] == "ClientGone"


def test_a_client_that_leaves_in_mid_answer_cancels_upstream() -> None:
    rig, client = started()
    client.says(get())
    rig.target.says(ok(BODY)[:-5])
    client.resets()
    assert rig.target.aborted
    assert rig.lines("access")[0]["bytes_out"] == 5


def test_a_client_that_leaves_is_noticed_while_a_slow_target_has_its_request() -> None:
    rig, client = started()
    whole = put("/b-b/k", bytes(200_000))
    client.says(whole[:1000])
    rig.target.stalls()
    client.says(whole[1000:])
    assert client.transport.reading
    client.resets()
    assert rig.target.aborted


def test_a_client_that_leaves_between_requests() -> None:
    rig, client = started()
    client.says(get())
    rig.target.says(ok())
    client.leaves()
    assert client.transport.ended
    assert not rig.target.aborted
    assert rig.worker.connections == set()


# --- the digest ---


def hashed(body: bytes, claimed: bytes, path: str = "/g-b/k") -> bytes:
    return put(path, body, f"x-amz-content-sha256: {hashlib.sha256(claimed).hexdigest()}")


@pytest.mark.parametrize("pieces", [1, 2, 10])
def test_a_body_with_another_digest_never_completes(pieces: int) -> None:
    rig, client = started()
    raw = hashed(BODY, b"other")
    head, body = raw[:-10], raw[-10:]
    size = 10 // pieces
    client.says(head)
    client.says(*[body[at : at + size] for at in range(0, 10, size)])
    answer = one(client, b"PUT")
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert hashlib.sha256(BODY).hexdigest().encode() in answer.body
    assert hashlib.sha256(b"other").hexdigest().encode() in answer.body
    if pieces == 1:  # a head alone would make an empty object of the one that is there
        assert rig.target.heard == b""
    else:
        assert rig.target.heard.endswith(b"\r\n\r\n" + BODY[:-size])
    assert rig.target.aborted
    assert not client.ended
    client.says(hashed(BODY, BODY))
    assert rig.target.heard.endswith(b"\r\n\r\n" + BODY)
    rig.target.says(ok())
    assert answers(client, b"PUT", b"PUT")[1].status == 200


def test_a_head_waits_for_the_first_byte_of_its_body() -> None:
    """Some targets take a head that ends there for an empty object."""
    rig, client = started()
    client.says(PUT[:-10])
    assert rig.target.heard == b""
    client.leaves()
    assert rig.target.heard == b""
    rig, client = started()
    client.says(PUT[:-10])
    client.says(BODY[:1])
    assert rig.target.heard.endswith(b"\r\n\r\n0")
    client.leaves()
    assert rig.target.reset


def test_an_empty_body_with_another_digest_goes_nowhere() -> None:
    rig, client = started()
    client.says(hashed(b"", b"other"))
    assert one(client, b"PUT").code == "XAmzContentSHA256Mismatch"
    assert rig.targets == []
    client.says(hashed(b"", b""))
    assert len(rig.targets) == 1


def test_a_target_that_verifies_digests_gets_the_body_as_it_comes() -> None:
    rig, client = started()
    client.says(hashed(BODY, b"other", path="/b-b/k"))
    assert rig.target.heard.endswith(BODY)
