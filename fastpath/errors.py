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


# --- 4xx, 5xx: kinds raised in more than one room, or by the relay itself ---

ACCESS_DENIED = Kind(403, "AccessDenied", "Access Denied")
REQUEST_TIMEOUT = Kind(
    400,
    "RequestTimeout",
    "Your socket connection to the server was not read from or written to within the timeout "
    "period. Idle connections will be closed.",
)
CONTENT_SHA256_MISMATCH = Kind(
    400,
    "XAmzContentSHA256Mismatch",
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
)
REQUEST_LOOP = Kind(
    400, "InvalidRequest", "The request came back to this gateway: a target leads in a circle."
)
INTERNAL_ERROR = Kind(
    500, "InternalError", "We encountered an internal error. Please try again.", Source.GATEWAY
)
NOT_IMPLEMENTED = Kind(
    501,
    "NotImplemented",
    "A header you provided implies functionality that is not implemented",
    Source.GATEWAY,
)
SLOW_DOWN = Kind(503, "SlowDown", "Please reduce your request rate.", Source.GATEWAY)
SERVICE_UNAVAILABLE = Kind(
    503,
    "ServiceUnavailable",
    "The storage behind this gateway is not available. Please try again.",
    Source.UPSTREAM,
)

# --- raised while a request is understood: head, framing, addressing, operations ---

BAD_REQUEST = Kind(400, "BadRequest", "An error occurred when parsing the HTTP request.")
HEADER_SECTION_TOO_LARGE = Kind(
    400,
    "RequestHeaderSectionTooLarge",
    "Your request header section exceeds the maximum allowed size.",
)
INVALID_ARGUMENT = Kind(400, "InvalidArgument", "Invalid Argument")  # always with a message
INVALID_BUCKET_NAME = Kind(400, "InvalidBucketName", "The specified bucket is not valid.")
INVALID_REQUEST = Kind(400, "InvalidRequest", "Invalid Request")  # always with a message
INVALID_URI = Kind(400, "InvalidURI", "Couldn't parse the specified URI.")
KEY_TOO_LONG = Kind(400, "KeyTooLongError", "Your key is too long")
METHOD_NOT_ALLOWED = Kind(
    405,
    "MethodNotAllowed",
    "The specified method is not allowed against this resource.",
)
MISSING_CONTENT_LENGTH = Kind(
    411, "MissingContentLength", "You must provide the Content-Length HTTP header."
)
