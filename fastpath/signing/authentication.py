"""Verifies the signature of a request: SigV4, or SigV2 where `auth.sigv2` allows it.

Rules: a request has one signature; what is no SigV2, or a form of it that is off, is left to
SigV4's checks, which refuse SigV2 as AWS does in regions without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from fastpath.http.head import RequestHead
from fastpath.s3.addressing import Address
from fastpath.signing import sigv2
from fastpath.signing.sigv4 import verify
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.verify import UNSIGNED_PAYLOAD, Proof

Query = Sequence[tuple[bytes, bytes]]


class Sigv2(StrEnum):
    """`auth.sigv2`: the forms of Signature Version 2 that are accepted."""

    OFF = "off"
    PRESIGNED = "presigned"
    ALL = "all"


class Accepted(NamedTuple):
    """Which signatures are accepted: `auth.sigv2` and `auth.regions`.

    regions: those that a SigV4 scope may name, any if it is empty; SigV2 names none.
    """

    sigv2: Sigv2
    regions: tuple[bytes, ...] = ()


# AWS's key ids have 16 to 128 characters.
MAX_KEY_ID_BYTES = 128

# `AWS4-HMAC-SHA256 Credential=KEY/...`, `AWS KEY:SIGNATURE`
_CLAIM = re.compile(rb"Credential=([^/,]+)/|\AAWS ([^:]+):", re.IGNORECASE)

_OFF, _ALL = Sigv2.OFF, Sigv2.ALL  # as plain names; exchange/states.py says why


def authenticate(
    head: RequestHead,
    query: Query,
    address: Address,
    identities: Mapping[bytes, Identity],
    accepted: Accepted,
    now: float,
) -> Proof:
    """Verify the signature of a request; `query` are the decoded pairs of the head.

    Raises S3Error; of kind ANONYMOUS if the request is not signed.
    """
    authorization = head.fields.get(b"authorization", b"")
    if authorization:
        if accepted.sigv2 is _ALL and authorization[:4].upper() == b"AWS ":
            verify.refuse_second_mechanism(query, authorization)
            return _proof(sigv2.verify_header(head, query, address, identities, now), False)
    elif query and accepted.sigv2 is not _OFF and _is_sigv2(query):
        return _proof(sigv2.verify_query(head, query, address, identities, now), True)
    return verify.authenticate(head, query, identities, now, accepted.regions)


def claimed_key_id(head: RequestHead, query: Query) -> bytes:
    """Return the access key id that an unverified request names; empty if none.

    It is for the log: bounded, and never a part of a signature.
    """
    authorization = head.fields.get(b"authorization", b"")
    claim = _CLAIM.search(authorization) if authorization else None
    if claim is not None:
        return (claim[1] or claim[2])[:MAX_KEY_ID_BYTES]
    for name, value in query:
        if name == b"X-Amz-Credential":
            return value.partition(b"/")[0][:MAX_KEY_ID_BYTES]
        if name == b"AWSAccessKeyId":
            return value[:MAX_KEY_ID_BYTES]
    return b""


def _is_sigv2(query: Query) -> bool:
    names = {name for name, _ in query}
    return b"X-Amz-Algorithm" not in names and not names.isdisjoint(
        (b"Signature", b"AWSAccessKeyId")
    )


def _proof(identity: Identity, presigned: bool) -> Proof:
    """Return the Proof of a SigV2 request: it signs no digest of the body, and no chunks."""
    return Proof(identity, UNSIGNED_PAYLOAD, presigned, b"", b"", b"", b"")
