"""Encodes and decodes what workers and the router process say to each other.

    0        4
    +--------+------------- ... -+
    | length | JSON (length bytes) |
    | u32 BE |                     |
    +--------+------------- ... -+

    router   {"cache_seconds": number or null}                 once, first
    worker   [[number, until, bucket, method, metadata], ...]  questions, as many as there are
    router   [[number, true, answer], [number, false, reason], ...]

Rules: `until` is CLOCK_MONOTONIC, which all processes of a machine share: nobody waits for the
answer afterwards; answers come in any order; a peer that sends a message larger than MAX_MESSAGE is
broken.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

_LENGTH: Final = struct.Struct("!I")

# 1,024 questions with a key of 1,024 bytes, each of which may take six as JSON, are 8 MiB.
MAX_MESSAGE: Final = 16 << 20


class MessageFault(Exception):
    """The peer sent something that is no message."""


def encode(message: object) -> bytes:
    """Returns the bytes of one message. Raises ValueError on what JSON does not have."""
    text = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    return _LENGTH.pack(len(text)) + text


class MessageReader:
    """Splits a byte stream into messages; keeps an incomplete one for the next call."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Returns the messages that `data` completes. Raises MessageFault on what is none."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_MESSAGE:
                raise MessageFault(f"a message of {length} bytes")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            text = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            try:
                messages.append(json.loads(text))
            except (ValueError, RecursionError):
                raise MessageFault("a message that is no JSON") from None
        return messages
