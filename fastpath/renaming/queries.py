"""Renames what a query says of keys and uploads: prefixes, markers and upload ids.

    prefix, and none in a list         key_prefix, and what the client's has after strip_prefix
    marker, start-after, key-marker    the same; before strip_prefix: gone; after it: at the end
    uploadId, upload-id-marker         the target's id
    continuation-token                 stays: it is the target's own, and means a place in a list of
                                       the prefix that is sent with it

Rules: every other parameter goes up byte for byte; of a repeated parameter that is renamed only the
first one goes up, as S3 reads it, because a store may read the last; an id that is not the one that
was opened never goes up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from urllib.parse import quote_from_bytes, unquote_to_bytes

from fastpath.errors import NO_SUCH_UPLOAD, S3Error
from fastpath.renaming.addresses import upstream_prefix
from fastpath.renaming.members import LISTS, MARKERS, PREFIX, UPLOAD_IDS
from fastpath.renaming.names import Names
from fastpath.routing.rewrite import Rewrite

Query = Sequence[tuple[bytes, bytes]]

_RENAMED = MARKERS | UPLOAD_IDS | {PREFIX}
# What is read together with a marker, and means nothing without it.
_WITH_KEY_MARKER = frozenset((b"upload-id-marker", b"version-id-marker"))
_HIGHEST = "\U0010ffff"


def upstream_query(raw: bytes, query: Query, operation: str, names: Names) -> tuple[bytes, Query]:
    """Return the raw query for the target, and its decoded pairs. Raises S3Error.

    `query` are the decoded pairs of `raw`, perhaps less those of a signature.
    """
    values: dict[bytes, bytes] = {}
    for name, value in query:
        values.setdefault(name, value)
    gone = _without_meaning(values, names)
    renamed: dict[bytes, bytes | None] = {
        name: _renamed(name, value, operation, names)
        for name, value in values.items()
        if name in _RENAMED and name not in gone
    }
    renamed.update(dict.fromkeys(gone))
    if operation in LISTS and names.rewrite.key_prefix and PREFIX not in values:
        renamed[PREFIX] = names.rewrite.key_prefix
    counts = [name for name, _ in query if name in renamed]
    if len(counts) == len(set(counts)) and all(
        values.get(name) == value for name, value in renamed.items()
    ):
        return raw, query
    pairs = [pair for pair in query if pair[0] not in renamed]
    new = [(name, value) for name, value in renamed.items() if value is not None]
    kept = [
        part
        for part in raw.split(b"&")
        if part and unquote_to_bytes(part.partition(b"=")[0].replace(b"+", b"%20")) not in renamed
    ]
    kept += [name + b"=" + quote_from_bytes(value, safe="~").encode() for name, value in new]
    return b"&".join(kept), [*pairs, *new]


def _without_meaning(values: Mapping[bytes, bytes], names: Names) -> Collection[bytes]:
    """Return the parameters that do not go up, because S3 reads them with `key-marker` alone."""
    marker = values.get(b"key-marker")
    if not marker:
        return (b"upload-id-marker",) if values.get(b"upload-id-marker") else ()
    return () if marker.startswith(names.rewrite.strip_prefix) else _WITH_KEY_MARKER & values.keys()


def first_value(query: Query, name: bytes) -> bytes:
    """Return the first value of a parameter, as S3 reads it; empty without one."""
    return next((value for known, value in query if known == name), b"")


def _renamed(name: bytes, value: bytes, operation: str, names: Names) -> bytes | None:
    """Return the target's value of a parameter; None: it is not sent."""
    if name in UPLOAD_IDS:
        return _upload_id(value, names)
    if operation not in LISTS:
        return value
    if name == PREFIX:
        return upstream_prefix(value, names.rewrite)
    return _marker(value, names.rewrite) if value else value


def _upload_id(value: bytes, names: Names) -> bytes:
    if not value:
        return value
    if value != names.upload_id:
        raise S3Error(NO_SUCH_UPLOAD, ("UploadId", value.decode("utf-8", "replace")))
    return names.upstream_upload_id


def _marker(value: bytes, rewrite: Rewrite) -> bytes | None:
    """Return the target's key after which a list goes on; None: from its beginning."""
    strip_prefix = rewrite.strip_prefix
    if value.startswith(strip_prefix):
        return upstream_prefix(value, rewrite)
    return None if value < strip_prefix else after_all(rewrite.key_prefix)


def after_all(prefix: bytes) -> bytes:
    """Return a key that sorts after every key with a prefix."""
    text = prefix.decode()
    while text:
        last = ord(text[-1])
        if last < ord(_HIGHEST):
            following = 0xE000 if last == 0xD7FF else last + 1  # no surrogates
            return (text[:-1] + chr(following)).encode()
        text = text[:-1]
    return (_HIGHEST * 256).encode()  # 1,024 bytes
