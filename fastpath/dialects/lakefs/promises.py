"""Headers that lakeFS forgets: which of them may be forgotten.

    a promise that would be broken      refused      encryption with the client's key or KMS, locks,
                                                     tags, redirects, access for others, an encoding
    what S3 does anyway                 forgotten    AES256, `private`
    advice about the object             forgotten    Cache-Control, Content-Disposition, Expires,
                                                     Content-Language; the storage class is the
                                                     block store's

Rules: pure; nothing that changes who can read an object, for how long it stays, or what its bytes
mean is silently lost.

Not here: headers that make a request another one (`profiles`).
"""

from __future__ import annotations

from collections.abc import Mapping

from fastpath.errors import ACL_NOT_SUPPORTED, METADATA_TOO_LARGE, NOT_IMPLEMENTED, S3Error

MAX_METADATA = (
    2048  # bytes of names and values; S3's limit and lakeFS's, which looks after the body
)

_KEY = b"x-amz-server-side-encryption-customer-"
_OF_THE_CLIENTS_KEY = (_KEY + b"algorithm", _KEY + b"key", _KEY + b"key-md5")
_REFUSED = (
    *_OF_THE_CLIENTS_KEY,
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
}
_GRANT = b"x-amz-grant-"
_METADATA = b"x-amz-meta-"
_ACLS = frozenset({b"private", b"bucket-owner-read", b"bucket-owner-full-control"})


def check_promises(fields: Mapping[bytes, bytes]) -> None:
    """What an object that is made should be. Raises S3Error."""
    for name in _REFUSED:
        if name in fields:
            raise _refused(name)
    for name, values in _KEPT.items():
        sent = fields.get(name)
        if sent is not None and not values.issuperset(map(bytes.strip, sent.split(b","))):
            raise _refused(name)
    if fields.get(b"x-amz-acl", b"private") not in _ACLS or any(
        name.startswith(_GRANT) for name in fields
    ):
        raise S3Error(ACL_NOT_SUPPORTED)
    _check_metadata(fields)


def _check_metadata(fields: Mapping[bytes, bytes]) -> None:
    size = sum(
        len(name) - len(_METADATA) + len(value)
        for name, value in fields.items()
        if name.startswith(_METADATA)
    )
    if size > MAX_METADATA:
        raise S3Error(
            METADATA_TOO_LARGE, ("Size", str(size)), ("MaxSizeAllowed", str(MAX_METADATA))
        )


def check_clients_key(fields: Mapping[bytes, bytes]) -> None:
    """An object that is read: none is encrypted with a key of the client's. Raises S3Error."""
    for name in _OF_THE_CLIENTS_KEY:
        if name in fields:
            raise _refused(name)


def _refused(name: bytes) -> S3Error:
    shown = name.decode()
    return S3Error(
        NOT_IMPLEMENTED,
        ("Header", shown),
        message=f"{shown} is not available on the storage that serves this bucket.",
    )
