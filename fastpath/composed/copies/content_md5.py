"""The Content-MD5 that a store asks for with data that it locks.

Rules: a store that copies by itself needs none, but a PutObject or UploadPart needs a Content-MD5
or a checksum if its object is locked, by a header or by the default retention of its bucket (User
Guide, "Object Lock considerations"). The gateway does not know the latter, and reads the bytes once
more only if the store has refused them.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from fastpath.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

_NAME = b"content-md5"


def asks_for_md5(refusal: S3Error) -> bool:
    """Whether a store refuses data because it came without its MD5.

    The code is InvalidRequest on S3 and another one on other stores; all texts name the header.
    """
    return refusal.kind.status == 400 and _NAME.decode() in refusal.message.lower()


async def md5_of(pieces: AsyncIterable[bytes]) -> tuple[bytes, bytes]:
    """Return the header for these bytes. Raises S3Error, CallFailed: they cannot be read."""
    digest = hashlib.md5(usedforsecurity=False)
    async for piece in pieces:
        digest.update(piece)
    return _NAME, base64.b64encode(digest.digest())
