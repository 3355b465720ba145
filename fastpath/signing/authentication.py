"""Which signature a request carries, and who made it: SigV4, or SigV2 where `auth.sigv2` allows it.

Rules: a request is signed once; what is no SigV2, or a form of it that is off, is left to SigV4's
own checks, which refuse SigV2 as AWS does where it has none.

Not here: how either is verified (`sigv4`, `sigv2`), what the identity may do (`identities`).
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
    """Which signatures are looked at: `auth.sigv2` and `auth.regions`.

    regions: what a SigV4 scope may name, any if it is empty; SigV2 names none.
    """

    sigv2: Sigv2
    regions: tuple[bytes, ...] = ()


# AWS's key ids have 16 to 128 characters.
MAX_CLAIM = 128

# `AWS4-HMAC-SHA256 Credential=KEY/...`, `AWS KEY:SIGNATURE`
_CLAIM = re.compile(rb"Credential=([^/,]+)/|\AAWS ([^:]+):", re.IGNORECASE)

_OFF, _ALL = Sigv2.OFF, Sigv2.ALL  # by themselves; `phases` says why


def authenticate(
    head: RequestHead,
    query: Query,
    address: Address,
    identities: Mapping[bytes, Identity],
    accepted: Accepted,
    now: float,
) -> Proof:
    """Verifies the one signature of a request; `query` are the decoded pairs of the head.

    Raises S3Error; of kind ANONYMOUS if the request claims to be nobody's.
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
    """The access key id that a request names which nobody was verified for; empty if none.

    For the log: a part of it that can be no signature, and bounded.
    """
    authorization = head.fields.get(b"authorization", b"")
    claim = _CLAIM.search(authorization) if authorization else None
    if claim is not None:
        return (claim[1] or claim[2])[:MAX_CLAIM]
    for name, value in query:
        if name == b"X-Amz-Credential":
            return value.partition(b"/")[0][:MAX_CLAIM]
        if name == b"AWSAccessKeyId":
            return value[:MAX_CLAIM]
    return b""


def _is_sigv2(query: Query) -> bool:
    names = {name for name, _ in query}
    return b"X-Amz-Algorithm" not in names and not names.isdisjoint(
        (b"Signature", b"AWSAccessKeyId")
    )


def _proof(identity: Identity, presigned: bool) -> Proof:
    """SigV2 signs no digest of the body, and chains no chunks to its signature."""
    return Proof(identity, UNSIGNED_PAYLOAD, presigned, b"", b"", b"", b"")
