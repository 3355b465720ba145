"""Records of admitted requests: made from a head as a worker does, or from the facts of a test."""

from __future__ import annotations

import time

from fastpath.http.head import RequestHead
from fastpath.request.admission import admit
from fastpath.request.admitted import Admitted
from fastpath.request.trail import Trail
from fastpath.routing.chain import Decision
from fastpath.routing.identities import OPEN_CALLER
from fastpath.routing.snapshot import Snapshot, Target
from fastpath.s3.addressing import Address
from fastpath.s3.operations import OPERATIONS
from fastpath.signing.sigv4.verify import UNSIGNED_PAYLOAD


def admitted_of(head: RequestHead, snapshot: Snapshot, now: float | None = None) -> Admitted:
    """The record of a request that goes to a target. Raises S3Error."""
    admitted = admit(head, snapshot, time.time() if now is None else now, Trail())
    assert isinstance(admitted, Admitted)
    return admitted


def admitted_to(target: Target, operation: str = "GetObject", bucket: bytes = b"b-b") -> Admitted:
    """The record of an operation on `k` of a bucket, which the target's own signer signs."""
    assert target.signer is not None
    address = Address(bucket, b"k", True, b"/" + bucket + b"/k")
    return Admitted(
        OPERATIONS[operation],
        address,
        address,
        OPEN_CALLER,
        Decision(target.name, 1),
        target,
        target.signer,
        UNSIGNED_PAYLOAD,
        None,
        (),
        (),
        (),
        None,
        None,
        False,
    )
