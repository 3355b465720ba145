"""Seals where a multipart upload began into the upload id that its client gets, and reads it back.

    id = base64url(version and flags, MAC, target, bucket, prefixes of the rewrite, target's id)

Any worker of any replica that has the key continues an upload, also after the configuration sends
its bucket elsewhere. The client's bucket and key are in the MAC and not in the id, so that an id
opens for the object it was made for alone. No identity is in it: who may continue an upload is
decided for each request.

Rules: an id begins with a letter, because a command line takes one that begins with a hyphen for
an option; the same origin and id give the same text, and no other text opens to them; a text is
trusted in nothing before its MAC is verified; `open` raises nothing, whatever a client sends; no
`repr` shows a key.
"""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Sequence
from struct import pack
from typing import Final, NamedTuple

from fastpath.routing.rewrite import Rewrite

# AWS's upload ids have about 130 bytes. This leaves room for any store's, and the longest sealed id
# leaves two thirds of a request line (`Limits.request_line_bytes`) to the rest.
MAX_UPLOAD_ID: Final = 1024
MAX_NAME: Final = 255  # of a target (64) or a bucket (63, of old 255): its length is one byte
MAX_PREFIX: Final = 1024  # no key is longer

_PURPOSE: Final = b"s3gateway upload ids"  # another purpose gets another key of the same secret
_MAC_BYTES: Final = 16  # 128 bits: forging is guessing, and a guess is a request
_VERSION: Final = 0x10
_CHECKSUM_DROPPED: Final = 0x01
_REWRITTEN: Final = 0x02
_FLAGS: Final = _CHECKSUM_DROPPED | _REWRITTEN
_LONGEST: Final = _MAC_BYTES + 1 + 2 * (1 + MAX_NAME) + 2 * (2 + MAX_PREFIX) + MAX_UPLOAD_ID
# base64 has four characters for three bytes.
MAX_TEXT: Final = (_LONGEST * 4 + 2) // 3

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")


class UploadOrigin(NamedTuple):
    """Where an upload began, and how.

    bucket: the target's. It is the bucket of `rewrite` too, whatever stands there; `open` returns
        a rewrite of that bucket if the client's is another, and None if nothing is rewritten.
    checksum_dropped: the upload was begun without the checksum algorithm that the client asked for.
    """

    target: str
    bucket: bytes
    rewrite: Rewrite | None = None
    checksum_dropped: bool = False


class Sealer:
    """Seals upload ids with the first of its keys, and opens what any of them sealed.

    Without a key nothing opens.
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(hmac.digest(key, _PURPOSE, "sha256") for key in keys)

    def __repr__(self) -> str:
        return f"Sealer({len(self._keys)} keys)"

    def seal(self, origin: UploadOrigin, upload_id: bytes, bucket: bytes, key: bytes) -> bytes:
        """Returns the client's id of an upload; `upload_id` is the target's.

        `bucket` and `key` are the client's. Raises ValueError: a part is too long, or there is no
        key to seal with.
        """
        if not self._keys:
            raise ValueError("there is no key to seal an upload id with")
        if len(upload_id) > MAX_UPLOAD_ID:
            raise ValueError(
                f"the target's upload id has {len(upload_id)} bytes, more than {MAX_UPLOAD_ID}"
            )
        sealed = _packed(origin) + upload_id
        mac = _mac(self._keys[0], _scope(bucket, key) + sealed)
        return _encode(sealed[:1] + mac + sealed[1:])

    def open(self, text: bytes, bucket: bytes, key: bytes) -> tuple[UploadOrigin, bytes] | None:
        """Returns the origin and the target's id; None: no key here sealed it for this object."""
        if len(text) > MAX_TEXT:
            return None
        raw = _decode(text)
        if raw is None:
            return None
        given, sealed = raw[1 : 1 + _MAC_BYTES], raw[:1] + raw[1 + _MAC_BYTES :]
        message = _scope(bucket, key) + sealed
        for own in self._keys:
            if hmac.compare_digest(_mac(own, message), given):
                return _unpacked(sealed, bucket)
        return None


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")[:_MAC_BYTES]


def _scope(bucket: bytes, key: bytes) -> bytes:
    # With their lengths: `a` and `bc` must not be taken for `ab` and `c`.
    return pack(">QQ", len(bucket), len(key)) + bucket + key


def _encode(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_TO_URL)


def _decode(text: bytes) -> bytes | None:
    """Returns the bytes of a text; None if `_encode` would write them in another way."""
    try:
        raw = binascii.a2b_base64(text.translate(_FROM_URL) + b"==")
    except binascii.Error:
        return None
    return raw if _encode(raw) == text else None


def _packed(origin: UploadOrigin) -> bytes:
    rewrite = origin.rewrite
    flags = _CHECKSUM_DROPPED if origin.checksum_dropped else 0
    prefixes = b""
    if rewrite is not None and (rewrite.key_prefix or rewrite.strip_prefix):
        flags |= _REWRITTEN
        prefixes = _prefix(rewrite.key_prefix) + _prefix(rewrite.strip_prefix)
    head = bytes((_VERSION | flags,))
    return head + _name(origin.target.encode()) + _name(origin.bucket) + prefixes


def _name(name: bytes) -> bytes:
    if len(name) > MAX_NAME:
        raise ValueError(f"a target or bucket has a name of {len(name)} bytes, over {MAX_NAME}")
    return bytes((len(name),)) + name


def _prefix(prefix: bytes) -> bytes:
    if len(prefix) > MAX_PREFIX:
        raise ValueError(f"a rewrite has a prefix of {len(prefix)} bytes, over {MAX_PREFIX}")
    return pack(">H", len(prefix)) + prefix


def _unpacked(sealed: bytes, client_bucket: bytes) -> tuple[UploadOrigin, bytes] | None:
    """Reads what a key of ours sealed; None if a later version of the gateway did."""
    head = sealed[0] if sealed else 0
    if head & ~_FLAGS != _VERSION:
        return None
    at = 2 + sealed[1]
    target = sealed[2:at].decode()
    end = at + 1 + sealed[at]
    bucket = sealed[at + 1 : end]
    added = stripped = b""
    if head & _REWRITTEN:
        added, end = _prefix_at(sealed, end)
        stripped, end = _prefix_at(sealed, end)
    other = b"" if bucket == client_bucket else bucket
    rewrite = Rewrite(other, added, stripped) if other or added or stripped else None
    origin = UploadOrigin(target, bucket, rewrite, bool(head & _CHECKSUM_DROPPED))
    return origin, sealed[end:]


def _prefix_at(sealed: bytes, at: int) -> tuple[bytes, int]:
    start = at + 2
    end = start + int.from_bytes(sealed[at:start], "big")
    return sealed[start:end], end
