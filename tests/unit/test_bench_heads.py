"""`loadtest.bench.heads`: what it counts are requests that are served."""

from __future__ import annotations

import pytest

from loadtest.bench.heads import KINDS, Kind, play, requests_of


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_answered_as_its_target_answers(kind: Kind) -> None:
    heard = b"".join(play(kind, 3, requests_of(kind, 2)))
    assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
    assert heard.partition(b"\r\n\r\n")[2] == kind.answer.partition(b"\r\n\r\n")[2]


def test_no_request_is_like_another() -> None:
    for kind in KINDS:
        assert len(set(requests_of(kind, 8))) == 8
