"""A client on the rig, and what the tests of its connection ask of it."""

from __future__ import annotations

from tests.doubles.http1 import Answer, put, read_answers
from tests.doubles.wire import Peer, Rig

BODY = b"0123456789"
PUT = put("/b-b/k", BODY)


def started(**options: object) -> tuple[Rig, Peer]:
    rig = Rig(**options)
    return rig, rig.connect()


def answers(client: Peer, *methods: bytes) -> list[Answer]:
    return read_answers(client.heard, methods, ended=client.ended)


def one(client: Peer, method: bytes = b"GET") -> Answer:
    (answer,) = answers(client, method)
    return answer
