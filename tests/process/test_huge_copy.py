"""A large copy between two targets through one worker: every byte, in little memory."""

from __future__ import annotations

import zlib

import pytest

from tests.doubles.vast_copies import pieces
from tests.process import huge_copy


def test_200_mib_between_two_targets(capsys: pytest.CaptureFixture[str]) -> None:
    assert huge_copy.main(200) == 0
    assert capsys.readouterr().out.startswith("copy of 200 MiB: ")


@pytest.mark.parametrize(("first", "end"), [(0, 0), (0, 1), (5, 3 << 20), (1 << 20, 2 << 20)])
def test_a_range_has_the_bytes_of_the_whole(first: int, end: int) -> None:
    size = (3 << 20) + 5
    whole = b"".join(bytes(piece) for piece in pieces(size, 0, size))
    assert len(whole) == size
    assert zlib.crc32(b"".join(map(bytes, pieces(size, first, end)))) == zlib.crc32(
        whole[first:end]
    )
