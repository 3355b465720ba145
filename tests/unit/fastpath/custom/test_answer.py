"""What a router is asked, and what its answers mean."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.custom.answer import Answer, Question, RouterFailed, read_answer
from fastpath.errors import S3Error
from fastpath.routing.rewrite import Rewrite
from fastpath.s3.addressing import checked_key, is_bucket

TARGETS = frozenset(("s3", "lakefs", "archive"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("s3", Answer(("s3",))),
        (["lakefs", "s3"], Answer(("lakefs", "s3"))),
        (["s3", "lakefs", "s3"], Answer(("s3", "lakefs"))),
        ({"target": "s3"}, Answer(("s3",))),
        ({"target": "s3", "bucket": None, "key_prefix": None}, Answer(("s3",))),
        ({"target": "s3", "bucket": "other"}, Answer(("s3",), Rewrite(bucket=b"other"))),
        (
            {"target": "lakefs", "bucket": "repo", "key_prefix": "main/ä/"},
            Answer(("lakefs",), Rewrite(b"repo", "main/ä/".encode())),
        ),
    ],
)
def test_an_answer_is_read(value: object, expected: Answer | None) -> None:
    assert read_answer(value, TARGETS) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("S3", "it returned 'S3', which is no target: there are archive, lakefs, s3"),
        ("", "which is no target"),
        (["s3", "s4"], "'s4', which is no target"),
        ([], "empty list: return None"),
        ([["s3"]], "where a target's name belongs"),
        (["s3", None], "None where a target's name belongs"),
        (7, "it returned 7: return a target's name, a list of names, a mapping or None"),
        (True, "it returned True"),
        ({}, "a mapping without target"),
        ({"target": None}, "None where a target's name belongs"),
        ({"target": ["s3"]}, "where a target's name belongs"),
        ({"target": "s3", "prefix": "a"}, "'prefix': known are target, bucket, key_prefix"),
        ({"target": "s3", "bucket": "a/b"}, "which no bucket can be called"),
        ({"target": "s3", "bucket": "../a"}, "which no bucket can be called"),
        ({"target": "s3", "bucket": ""}, "which no bucket can be called"),
        ({"target": "s3", "bucket": 5}, "which no bucket can be called"),
        ({"target": "s3", "key_prefix": 5}, "which is no text"),
        ({"target": "s3", "key_prefix": "a/../"}, "no part may be . or .."),
        ({"target": "s3", "key_prefix": ".."}, "no part may be . or .."),
        ({"target": "s3", "key_prefix": "a/."}, "no part may be . or .."),
        ({"target": "s3", "key_prefix": "a\n"}, "not printable"),
        ({"target": "s3", "key_prefix": "\ud800"}, "not UTF-8"),
        ({"target": "s3", "key_prefix": "a" * 1025}, "1025 bytes: 1024 at most"),
    ],
)
def test_anything_else_is_a_failure_that_says_so(value: object, reason: str) -> None:
    with pytest.raises(RouterFailed, match=re.escape(reason)):
        read_answer(value, TARGETS)


def test_a_deep_value_is_a_failure_too() -> None:
    value: object = None
    for _ in range(200_000):  # 5,000 are not too many for every Python
        value = [value]
    with pytest.raises(RouterFailed, match="a value of too many levels"):
        read_answer(value, TARGETS)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(RouterFailed) as failure:
        read_answer("x" * 100000, TARGETS)
    assert len(str(failure.value)) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(sorted(TARGETS)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["target", "bucket", "key_prefix", "x"]), inner)
    ),
    max_leaves=6,
)


@given(JSON)
def test_no_answer_leads_to_another_store(value: Any) -> None:
    try:
        answer = read_answer(value, TARGETS)
    except RouterFailed:
        return
    if answer is None:
        assert value is None
        return
    assert answer.targets
    assert set(answer.targets) <= TARGETS
    said = json.dumps(value)
    assert all(f'"{name}"' in said for name in answer.targets)
    assert answer.rewrite is None or not answer.rewrite.bucket or is_bucket(answer.rewrite.bucket)


PART = st.sampled_from(["", ".", "..", "a", "..a", "%2e%2e", "\\"])


@given(st.lists(PART, max_size=4).map("/".join), st.lists(PART, max_size=5).map("/".join))
def test_no_key_climbs_out_by_a_prefix(prefix: str, key: str) -> None:
    """What a client may name stays below its bucket with the prefix before it."""
    try:
        answer = read_answer({"target": "s3", "key_prefix": prefix}, TARGETS)
        checked_key(key.encode())
    except (RouterFailed, S3Error):
        return
    assert answer is not None
    if answer.rewrite is not None:
        checked_key(answer.rewrite.key_up(key.encode()))


def test_what_the_client_did_not_say_is_left_out() -> None:
    asked = Question(b"b", b"GET", None, b"", b"k", "", "GetObject")
    assert asked.as_arguments() == [
        "b",
        "GET",
        {"key": "k", "identity": "", "s3_operation": "GetObject"},
    ]


def test_everything_else_is_text_and_numbers() -> None:
    asked = Question(
        b"b",
        b"PUT",
        0,
        b"image/png",
        "ä/\udcff".encode(errors="surrogateescape"),
        "me",
        "PutObject",
    )
    bucket, method, metadata = json.loads(json.dumps(asked.as_arguments()))
    assert (bucket, method) == ("b", "PUT")
    assert metadata == {
        "key": "ä/\udcff",
        "identity": "me",
        "s3_operation": "PutObject",
        "content_length": 0,
        "content_type": "image/png",
    }
