"""The record of an admitted request: where it goes, who signs it, what changes on its way.

Rules: it is complete and never changes; a request that goes elsewhere, or is signed by another
signer, gets another record. What goes up is of `upstream_address`; what the client is shown is of
`address`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from fastpath.dialects.translation import Translation
from fastpath.errors import S3Error
from fastpath.renaming.answers import error_for_client
from fastpath.renaming.names import Names
from fastpath.request.across import Across
from fastpath.response.own_answer import OwnAnswer
from fastpath.routing.chain import Decision, HidingObject
from fastpath.routing.identities import Caller
from fastpath.routing.snapshot import Target
from fastpath.s3.addressing import Address
from fastpath.s3.operations import Operation
from fastpath.signing.sigv4.sign import Signer, Unsigned
from fastpath.signing.sigv4.verify import Proof


class Renamed(NamedTuple):
    """A request whose target has other names for what it names.

    query, upstream_query: the decoded pairs of the client's query and of the target's.
    raw_query: the target's.
    """

    names: Names
    query: Sequence[tuple[bytes, bytes]]
    raw_query: bytes
    upstream_query: Sequence[tuple[bytes, bytes]]

    def error_for_client(self, error: S3Error) -> S3Error:
        """Put the client's names into an error that was made with the target's; the same error."""
        return error_for_client(error, self.names, self.query, self.upstream_query)


# Frozen by its types: `frozen=True` makes thirteen calls a request, and a tuple is slow to read.
@dataclass(slots=True)
class Admitted:
    """An admitted request.

    address: the client's.
    upstream_address: the target's.
    target: that of the decision; of another region, once the request goes there.
    payload: the value of x-amz-content-sha256: a digest or a keyword.
    proof: the client's verified signature; None: no signature was verified.
    query_headers: headers that came only in the query.
    presigned_names: names of all headers that came in the query.
    rewritten_headers: headers that replace the client's.
    translation: None: nothing is translated.
    renamed: None: the target has the client's names, and no upload is named.
    drops_checksums: its upload was begun without the checksum algorithm of its parts.
    across: where the parts of the request are, if they may be on several targets.
    hides: the objects that hide what is stored, because reads look there before.
    was_seen: its object was seen, at this place of a chain, a moment ago.
    """

    operation: Final[Operation]
    address: Final[Address]
    upstream_address: Final[Address]
    caller: Final[Caller]
    decision: Final[Decision]
    target: Final[Target]
    signer: Final[Signer | Unsigned]
    payload: Final[bytes]
    proof: Final[Proof | None]
    query_headers: Final[Sequence[tuple[bytes, bytes]]]
    presigned_names: Final[Collection[bytes]]
    rewritten_headers: Final[Sequence[tuple[bytes, bytes]]]
    translation: Final[Translation | None]
    renamed: Final[Renamed | None]
    drops_checksums: Final[bool]
    across: Final[Across | None] = None
    hides: Final[Sequence[HidingObject]] = ()
    was_seen: Final[bool] = False

    @property
    def is_across(self) -> bool:
        """Whether the target alone cannot answer, so that a composed operation does."""
        across = self.across
        return across is not None and across.is_elsewhere

    @property
    def own_answer(self) -> OwnAnswer | None:
        """The answer that needs no target, once the body is verified."""
        return self.translation.own_answer if self.translation is not None else None
