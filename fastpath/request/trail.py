"""What is known of a request so far, for its log line, its refusal and headers of its answer."""

from __future__ import annotations

from fastpath.request.admitted import Renamed
from fastpath.response.decision_headers import decision_lines
from fastpath.routing.asked import Asked
from fastpath.routing.chain import Decision
from fastpath.routing.identities import OPEN_CALLER, Caller
from fastpath.s3.addressing import Address
from fastpath.s3.operations import Operation


class Trail:
    """What is known of one request. Admission fills it step by step; `address` is the client's."""

    __slots__ = ("address", "asked", "caller", "decision", "operation", "renamed", "verified")

    def __init__(self) -> None:
        self.address: Address | None = None
        self.operation: Operation | None = None
        self.caller: Caller = OPEN_CALLER
        self.asked: Asked | None = None  # if more than its bucket decides
        self.decision: Decision | None = None
        self.renamed: Renamed | None = None
        self.verified = False  # whether the signature of its head was verified

    def decision_lines(self) -> bytes:
        """Return header lines about the decision, each with its CRLF.

        Empty before the decision, and for a caller that may not see it.
        """
        if self.decision is None or not self.caller.sees_decisions:
            return b""
        return decision_lines(self.decision.target, self.decision.rule)
