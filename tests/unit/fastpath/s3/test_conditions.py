"""`fastpath.s3.conditions`: the table of RFC 9110 section 13.2.2, as S3 has it."""

from __future__ import annotations

import itertools

import pytest

from fastpath.s3.conditions import has_tag, if_range_holds, read_conditions

TAG = b'"abc"'
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = b"Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = b"Sun, 06 Nov 1994 08:49:38 GMT"
FOUND = {b"etag": TAG, b"last-modified": DATE, b"content-type": b"a/b"}


def judged(**conditions: bytes) -> int:
    fields = {name.replace("_", "-").encode(): value for name, value in conditions.items()}
    read = read_conditions(fields)
    error = read.check(FOUND) if read is not None else None
    return error.kind.status if error is not None else 200


def test_no_condition_is_none() -> None:
    assert read_conditions({b"range": b"bytes=0-"}) is None


def test_every_combination() -> None:
    """The reference is the section's own list of steps, written again."""
    choices = {
        "if_match": (None, TAG, b'"other"', b"*"),
        "if_unmodified_since": (None, BEFORE, DATE, AFTER, b"no date"),
        "if_none_match": (None, TAG, b'"other"', b"*"),
        "if_modified_since": (None, BEFORE, DATE, AFTER, b"no date"),
    }
    for match, unmodified, none_match, modified in itertools.product(*choices.values()):
        values = (match, unmodified, none_match, modified)
        sent = {name: value for name, value in zip(choices, values, strict=True) if value}
        expected = 200
        if (match == b'"other"') or (match is None and unmodified == BEFORE):
            expected = 412
        elif none_match in (TAG, b"*") or (none_match is None and modified in (DATE, AFTER)):
            expected = 304
        assert judged(**sent) == expected, sent


@pytest.mark.parametrize(
    ("wanted", "strong", "weak"),
    [
        (b'"abc"', True, True),
        (b"abc", True, True),  # S3 takes it without quotes
        (b'W/"abc"', False, True),
        (b'"x", "abc"', True, True),
        (b'"x","y" ,  "abc" ', True, True),
        (b'"abc,x"', False, False),
        (b'"x,abc"', False, False),
        (b'"ABC"', False, False),
        (b"*", True, True),
        (b'""', False, False),
        (b"", False, False),
        (b'"abc', False, False),
    ],
)
def test_lists_of_tags(wanted: bytes, strong: bool, weak: bool) -> None:
    assert has_tag(wanted, TAG, strong=True) is strong
    assert has_tag(wanted, TAG, strong=False) is weak


def test_what_is_said_of_an_object_that_is_not_sent() -> None:
    conditions = read_conditions({b"if-none-match": b"*"})
    assert conditions is not None
    error = conditions.check(FOUND)
    assert error is not None
    assert error.fields == ((b"etag", TAG), (b"last-modified", DATE))


@pytest.mark.parametrize(
    ("condition", "stands"),
    [
        (TAG, True),
        (b'"other"', False),
        (b'W/"abc"', False),
        (b"*", False),
        (DATE, True),
        (BEFORE, False),
        (AFTER, False),
        (b"Sun, 99 Nov 1994 08:49:38 GMT", False),
    ],
)
def test_if_range(condition: bytes, stands: bool) -> None:
    assert if_range_holds(condition, FOUND) is stands


@pytest.mark.parametrize("date", [b":", b"Sun, 06 Nov 99999 08:49:37 GMT", b"\xff:", b":" * 5000])
def test_a_date_that_is_none_is_no_condition(date: bytes) -> None:
    assert judged(if_modified_since=date) == 200
    assert judged(if_unmodified_since=date) == 200
