"""Headers that lakeFS forgets: which of them may be forgotten.

    a promise that would be broken      refused, or dropped if the operator says so (`forgets`)
                                                     encryption with the client's key or KMS, locks,
                                                     tags, redirects, access for others, an encoding
    what S3 does anyway                 forgotten    AES256, `private`
    advice about the object             forgotten    Cache-Control, Content-Disposition, Expires,
                                                     Content-Language; the storage class is the
                                                     block store's

Rules: pure; nothing that changes who can read an object, for how long it stays, or what its bytes
mean is lost in silence: what is dropped does not reach lakeFS, and the operator is told.

Not here: headers that make a request another one (`profiles`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastpath.dialects.lakefs.metadata import METADATA
from fastpath.dialects.translation import Asked
from fastpath.errors import ACL_NOT_SUPPORTED, METADATA_TOO_LARGE, NOT_IMPLEMENTED, S3Error

MAX_METADATA = (
    2048  # bytes of names and values; S3's limit and lakeFS's, which looks after the body
)

_CLIENTS_KEY = b"x-amz-server-side-encryption-customer-"
_OF_THE_CLIENTS_KEY = tuple(_CLIENTS_KEY + part for part in (b"algorithm", b"key", b"key-md5"))
_OF_THE_SOURCES_KEY = tuple(
    b"x-amz-copy-source-" + name.removeprefix(b"x-amz-") for name in _OF_THE_CLIENTS_KEY
)
_PROMISES = (
    *_OF_THE_CLIENTS_KEY,
    *_OF_THE_SOURCES_KEY,
    b"x-amz-server-side-encryption-aws-kms-key-id",
    b"x-amz-server-side-encryption-context",
    b"x-amz-object-lock-legal-hold",
    b"x-amz-object-lock-mode",
    b"x-amz-object-lock-retain-until-date",
    b"x-amz-tagging",
    b"x-amz-website-redirect-location",
)
# Values that promise nothing that would not be so without them.
_KEPT: Mapping[bytes, frozenset[bytes]] = {
    b"x-amz-server-side-encryption": frozenset({b"AES256"}),
    b"content-encoding": frozenset({b"", b"identity", b"aws-chunked"}),
    b"x-amz-acl": frozenset({b"private", b"bucket-owner-read", b"bucket-owner-full-control"}),
}
_GRANT = b"x-amz-grant-"


def forgotten_of_an_object(asked: Asked) -> tuple[bytes, ...]:
    """Headers of an object that is made that are dropped. Raises S3Error if none may be."""
    fields = asked.fields
    names = [name for name in _PROMISES if name in fields]
    for name, values in _KEPT.items():
        sent = fields.get(name)
        if sent is not None and not values.issuperset(map(bytes.strip, sent.split(b","))):
            names.append(name)
    names += [name for name in fields if name.startswith(_GRANT)]
    _check_metadata(fields)
    return _dropped(asked, names)


def forgotten_keys(asked: Asked) -> tuple[bytes, ...]:
    """The same of a part, or of an object that is read: none is encrypted with such a key."""
    names = (*_OF_THE_CLIENTS_KEY, *_OF_THE_SOURCES_KEY)
    return _dropped(asked, [name for name in names if name in asked.fields])


def _dropped(asked: Asked, names: Sequence[bytes]) -> tuple[bytes, ...]:
    if names and not asked.drops:
        raise _refused(names[0])
    return tuple(names)


def _check_metadata(fields: Mapping[bytes, bytes]) -> None:
    size = sum(
        len(name) - len(METADATA) + len(value)
        for name, value in fields.items()
        if name.startswith(METADATA)
    )
    if size > MAX_METADATA:
        raise S3Error(
            METADATA_TOO_LARGE, ("Size", str(size)), ("MaxSizeAllowed", str(MAX_METADATA))
        )


def _refused(name: bytes) -> S3Error:
    if name == b"x-amz-acl" or name.startswith(_GRANT):
        return S3Error(ACL_NOT_SUPPORTED)
    shown = name.decode()
    return S3Error(
        NOT_IMPLEMENTED,
        ("Header", shown),
        message=f"{shown} is not available on the storage that serves this bucket.",
    )
