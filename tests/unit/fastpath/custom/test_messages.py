"""What workers and the router process say to each other."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.custom.messages import MAX_MESSAGE, MessageFault, MessageReader, encode

MESSAGES = st.lists(st.lists(st.none() | st.booleans() | st.integers() | st.text()), max_size=4)


@given(MESSAGES, st.data())
def test_messages_are_read_wherever_they_are_cut(messages: list[Any], data: Any) -> None:
    raw = b"".join(map(encode, messages))
    reader, found = MessageReader(), []
    while raw:
        size = data.draw(st.integers(1, len(raw)))
        found += reader.feed(raw[:size])
        raw = raw[size:]
    assert found == messages


def test_one_that_is_too_long_is_none() -> None:
    with pytest.raises(MessageFault, match=str(MAX_MESSAGE + 1)):
        MessageReader().feed(struct.pack("!I", MAX_MESSAGE + 1))


def test_what_is_no_json_is_none() -> None:
    with pytest.raises(MessageFault, match="no JSON"):
        MessageReader().feed(struct.pack("!I", 1) + b"{")


def test_what_json_does_not_have_is_not_sent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode([float("nan")])
