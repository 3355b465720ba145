"""Refuses what a caller may not send to a target, and what the target does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastpath.errors import ACCESS_DENIED, NOT_IMPLEMENTED, S3Error
from fastpath.routing.identities import ANONYMOUS_CALLER, Caller
from fastpath.routing.snapshot import Target
from fastpath.s3.addressing import Address, is_only_slashes, only_slashes_refused
from fastpath.s3.operations import Operation

_CURRENT_VERSION = (b"versionId", b"null")  # of a bucket without versions: the object itself


def check_target(
    target: Target,
    operation: Operation,
    caller: Caller,
    address: Address,
    query: Sequence[tuple[bytes, bytes]],
    fields: Mapping[bytes, bytes],
) -> None:
    """Check one request; `address` is the target's. Raises S3Error."""
    check_access(target, caller)
    profile = target.profile
    if profile.refuses(operation.name):
        raise S3Error(
            NOT_IMPLEMENTED,
            message=f"{operation.name} is not available on the storage that serves this bucket.",
        )
    if profile.mistakes_keys and address.key and is_only_slashes(address.key):
        raise only_slashes_refused()
    overlooked = profile.overlooks.get(operation.name)
    if overlooked is not None:
        _refuse_overlooked(overlooked, query, fields)


def check_access(target: Target, caller: Caller) -> None:
    """Check that a caller's requests may be signed for a target. Raises S3Error AccessDenied."""
    if not caller.reaches(target.name):
        raise S3Error(ACCESS_DENIED)
    if caller is ANONYMOUS_CALLER and not target.profile.anonymous:
        raise S3Error(ACCESS_DENIED)


def _refuse_overlooked(
    names: frozenset[bytes],
    query: Sequence[tuple[bytes, bytes]],
    fields: Mapping[bytes, bytes],
) -> None:
    """Refuse a parameter or header that changes the request and that the target would ignore.

    An empty condition is no condition, as on S3.
    """
    found = [pair[0] for pair in query if pair[0] in names and pair != _CURRENT_VERSION]
    found += [name for name in names if name in fields and not _is_empty_condition(name, fields)]
    if found:
        raise S3Error(
            NOT_IMPLEMENTED,
            message=f"{found[0].decode()} is not available on the storage that serves this bucket.",
        )


def _is_empty_condition(name: bytes, fields: Mapping[bytes, bytes]) -> bool:
    return b"if-" in name and not fields[name]
