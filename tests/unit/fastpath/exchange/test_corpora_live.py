"""Replays both corpora against live connections on the rig: whole, cut in a few places, by bytes.

Rules: however the bytes come, the answers, what goes up and the end of the connection are the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from fastpath.s3.operations import BODY_METHODS
from tests.corpus import request_cases, signatures
from tests.corpus.request_cases import Case
from tests.doubles.http1 import ok, read_answers, read_requests
from tests.doubles.uploads import sealed
from tests.doubles.wire import Peer, Rig

GIANT = 4096  # bytes; giants do not come one by one


@dataclass
class Outcome:
    """What came of a stream of bytes."""

    answers: list[tuple[int, str, str | None]] = field(default_factory=list)
    forwarded: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)
    ended: bool = False
    lingers: bool = False  # it was not slammed shut


def replay(rig: Rig, pieces: list[bytes], *, wait: bool = False) -> Outcome:
    """One client says the pieces; the target answers 200 to every whole request."""
    outcome = Outcome()
    client = rig.connect()
    for piece in pieces:
        client.says(piece)
        for target in rig.targets:
            serve(target, outcome)
    if wait:
        rig.pass_time(rig.worker.snapshot.limits.head_seconds + 1)
    refused = b"".join(pieces).split(b" ")[0] if not outcome.forwarded else b"GET"
    methods = [one[0] for one in outcome.forwarded] + [refused] * 3
    found = read_answers(client.heard, methods[: client.heard.count(b"HTTP/1.1 ")])
    assert all(answer.whole for answer in found)
    outcome.answers = [
        (answer.status, answer.code, answer.fields.get("connection"))
        for answer in found
        if answer.status != 100
    ]
    outcome.ended = client.ended
    outcome.lingers = not client.transport.is_closing()
    client.leaves()
    rig.targets = [target for target in rig.targets if not target.transport.ended]
    assert not rig.loop.faults
    return outcome


def serve(target: Peer, outcome: Outcome) -> None:
    while requests := read_requests(target.heard):
        head, body = requests[0]
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        if len(body) < int(length or b"0"):
            return
        target.take()
        method, path, _ = head.split(b" ", 2)
        outcome.forwarded.append((method, path, body))
        target.says(ok())


def cuts(raw: bytes) -> Iterator[int]:
    """A few places everywhere, and where a head ends: the readers alone have seen the others."""
    ends = [at for at in (raw.find(b"\r\n\r\n") + 2, raw.rfind(b"\r\n\r\n") + 4) if at > 3]
    yield from sorted({*range(1, len(raw), 1 + len(raw) // 6), *ends, len(raw) - 1})


def cases() -> list[Case]:
    """All but the form, which goes up as another request, and the preflight, which does not."""
    return [
        case
        for case in request_cases.cases()
        if all(one.operation not in ("PostObject", "Preflight") for one in case.requests)
    ]


def open_rig() -> Rig:
    """One target serves, so that it answers a ListBuckets too."""
    return Rig(rules=(), domains=[domain.decode() for domain in request_cases.DOMAINS])


def check(case: Case, outcome: Outcome) -> None:
    """Against what the corpus says; an upload id goes up behind the other parameters."""
    fault = case.fault
    expected = len(case.requests) + (fault is not None)
    assert len(outcome.answers) == expected
    assert len(outcome.forwarded) == len(case.requests)
    for request, (method, path, body) in zip(case.requests, outcome.forwarded, strict=True):
        assert method == request.method
        assert len(body) == (request.length if method in BODY_METHODS else 0)
        raw_path, _, query = path.partition(b"?")
        wanted = request.query
        if wanted is not None and b"uploadId=" in wanted:
            assert sorted(query.split(b"&")) == sorted(wanted.split(b"&"))
        else:
            assert wanted in (None, query) or b"X-Amz-" in (wanted or b"")
        assert (request.address_path or request.path) in (None, raw_path)
    for status, _, _ in outcome.answers[: len(case.requests)]:
        assert status == 200
    if fault is not None:
        status, code, connection = outcome.answers[-1]
        assert status == fault.status
        assert code in (fault.code, "")  # HEAD has no body
        assert (connection == "close") == outcome.ended
        assert outcome.lingers
        assert not fault.closes or outcome.ended
    elif case.requests[-1].keep_alive is not None:
        assert outcome.ended is not case.requests[-1].keep_alive


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_raw_requests_however_they_come(case: Case) -> None:
    rig = open_rig()
    raw = case.raw_with(sealed(request_cases.UPLOAD_ID.decode(), "bucket", "key"))
    waits = case.fault is not None and case.fault.waits
    whole = replay(rig, [raw], wait=waits)
    check(case, whole)
    for cut in cuts(raw):
        outcome = replay(rig, [raw[:cut], raw[cut:]], wait=waits)
        assert outcome == whole, cut
    if len(raw) < GIANT:
        pieces = [raw[at : at + 1] for at in range(len(raw))]
        assert replay(rig, pieces, wait=waits) == whole
    assert not rig.defects


SIGNED = [case for case in signatures.cases() if case.recipe.method != "HEAD"]


def signed_rig() -> Rig:
    known = {
        "name": "corpus",
        "keys": [
            {"access_key_id": signatures.ACCESS_KEY_ID, "secret_access_key": signatures.SECRET}
        ],
        "targets": None,
        "allow": None,
        "credentials": {},
        "show_decisions": False,
    }
    return Rig(mode="sigv4", sigv2="off", identities=[known], rules=())


@pytest.mark.parametrize("case", SIGNED, ids=lambda case: case.name)
def test_signatures_however_they_come(case: signatures.Case) -> None:
    rendered = case.render("gateway.test:8080", time.time())
    raw, expected = rendered.raw, rendered.expected
    rig = signed_rig()
    whole = replay(rig, [raw])
    ((status, code, _),) = whole.answers
    if expected.accepted:
        assert len(whole.forwarded) == 1
        assert signatures.ACCESS_KEY_ID.encode() not in whole.forwarded[0][1]
    else:
        assert (status, code) == (expected.status, expected.code)
        assert whole.forwarded == []
    assert replay(rig, [raw[: len(raw) // 2], raw[len(raw) // 2 :]]) == whole
    assert not rig.defects
