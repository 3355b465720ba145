"""The error codes that lakeFS raises, and their documents.

Rules: the table is complete as the description gives it: nothing raises a code that is not in it,
and the codes of AWS that lakeFS never raises (NoSuchUpload, InvalidAccessKeyId, BadDigest) are not;
the messages are ours but for those of ERRLakeFSNotSupported and BadRequest.
"""

from __future__ import annotations

from tests.doubles.lakefs.xml import element

CODES: dict[str, tuple[int, str]] = {
    # lakeFS's own
    "ERRLakeFSNotSupported": (405, "This operation is not supported in LakeFS"),
    "ErrWriteToProtectedBranch": (403, "Attempted to write to a protected branch"),
    "ErrReadOnlyRepository": (403, "Attempted to write to a read-only repository"),
    "ErrNoSuchBucketPossibleAPIEndpoint": (404, "Repository not found; is this an API endpoint?"),
    "MissingFields": (400, "Missing fields in request."),
    "BadRequest": (400, "400 BadRequest"),
    "MalformedDate": (400, "Invalid date format header, expected to be in ISO8601."),
    # AWS's
    "AccessDenied": (403, "Access Denied."),
    "SignatureDoesNotMatch": (403, "The request signature we calculated does not match."),
    "RequestTimeTooSkewed": (403, "The difference between the times is too large."),
    "AuthorizationHeaderMalformed": (400, "The authorization header is malformed."),
    "AuthorizationQueryParametersError": (400, "Error parsing the query parameters."),
    "InvalidRequest": (400, "Invalid Request"),
    "InvalidArgument": (400, "Invalid Argument"),
    "MalformedXML": (400, "The XML you provided was not well-formed."),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed size."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "PreconditionFailed": (412, "At least one of the preconditions did not hold"),
    "BucketAlreadyExists": (409, "The requested bucket name is not available."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "NotImplemented": (501, "A header or query you provided is not implemented"),
    "SlowDown": (503, "Please reduce your request rate"),
    "InternalError": (500, "We encountered an internal error, please try again."),
}


class Refusal(Exception):
    """An error with a document. `status` only where a code has more than one."""

    def __init__(self, code: str, message: str = "", *, status: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.status = status or CODES[code][0]
        self.message = message or CODES[code][1]


class Bodyless(Exception):
    """An answer of a status alone: no document, not even for GET."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ReadFault(Exception):
    """The body cannot be read to its end, or is not what was signed."""


def document(
    refusal: Refusal, *, repository: str, ref: str, key: str, request_id: str, host_id: str
) -> bytes:
    """The Error document; BucketName is the repository, Key the path without the ref."""
    return element(
        "Error",
        element("Code", refusal.code),
        element("Message", refusal.message),
        element("Key", key) if key else b"",
        element("BucketName", repository) if repository else b"",
        element("Resource", f"{ref}@{repository}"),
        element("RequestId", request_id),
        element("HostId", host_id),
    )
