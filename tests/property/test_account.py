"""Requests of all clients = lines in the access log = counters, whatever goes wrong and when."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpath.ipc.counters import Slot
from tests.doubles.play import PLAY, Play, worlds
from tests.property.depth import DEPTH


@settings(max_examples=60 * DEPTH, deadline=None)
@given(st.sampled_from([*worlds()]), PLAY, st.sampled_from(["waits", "leaves", "cut"]))
def test_every_request_is_counted_once_and_told_once(
    world: str, steps: list[tuple[str, object, str]], end: str
) -> None:
    """A7: started = finished + cut = lines, at any time but for those in flight."""
    play = Play(world)
    for step in steps:
        play.step(*step)
        play.check(at_rest=False)
    if end == "waits":
        play.rig.pass_time(400)
    if end == "leaves":
        for client in play.clients:
            client.ends("leaves")
    play.rig.worker.drain()
    play.rig.worker.cut()
    play.rig.settle()
    play.check(at_rest=True)
    assert play.rig.count(Slot.CONNECTIONS) == 0
