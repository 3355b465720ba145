"""What the load tests send, signed before it is needed, is what a real gateway takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from loadtest.load import aim, calls, decisions, filling
from loadtest.load.signing import Call, sign
from tests.doubles.target import Target
from tests.process.harness import Gateway, open_config

KEYS = ("AKIDLOAD", "load-secret")


@pytest.fixture(scope="module")
def store() -> Iterator[Target]:
    with Target() as target:
        yield target


@pytest.fixture(scope="module")
def gateway(store: Target) -> Iterator[Gateway]:
    client = {"name": "load", "access_key_id": KEYS[0], "secret_access_key": KEYS[1]}
    rules = [{"pattern": "load-*", "target": "main"}]
    configuration = {
        **open_config(store.url),
        "auth": {"identities": [client]},
        "routing": {"rules": rules, "default_target": "main"},
    }
    with Gateway.start(configuration, admin="127.0.0.1:0") as started:
        yield started


@pytest.fixture
def place(gateway: Gateway) -> aim.Place:
    return aim.Place(gateway.url, *KEYS)


@pytest.fixture
def admin(gateway: Gateway) -> str:
    return gateway.wait_for_log(r"admin plane on (http://[^\s\"]+)")[1].rstrip("/")


def test_objects_are_put_and_every_request_of_a_scenario_is_taken(
    place: aim.Place, store: Target
) -> None:
    """PUT, GET, HEAD, keys and lists: a signature that is wrong would be 403."""
    buckets = aim.Buckets()
    put = calls.objects(buckets, "small")
    assert filling.fill(place, put) == len(put)
    way = aim.Aim("gateway", place)
    connection = filling.connect(place)
    asked = calls.of("small", way) + calls.of("listing", way)[:3]
    for call in asked:
        status, body = filling.send(connection, sign(call, way.of(call.bucket)))
        assert status != 403, body
        if call.method == "GET" and call.expected_bytes is not None:
            assert (status, len(body)) == (200, call.expected_bytes)
    connection.close()
    assert "authorization" in store.requests[-1].headers


def test_another_request_than_was_signed_is_refused(place: aim.Place) -> None:
    """So the requests above were taken for their signatures."""
    signed = sign(Call("GET", "GET", "load-data", "loadtest/small/0000"), place)
    connection = filling.connect(place)
    other = replace(signed, url=signed.url.replace("0000", "0001"))
    assert filling.send(connection, other)[0] == 403
    connection.close()


def test_filling_ends_with_what_was_answered(place: aim.Place) -> None:
    wrong = replace(place, secret_access_key="wrong")
    with pytest.raises(filling.NotFilled, match=r"^PUT http://\S+: 403 SignatureDoesNotMatch$"):
        filling.fill(wrong, calls.objects(aim.Buckets(), "chain"))


def test_decisions_are_asked_of_the_admin_plane(admin: str) -> None:
    right = decisions.Expected("load-data", "PutObject", "main")
    assert decisions.ask(admin, right) is None
    said = decisions.ask(admin, replace(right, target="other"))
    assert said == "PutObject in load-data: to main instead of other"


def test_a_reload_makes_another_generation(admin: str, gateway: Gateway) -> None:
    before = decisions.applied(admin)
    changed = gateway.config_path.read_text().replace("load-*", "load-d*")
    gateway.reload(changed)
    assert decisions.applied(admin) > before


def test_an_admin_plane_that_does_not_answer_is_a_wrong_decision() -> None:
    one = decisions.Expected("load-data", "GetObject", "s3")
    said = decisions.ask("http://127.0.0.1:1", one)
    assert said is not None
    assert said.startswith("GetObject in load-data: ")
