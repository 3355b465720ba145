"""Every error the gateway can answer with: one table, kind -> (status, S3 code, message, source).

Rules: handlers never spell a status or a code, they raise `S3Error(KIND)`; a kind says whose fault
it is (`Source`); texts are AWS's own, to the full stop, where AWS has one (docs/errors.md names the
source of each).

Not here: how an error becomes XML (`s3xml`), when a request may be retried (`retry`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Source(Enum):
    """Whose fault an error is."""

    DOWNSTREAM = "downstream"
    GATEWAY = "gateway"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: what a client is told, and who caused it."""

    status: int
    code: str
    message: str
    source: Source = Source.DOWNSTREAM


class S3Error(Exception):
    """An error with the answer a client gets.

    `extras` are the XML elements between Message and RequestId, in wire order. `message` replaces
    the kind's text where AWS's text has variable parts. `retry_after` is in seconds.
    """

    __slots__ = ("extras", "kind", "message", "retry_after")

    def __init__(
        self,
        kind: Kind,
        *extras: tuple[str, str],
        message: str = "",
        retry_after: int = 0,
    ) -> None:
        super().__init__(kind.code)
        self.kind = kind
        self.extras = extras
        self.message = message or kind.message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.kind.status} {self.kind.code}: {self.message}"


class HeadFault(S3Error):
    """A request head that was not understood: the connection's framing is in doubt, so it closes."""

    __slots__ = ()
