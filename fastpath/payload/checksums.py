"""Computes the checksums that S3 knows, and reads and writes their values.

Rules: a value is sent as base64 of the big-endian bytes; no code here loops over bytes in Python.
xxHash is seeded with 0, as in botocore; its C library (`awscrt`) has no Rust.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import ModuleType

    from awscrt import checksums as crt

HEADER_PREFIX = b"x-amz-checksum-"

# x-amz-checksum-* headers that hold no value of a body.
NOT_VALUES = frozenset(HEADER_PREFIX + name for name in (b"algorithm", b"mode", b"type"))

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")


class Checksum(Protocol):
    """A running checksum."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Read more of the body."""

    def digest(self) -> bytes:
        """Return the raw value of what was read so far."""


@cache
def library() -> ModuleType:
    """The library behind some of them. Its import takes 30 to 80 ms: see `worker.process`."""
    from awscrt import checksums

    found: ModuleType = checksums
    return found


class _Crc:
    """A cyclic redundancy check as a running checksum."""

    __slots__ = ("_extend", "_size", "_value")

    def __init__(self, extend: Callable[[bytes | memoryview, int], int], size: int) -> None:
        self._extend = extend
        self._size = size
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._extend(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XXHash:
    """One of the xxHash family as a running checksum."""

    __slots__ = ("_hash",)

    def __init__(self, kind: Callable[[], crt.XXHash]) -> None:
        self._hash = kind()

    def update(self, data: bytes | memoryview, /) -> None:
        self._hash.update(bytes(data))  # it accepts no view of a mutable buffer

    def digest(self) -> bytes:
        value: bytes = self._hash.finalize()
        return value


def _crc32() -> Checksum:
    return _Crc(zlib.crc32, 4)


def _crc32c() -> Checksum:
    return _Crc(library().crc32c, 4)


def _crc64nvme() -> Checksum:
    return _Crc(library().crc64nvme, 8)


def _sha1() -> Checksum:
    return hashlib.sha1(usedforsecurity=False)


def _md5() -> Checksum:
    return hashlib.md5(usedforsecurity=False)


def _xxhash64() -> Checksum:
    return _XXHash(library().XXHash.new_xxhash64)


def _xxhash3() -> Checksum:
    return _XXHash(library().XXHash.new_xxhash3_64)


def _xxhash128() -> Checksum:
    return _XXHash(library().XXHash.new_xxhash3_128)


# Algorithm -> its constructor, and the size of its value in bytes.
ALGORITHMS: dict[bytes, tuple[Callable[[], Checksum], int]] = {
    b"crc32": (_crc32, 4),
    b"crc32c": (_crc32c, 4),
    b"crc64nvme": (_crc64nvme, 8),
    b"sha1": (_sha1, 20),
    b"sha256": (hashlib.sha256, 32),
    b"sha512": (hashlib.sha512, 64),
    b"md5": (_md5, 16),
    b"xxhash64": (_xxhash64, 8),
    b"xxhash3": (_xxhash3, 8),
    b"xxhash128": (_xxhash128, 16),
}


def encode(raw: bytes) -> bytes:
    """Encode a raw value as it is sent."""
    return base64.b64encode(raw)


def decode(text: bytes, size: int) -> bytes | None:
    """Decode base64 of `size` bytes; None if it is not that."""
    if len(text) != encoded_size(size) or _BASE64.fullmatch(text) is None:
        return None
    raw = base64.b64decode(text)
    return raw if len(raw) == size else None


def encoded_size(size: int) -> int:
    """Return the length of the base64 of so many bytes."""
    return (size + 2) // 3 * 4
