"""Encodes and decodes the messages between supervisor, control and workers: frames with a
length.

    0        4      5              13
    +--------+------+--------------+----------------- ... -+
    | length | type | generation   | payload (length bytes) |
    | u32 BE | u8   | u64 BE       |                        |
    +--------+------+--------------+----------------- ... -+

Rules: `length` counts the payload only; a peer that sends a frame larger than MAX_PAYLOAD is
broken; JSON payloads are UTF-8; the generation is 0 in a frame that concerns none.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

HEADER = struct.Struct("!IBQ")

MAX_PAYLOAD = 256 * 1024 * 1024  # bytes; 100,000 rules are about 30 MiB of JSON


class FrameType(IntEnum):
    """What a frame means, and who sends it to whom."""

    SNAPSHOT = 1  # supervisor -> worker: serve this from now on (JSON, `fastpath.routing.snapshot`)
    DRAIN = 2  # supervisor -> worker: finish and leave (JSON {"deadline_seconds": float})
    READY = 3  # worker -> supervisor: serving `generation`, as soon as it may
    ACK = 4  # worker -> supervisor: swapped to `generation`
    DRAINED = 5  # worker -> supervisor: about to exit (JSON {"cut": int})
    REJECTED = 6  # worker -> supervisor: could not compile `generation` (UTF-8 reason)
    BOOT = 16  # control -> supervisor: settings read once at start (JSON)
    PUBLISH = 17  # control -> supervisor: a compiled snapshot (JSON); the supervisor numbers it
    REFUSED = 18  # control -> supervisor: configuration unusable (UTF-8 text, already printed)
    CONFIGURATION = 19  # both ways: the text of the next PUBLISH; the one to go back to
    TARGETS = 20  # control -> supervisor: targets, identities of the next PUBLISH (JSON, names)
    ROUTER = 21  # control -> supervisor -> router: what to import (JSON, `gateway.router`)
    RELOAD = 32  # supervisor -> control: read the configuration again
    PUBLISHED = 33  # supervisor -> control: `generation` is acknowledged by every worker
    COUNTERS = 34  # supervisor -> control: the page of counters is made (JSON, its layout)
    NUMBERED = 35  # supervisor -> control: the first PUBLISH without a number is `generation`
    ACKNOWLEDGED = 36  # supervisor -> control: a worker serves `generation` (JSON {"worker": int})
    REJECTION = 37  # supervisor -> control: a REJECTED (JSON {"worker": int, "reason": str})
    SERVE = 38  # supervisor -> router, worker that waits: take connections; it is READY
    BEAT = 39  # router -> supervisor: its loop turns
    WANTED = 40  # control -> supervisor: what an operator wants (UTF-8: `reload` or `drain`)
    DRAINING = 41  # supervisor -> control: no new client is accepted any more


class Frame(NamedTuple):
    """One message."""

    type: FrameType
    generation: int
    payload: bytes


class FrameFault(Exception):
    """The peer sent something that is no frame."""


def encode(frame_type: FrameType, generation: int = 0, payload: bytes = b"") -> bytes:
    """Returns the bytes of one frame."""
    return HEADER.pack(len(payload), frame_type, generation) + payload


class FrameReader:
    """Splits a byte stream into frames; keeps an incomplete one for the next call."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Returns the frames that `data` completes. Raises FrameFault on what is no frame."""
        self._buffer += data
        frames: list[Frame] = []
        while len(self._buffer) >= HEADER.size:
            length, kind, generation = HEADER.unpack_from(self._buffer)
            if length > MAX_PAYLOAD:
                raise FrameFault(f"frame of {length} bytes")
            end = HEADER.size + length
            if len(self._buffer) < end:
                break
            try:
                frame_type = FrameType(kind)
            except ValueError:
                raise FrameFault(f"frame type {kind}") from None
            frames.append(Frame(frame_type, generation, bytes(self._buffer[HEADER.size : end])))
            del self._buffer[:end]
        return frames
