"""What the log says of guessed tokens."""

from __future__ import annotations

from gateway.admin.wrong_tokens import TOLD_AGAIN_SECONDS, WrongTokens


def test_the_first_is_told_at_once_and_the_others_by_the_minute() -> None:
    now = 1000.0
    lines: list[str] = []
    wrong = WrongTokens(lines.append, lambda: now)
    for _ in range(100):
        wrong.count("10.0.0.1")
    assert lines == ["the admin plane got a wrong token from 10.0.0.1"]
    now += TOLD_AGAIN_SECONDS
    wrong.count("10.0.0.2")
    wrong.count("10.0.0.2")
    assert lines[1:] == ["the admin plane got 100 wrong tokens, the last one from 10.0.0.2"]
