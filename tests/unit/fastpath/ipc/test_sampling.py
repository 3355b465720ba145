"""Which access lines are left out: some of what went well, nothing else."""

from __future__ import annotations

import pytest

from fastpath.ipc.access_log import AccessLine
from fastpath.ipc.counters import Slot
from fastpath.ipc.sampling import Sampling
from tests.doubles.http1 import get, ok
from tests.doubles.wire import Rig

IDS = [f"4730A96E{number:08X}" for number in range(20_000)]


def line(
    request_id: str = IDS[0], status: int = 200, code: str = "", seconds: float | None = 0.01
) -> AccessLine:
    names = ("", "GET", "GetObject", "b", "k", "me", "t", 1)
    return AccessLine(0.0, request_id, *names, status, code, 0, 0, seconds, 1, 0)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.99])
def test_it_is_the_share_that_is_written(share: float) -> None:
    sampling = Sampling(share, 1.0)
    written = sum(not sampling.leaves_out(line(one)) for one in IDS) / len(IDS)
    assert abs(written - share) <= 0.02  # 20,000 throws: six standard deviations
    assert (written == 0) == (share == 0)


@pytest.mark.parametrize(
    "kept",
    [
        line(status=403, code="AccessDenied"),
        line(status=404),  # to a HEAD there is no document, hence no code
        line(status=500),
        line(status=0),
        line(code="ClientGone"),
        line(code="Cut"),
        line(seconds=1.0),
        line(seconds=None),
    ],
)
def test_what_is_always_written(kept: AccessLine) -> None:
    assert not Sampling(0.0, 1.0).leaves_out(kept)


@pytest.mark.parametrize("left", [line(), line(status=304), line(seconds=0.999)])
def test_what_is_not(left: AccessLine) -> None:
    assert Sampling(0.0, 1.0).leaves_out(left)


def test_a_request_and_its_calls_stay_together() -> None:
    sampling = Sampling(0.5, 1.0)
    for one in IDS[:100]:
        assert sampling.leaves_out(line(one)) == sampling.leaves_out(line(one, status=206))


def account(rig: Rig) -> tuple[int, int, int]:
    lines = len(rig.lines("access")) + len(rig.lines("call"))
    return rig.count(Slot.REQUESTS) + rig.count(Slot.CALLS), lines, rig.count(Slot.SAMPLED)


def test_what_is_left_out_is_counted() -> None:
    rig = Rig(log={"sample": 0, "slow_seconds": 60})
    client = rig.connect()
    for _ in range(3):
        client.says(get())
        rig.target.says(ok(b"hello"))
    client.says(get("/x"))
    assert account(rig) == (4, 1, 3)
    rig.install()
    client.says(get())
    rig.target.says(ok(b"hello"))
    assert account(rig) == (5, 2, 3)
