"""A large object through one worker: every byte, and no more memory than for a small one."""

from __future__ import annotations

import socket
import threading
import zlib

import pytest

from tests.doubles.vast import BLOCK, Tally, blocks, send
from tests.process import huge


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_gibibyte_up_and_down(capsys: pytest.CaptureFixture[str]) -> None:
    assert huge.main(1) == 0
    assert capsys.readouterr().out.startswith("1 GiB: PUT ")


def test_no_block_is_like_another() -> None:
    found = [zlib.crc32(block) for block in blocks(3 * BLOCK + 5)]
    assert len(set(found)) == len(found) == 4


@pytest.mark.parametrize("size", [0, 1, BLOCK, 2 * BLOCK + 1])
def test_both_ends_count_the_same(size: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        received, sent = Tally(), []
        sender = threading.Thread(target=lambda: sent.append(send(ours, size)))
        sender.start()
        received.receive(theirs, size)
        sender.join(10)
    assert (received.bytes, received.sum) == (size, sent[0].sum)
