"""A request whose address at the target is another than the client's: who sees which."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from fastpath.dialects import translate
from fastpath.dialects.translation import ClientRequest
from fastpath.errors import S3Error
from fastpath.exchange.exchange import Exchange
from fastpath.exchange.preparation import find_region
from fastpath.http.head import parse_request_head, parse_response_head
from fastpath.limits import Limits
from fastpath.request.admitted import Admitted
from fastpath.request.upstream_head import upstream_head
from fastpath.response.filters import HeadChange
from fastpath.routing.snapshot import Snapshot, load_snapshot
from fastpath.s3.addressing import Address
from tests.doubles import forms
from tests.doubles.admitted import admitted_of
from tests.doubles.authority import CA_PEM
from tests.doubles.http1 import get, ok, read_answers
from tests.doubles.wire import Peer, Rig, document

CLIENTS = Address(b"b-b", b"k", True, b"/b-b/k")
TARGETS = Address(b"there", b"main/x", True, b"/there/main/x")


def two(raw: bytes, snapshot: Snapshot) -> Admitted:
    admitted = admitted_of(parse_request_head(raw, Limits()), snapshot)
    assert admitted.address == CLIENTS
    return replace(admitted, upstream_address=TARGETS)


@pytest.mark.parametrize(
    ("virtual", "host", "path"),
    [(False, b"first.test:9000", b"/there/main/x"), (True, b"there.first.test:9000", b"/main/x")],
)
def test_the_head_that_goes_up_names_the_targets(virtual: bool, host: bytes, path: bytes) -> None:
    raw = get("/b-b/k")
    admitted = two(raw, load_snapshot(1, document(virtual=virtual)))
    head = parse_request_head(raw, Limits())
    sent = parse_request_head(upstream_head(raw, head, admitted, b"rig", time.time()), Limits())
    assert (sent.path, sent.fields[b"host"]) == (path, host)


def exchange_of(rig: Rig) -> Exchange:
    (connection,) = rig.worker.connections
    assert connection.exchange is not None
    return connection.exchange


def sent_again(**changes: Any) -> tuple[Rig, Peer]:
    """A request that goes up a second time, now to another address."""
    rig = Rig(**changes)
    client = rig.connect()
    client.says(get("/b-b/k"))
    rig.target.says(ok())
    client.take()
    client.says(get("/b-b/k"))
    exchange = exchange_of(rig)
    exchange.admitted = replace(exchange.admitted, upstream_address=TARGETS)
    rig.target.leaves()  # its kept connection was stale
    return rig, client


def test_the_name_that_the_target_must_prove_has_the_targets() -> None:
    targets = document(virtual=True)["targets"]
    tls = {"verify": True, "ca_pem": CA_PEM, "cert_pem": None, "key_pem": None}
    targets[0]["tls"] = {**tls, "server_name": "first.test"}
    rig, _ = sent_again(targets=targets)
    assert rig.loop.names == ["b-b.first.test", "there.first.test"]


def test_an_upload_asks_for_the_region_of_the_targets() -> None:
    rig = Rig()
    rig.connect().says(get("/b-b/k"))
    exchange = exchange_of(rig)
    exchange.admitted = replace(exchange.admitted, upstream_address=TARGETS)
    rig.loop.create_task(find_region(exchange, rig.worker))
    rig.settle()
    assert rig.target.heard.startswith(b"HEAD /there HTTP/1.1\r\n")


def test_the_access_line_names_the_clients() -> None:
    rig, client = sent_again()
    assert rig.target.heard.startswith(b"GET /there/main/x HTTP/1.1\r\n")
    rig.target.says(ok(b"body"))
    assert client.heard.endswith(b"body")
    assert [(line["bucket"], line["key"]) for line in rig.lines("access")] == [("b-b", "k")] * 2


def test_the_answer_to_a_form_names_the_clients() -> None:
    rig = Rig(mode="open")
    client = rig.connect()
    client.says(forms.request(forms.body({"key": "k", "success_action_status": "201"}, b"file")))
    form = exchange_of(rig)._form
    assert form is not None
    form.admitted = replace(form.admitted, upstream_address=TARGETS)
    rig.target.says(ok(b"", 'ETag: "abc"'))
    (answer,) = read_answers(client.heard, [b"POST"])
    assert answer.status == 201
    assert answer.fields["location"] == "http://s3.test/b-b/k"
    assert b"<Bucket>b-b</Bucket><Key>k</Key>" in answer.body


def asked(operation: str, key: bytes = b"k", path: bytes = b"") -> ClientRequest:
    target = Address(b"there", path, True, b"/there/" + path)
    fields = {b"host": b"s3.test"}
    return ClientRequest(operation, b"b-b", key, target, (), fields, sent=b"/b-b/" + key)


def test_a_location_names_the_clients() -> None:
    raw = b"HTTP/1.1 200 OK\r\nLocation: http://there.target.test/\r\n\r\n"
    change = translate(None, asked("CreateBucket", b"")).answer(parse_response_head(raw))
    assert isinstance(change, HeadChange)
    assert list(change.add) == [(b"Location", b"http://s3.test/b-b/")]


def test_a_dialect_checks_and_asks_for_the_targets_and_shows_the_clients() -> None:
    tags = translate("lakefs", asked("GetObjectTagging", b"k", b"main/x"))
    assert tags.first_question is not None
    assert tags.first_question.path == b"/there/main/x"
    with pytest.raises(S3Error) as caught:
        translate("lakefs", asked("GetObject", b"main/k", b"no-branch"))
    assert ("Key", "main/k") in caught.value.extras
