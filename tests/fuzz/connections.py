"""Owns the harnesses of whole connections: bytes of a client, and bytes of a target.

Rules: on the rig, so that the gateway's side is the real code; AssertionError for a defect that the
worker wrote into its log instead of dying of it.
"""

from __future__ import annotations

from tests.doubles.http1 import get, ok
from tests.doubles.wire import Peer, Rig


def client(data: bytes) -> None:
    """A client says this in two pieces, every target answers 200, the client leaves."""
    rig = Rig()
    peer = rig.connect()
    half = len(data) // 2
    for piece in (data[:half], data[half:]):
        if piece and not peer.ended:
            peer.says(piece)
        _answer_all(rig)
    _end(rig, peer)


def target(data: bytes) -> None:
    """A target answers a GET with this in two pieces, and leaves."""
    rig = Rig()
    peer = rig.connect()
    peer.says(get("/b-b/key"))
    upstream, half = rig.target, len(data) // 2
    for piece in (data[:half], data[half:]):
        if piece and not upstream.ended:
            upstream.says(piece)
    if not upstream.ended:
        upstream.leaves()
    _end(rig, peer)


def _answer_all(rig: Rig) -> None:
    for one in rig.targets:
        if one.heard and not one.ended:
            one.take()
            one.says(ok())


def _end(rig: Rig, peer: Peer) -> None:
    if not peer.ended:
        peer.leaves()
    rig.settle()
    assert rig.defects == []
