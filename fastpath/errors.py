"""Every error that a client can get: one table of status, S3 code, message and source.

Rules: no other module spells a status or a code: it raises `S3Error(KIND)`; a kind says whose fault
it is (`Source`); texts are AWS's own, to the full stop, where AWS has one (docs/errors.md names the
source of each).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import count

_numbers = count()


class Source(Enum):
    """Whose fault an error is."""

    DOWNSTREAM = "downstream"
    GATEWAY = "gateway"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: what the client gets, and whose fault it is."""

    status: int
    code: str
    message: str
    source: Source = Source.DOWNSTREAM
    # By which it is counted, in the order of this table; no two kinds are the same.
    number: int = field(default_factory=lambda: next(_numbers), init=False, repr=False)


class S3Error(Exception):
    """An error and the response that the client gets.

    kind: a row of the table.
    extras: the XML elements between Message and RequestId, in wire order.
    message: replaces the kind's text where AWS's text has variable parts.
    retry_after: in seconds.
    fields: more header lines of the response.
    note: for the operator's log only.
    """

    __slots__ = ("extras", "fields", "kind", "message", "note", "retry_after")

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
        self.fields: tuple[tuple[bytes, bytes], ...] = ()
        self.note = ""

    def __str__(self) -> str:
        return f"{self.kind.status} {self.kind.code}: {self.message}"


class HeadFault(S3Error):
    """A request head was not understood: the connection closes, because what follows is unclear."""

    __slots__ = ()


# --- 4xx, 5xx: kinds raised in more than one folder, or by the relay itself ---

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
MALFORMED_XML = Kind(
    400,
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema",
)
MAX_MESSAGE_LENGTH = Kind(400, "MaxMessageLengthExceeded", "Your request was too big.")
METHOD_NOT_ALLOWED = Kind(
    405,
    "MethodNotAllowed",
    "The specified method is not allowed against this resource.",
)
USER_KEY = Kind(400, "UserKeyMustBeSpecified", "User key must be specified.")
MISSING_CONTENT_LENGTH = Kind(
    411, "MissingContentLength", "You must provide the Content-Length HTTP header."
)

# --- raised about objects: for targets that have not these answers themselves ---

NOT_MODIFIED = Kind(304, "NotModified", "Not Modified")  # no document: 304 has no body
ACL_NOT_SUPPORTED = Kind(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
BUCKET_OWNED = Kind(
    409,
    "BucketAlreadyOwnedByYou",
    "Your previous request to create the named bucket succeeded and you already own it.",
)
METADATA_TOO_LARGE = Kind(
    400,
    "MetadataTooLarge",
    "Your metadata headers exceed the maximum allowed metadata size",
)
NO_SUCH_BUCKET = Kind(404, "NoSuchBucket", "The specified bucket does not exist")
NO_SUCH_KEY = Kind(404, "NoSuchKey", "The specified key does not exist.")
PRECONDITION_FAILED = Kind(
    412,
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
)
COPY_SOURCE_TOO_LARGE = Kind(
    400,
    "InvalidRequest",
    "The specified copy source is larger than the maximum allowable size for a copy source: "
    "5368709120",
)
SOURCE_CHANGED = Kind(
    503,
    "ServiceUnavailable",
    "The source changed while it was copied. Please try again.",
    Source.UPSTREAM,
)
SOURCE_DAMAGED = Kind(
    503,
    "ServiceUnavailable",
    "The source of the copy does not match its own checksum. Please try again.",
    Source.UPSTREAM,
)
INVALID_PART_NUMBER = Kind(416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
INVALID_RANGE = Kind(416, "InvalidRange", "The requested range is not satisfiable")

# --- raised about multipart uploads ---

INVALID_PART = Kind(
    400,
    "InvalidPart",
    "One or more of the specified parts could not be found.  The part may not have been uploaded, "
    "or the specified entity tag may not match the part's entity tag.",
)
INVALID_PART_ORDER = Kind(
    400,
    "InvalidPartOrder",
    "The list of parts was not in ascending order. Parts must be ordered by part number.",
)
PART_TOO_SMALL = Kind(
    400,
    "EntityTooSmall",
    "Your proposed upload is smaller than the minimum allowed size",
)
NO_SUCH_UPLOAD = Kind(
    404,
    "NoSuchUpload",
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
    "been aborted or completed.",
)
CORS_REFUSED = Kind(403, "AccessForbidden", "CORSResponse")  # always with a message

# --- raised while an upload's body is checked (payload) ---

BAD_DIGEST = Kind(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
CONTENT_SHA256_MISPLACED = Kind(
    400, "InvalidRequest", "The value of x-amz-content-sha256 header is invalid."
)
INCOMPLETE_BODY = Kind(400, "IncompleteBody", "The request body terminated unexpectedly")
INVALID_CHUNK_SIZE = Kind(
    403,
    "InvalidChunkSizeError",
    "Only the last chunk is allowed to have a size less than 8192 bytes",
)
INVALID_DIGEST = Kind(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
MALFORMED_TRAILER = Kind(
    400,
    "MalformedTrailerError",
    "The request contained trailing data that was not well-formed or did not conform to our "
    "published schema.",
)

# --- raised while a browser's form is read (forms) ---

ENTITY_TOO_LARGE = Kind(
    400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"
)
ENTITY_TOO_SMALL = Kind(
    400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"
)
FORM_FILES = Kind(400, "InvalidArgument", "POST requires exactly one file upload per request.")
FORM_MALFORMED = Kind(
    400,
    "MalformedPOSTRequest",
    "The body of your POST request is not well-formed multipart/form-data.",
)
FORM_PRE_DATA = Kind(
    400,
    "MaxPostPreDataLengthExceeded",
    "Your POST request fields preceeding the upload file was too large.",  # sic
)
FORM_TYPE = Kind(
    412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"
)
INVALID_POLICY_DOCUMENT = Kind(400, "InvalidPolicyDocument", "Invalid Policy")  # with a message
POLICY_REFUSES = Kind(403, "AccessDenied", "Invalid according to Policy")  # with a message

# --- raised while a signature is checked (sigv4); the two malformed kinds always with a message ---

ANONYMOUS = Kind(403, "AccessDenied", "Access Denied")  # the request has no signature
AUTH_DATE_MISSING = Kind(
    403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"
)
AUTH_HEADER_MALFORMED = Kind(
    400, "AuthorizationHeaderMalformed", "The authorization header is malformed."
)
AUTH_HEADER_SPACE = Kind(
    400,
    "InvalidArgument",
    "Authorization header is invalid -- one and only one ' ' (space) required",
)
AUTH_MECHANISMS = Kind(
    400,
    "InvalidArgument",
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query "
    "string parameter or the Authorization header should be specified",
)
AUTH_QUERY_MALFORMED = Kind(
    400, "AuthorizationQueryParametersError", "The authorization parameters are malformed."
)
AUTH_TYPE = Kind(400, "InvalidArgument", "Unsupported Authorization Type")
CONTENT_SHA256_INVALID = Kind(
    400,
    "InvalidArgument",
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or "
    "a valid sha256 value.",
)
CONTENT_SHA256_MISSING = Kind(
    400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
)
HEADERS_NOT_SIGNED = Kind(
    403, "AccessDenied", "There were headers present in the request which were not signed"
)
INVALID_ACCESS_KEY_ID = Kind(
    403,
    "InvalidAccessKeyId",
    "The AWS Access Key Id you provided does not exist in our records.",
)
INVALID_TOKEN = Kind(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
REQUEST_EXPIRED = Kind(403, "AccessDenied", "Request has expired")
REQUEST_NOT_YET_VALID = Kind(403, "AccessDenied", "Request is not yet valid")
REQUEST_TIME_TOO_SKEWED = Kind(
    403,
    "RequestTimeTooSkewed",
    "The difference between the request time and the current time is too large.",
)
SIGNATURE_DOES_NOT_MATCH = Kind(
    403,
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided. Check your key "
    "and signing method.",
)
SIGV2_EXPIRES = Kind(403, "AccessDenied", "Invalid date (should be seconds since epoch)")
SIGV2_HEADER = Kind(
    400,
    "InvalidArgument",
    "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
)
SIGV2_PARAMETERS = Kind(
    403,
    "AccessDenied",
    "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
)
SIGV2_REFUSED = Kind(
    400,
    "InvalidRequest",
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
)
SIGV4A_NOT_IMPLEMENTED = Kind(
    501,
    "NotImplemented",
    "AWS4-ECDSA-P256-SHA256 (SigV4A) is not supported by this gateway. Please use "
    "AWS4-HMAC-SHA256.",
    Source.GATEWAY,
)
