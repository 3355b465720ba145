"""The record of a request of a known caller, before it is decided where it goes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeAlias

from fastpath.http.head import RequestHead
from fastpath.s3.addressing import Address
from fastpath.s3.operations import Operation
from fastpath.signing.sigv4.verify import Proof

Query = Sequence[tuple[bytes, bytes]]
# Headers that a presigner put into the query: those that came only there, and the names of all.
Presigned: TypeAlias = tuple[Query, Collection[bytes]]
NOT_PRESIGNED: Presigned = ((), ())
# The value of x-amz-content-sha256, and the verified signature.
Signed: TypeAlias = tuple[bytes, Proof | None]


class Understood(NamedTuple):
    """A request of a known caller; `head` and `query` are merged with what a presigner moved."""

    head: RequestHead
    query: Query
    address: Address
    operation: Operation
    signed: Signed
    presigned: Presigned
