"""Request headers lakeFS ignores: which are dropped, which are refused.

    headers whose effect the client relies on   refused, or dropped if the operator says so
                                                (`forgets`): encryption with the client's key or
                                                KMS, locks, tags, redirects, grants, an encoding
    what S3 does anyway                         dropped: AES256, `private`
    advice about the object                     dropped: Cache-Control, Content-Disposition,
                                                Expires, Content-Language; the block store
                                                decides about the storage class

Rules: a header that decides who can read an object, how long it stays or what its bytes mean is
never ignored silently: lakeFS does not get a header that is dropped, and the operator is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastpath.dialects.translation import ClientRequest
from fastpath.errors import ACL_NOT_SUPPORTED, NOT_IMPLEMENTED, S3Error
from fastpath.s3.metadata import check_metadata_size

_CLIENTS_KEY = b"x-amz-server-side-encryption-customer-"
_OF_THE_CLIENTS_KEY = tuple(_CLIENTS_KEY + part for part in (b"algorithm", b"key", b"key-md5"))
_OF_THE_SOURCES_KEY = tuple(
    b"x-amz-copy-source-" + name.removeprefix(b"x-amz-") for name in _OF_THE_CLIENTS_KEY
)
_NOT_TO_BE_IGNORED = (
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
# Values that change nothing.
_IGNORABLE_VALUES: Mapping[bytes, frozenset[bytes]] = {
    b"x-amz-server-side-encryption": frozenset({b"AES256"}),
    b"content-encoding": frozenset({b"", b"identity", b"aws-chunked"}),
    b"x-amz-acl": frozenset({b"private", b"bucket-owner-read", b"bucket-owner-full-control"}),
}
_GRANT = b"x-amz-grant-"


def ignored_object_headers(client_request: ClientRequest) -> tuple[bytes, ...]:
    """Return the headers of a new object to drop. Raises S3Error if they must be refused."""
    fields = client_request.fields
    names = [name for name in _NOT_TO_BE_IGNORED if name in fields]
    for name, values in _IGNORABLE_VALUES.items():
        sent = fields.get(name)
        if sent is not None and not values.issuperset(map(bytes.strip, sent.split(b","))):
            names.append(name)
    names += [name for name in fields if name.startswith(_GRANT)]
    check_metadata_size(fields)
    return _dropped(client_request, names)


def ignored_key_headers(client_request: ClientRequest) -> tuple[bytes, ...]:
    """Return the client's key headers of a part, or of a read, to drop. Raises S3Error."""
    names = (*_OF_THE_CLIENTS_KEY, *_OF_THE_SOURCES_KEY)
    return _dropped(client_request, [name for name in names if name in client_request.fields])


def _dropped(client_request: ClientRequest, names: Sequence[bytes]) -> tuple[bytes, ...]:
    if names and not client_request.drops:
        raise _refused(names[0])
    return tuple(names)


def _refused(name: bytes) -> S3Error:
    if name == b"x-amz-acl" or name.startswith(_GRANT):
        return S3Error(ACL_NOT_SUPPORTED)
    shown = name.decode()
    return S3Error(
        NOT_IMPLEMENTED,
        ("Header", shown),
        message=f"{shown} is not available on the storage that serves this bucket.",
    )
