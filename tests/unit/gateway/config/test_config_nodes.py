"""`gateway.config.yaml_tree`: YAML text to located trees."""

from __future__ import annotations

import itertools
import re

import pytest

from gateway.config.problems import Place, Problems
from gateway.config.yaml_tree import MAX_NODES, Scalar, Tree, read_documents


def read(text: str) -> tuple[Tree, list[str]]:
    problems = Problems()
    documents = read_documents(text, "f", problems)
    lines = [problem.format() for problem in problems.sorted()]
    return (documents[0] if documents else Tree()), lines


@pytest.mark.parametrize(
    "word", ["on", "off", "yes", "no", "true", "12", "0x1F", "1e3", "2024-01-01"]
)
def test_a_scalar_stays_the_text_that_was_written(word: str) -> None:
    tree, lines = read(f"a: {word}")
    assert tree.data == {"a": word}
    assert lines == []


@pytest.mark.parametrize("word", ["", "~", "null", "Null", "NULL"])
def test_only_a_plain_null_is_nothing(word: str) -> None:
    assert read(f"a: {word}")[0].data == {"a": None}
    assert read(f'a: "{word}"')[0].data == {"a": word}


def test_knows_whether_a_scalar_was_quoted() -> None:
    values = read("a: x\nb: 'x'\nc: \"x\"\nd: |\n  x\n")[0].data.values()
    assert [value.plain for value in values if isinstance(value, Scalar)] == [
        True,
        False,
        False,
        False,
    ]


def test_places_are_of_the_value_the_key_or_the_nearest_parent() -> None:
    tree, _ = read("# é\nä: {b: [1, ü: 2]}\n")
    assert tree.place(("ä",)) == Place("f", 2, 4)
    assert tree.place(("ä", "b", 1, "ü")) == Place("f", 2, 15)
    assert tree.place(("ä", "b", 1, "ü"), key=True) == Place("f", 2, 12)
    assert tree.place(("ä", "missing")) == Place("f", 2, 1)
    assert tree.place(("missing",)) is None


def test_windows_line_ends_and_a_byte_order_mark_do_not_shift_places(desk) -> None:
    desk.file.write_bytes(b"\xef\xbb\xbfrouter:\r\n  workers: x\r\n")
    loaded = desk.load(None, config=str(desk.file))
    assert loaded.problems[-1].place[1:] == (2, 12)


def test_anchors_unfold_and_merge_keys_yield_to_what_is_written() -> None:
    tree, lines = read("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\nc: {<<: [{m: 5}, *x, {m: 6}]}\n")
    assert lines == []
    assert tree.data["b"] == {"k": "1", "l": "3"}
    assert tree.data["c"] == {"m": "5", "k": "1", "l": "2"}
    assert tree.place(("b", "k")) == Place("f", 1, 11)
    assert tree.place(("b", "l")) == Place("f", 2, 16)


def test_a_billion_laughs_end_early() -> None:
    rows = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    for before, name in itertools.pairwise("abcdefgh"):
        rows.append(f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]")
    _, lines = read("\n".join(rows))
    assert len(lines) == 1
    assert f"more than {MAX_NODES} values" in lines[0]


def test_a_hundred_brackets_are_told_where_they_are_too_many() -> None:
    assert read("a: " + "[" * 100)[1] == ["f:1:67: syntax: nested deeper than 64 levels"]


def test_a_hundred_thousand_brackets_end_early() -> None:
    (line,) = read("a: " + "[" * 100_000)[1]
    assert re.fullmatch("f:1:[0-9]{2,4}: syntax: nested deeper than 64 levels", line)


def test_a_syntax_error_shows_nothing_of_the_text() -> None:
    for text in ("k: *hidden", "k: !hidden x", 'k: "\\hidden"', "k: &hidden &hidden x", "%hidden"):
        _, lines = read(text)
        assert lines
        assert "hidden" not in "".join(lines)
