"""What a router prints, as lines of the log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.supervisor.printed_lines import MAX_BYTES, MAX_LINES, PrintedLines


def test_lines_are_shown_when_they_end() -> None:
    printed = PrintedLines()
    assert printed.feed(b"one\ntw", 1.0) == ["one"]
    assert printed.feed(b"o\n\n  \nthree", 1.1) == ["two"]
    assert printed.finish() == ["three"]
    assert printed.finish() == []


def test_more_lines_than_a_second_may_have_are_counted() -> None:
    printed = PrintedLines()
    assert len(printed.feed(b"line\n" * (MAX_LINES + 3), 1.0)) == MAX_LINES
    assert printed.feed(b"line\n", 1.9) == []
    assert printed.feed(b"next\n", 2.0) == ["(4 more lines were not shown)", "next"]
    assert printed.feed(b"line\n" * MAX_LINES, 2.1) == ["line"] * (MAX_LINES - 1)
    assert printed.finish() == ["(1 more lines were not shown)"]


def test_what_is_no_text_is_shown_as_such() -> None:
    assert PrintedLines().feed(b"a\x1b[31m\xffb\r\n", 1.0) == ["a?[31m\ufffdb"]


@given(st.lists(st.binary(max_size=2000) | st.just(b"x" * 5000), max_size=20))
def test_no_line_is_long_and_nothing_is_kept(pieces: list[bytes]) -> None:
    printed = PrintedLines()
    shown = [line for piece in pieces for line in printed.feed(piece, 1.0)]
    assert len(shown) <= MAX_LINES
    assert all(0 < len(line) <= MAX_BYTES for line in shown)
    assert len(printed._left) <= MAX_BYTES
