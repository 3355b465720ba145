"""Translates an error of lakeFS into the error of S3.

    404 NoSuchBucket, and a request id      the repository exists, the branch does not
    403 ErrWriteToProtectedBranch           AccessDenied, and why
    404 without a document                  depends on the operation
    403 SignatureDoesNotMatch, ...          left as it is, for `s3/refusals`

Rules: every code that a client gets is AWS's, and so is its text, except for what is added about
branches; lakeFS's Key, BucketName and Resource, which name parts of what the client named, are
never relayed; what only an operator can repair is a 503 for the client and a log line for the
operator; a document is kept up to MAX_DOCUMENT bytes, of a longer one only the status counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fastpath.dialects.lakefs.name_checks import no_such_branch, no_such_bucket, no_such_key
from fastpath.dialects.translation import ClientRequest
from fastpath.errors import (
    ACCESS_DENIED,
    INTERNAL_ERROR,
    INVALID_ARGUMENT,
    INVALID_RANGE,
    INVALID_REQUEST,
    MALFORMED_XML,
    METADATA_TOO_LARGE,
    METHOD_NOT_ALLOWED,
    MISSING_CONTENT_LENGTH,
    NOT_IMPLEMENTED,
    PRECONDITION_FAILED,
    SERVICE_UNAVAILABLE,
    SLOW_DOWN,
    Kind,
    S3Error,
)
from fastpath.http.head import ResponseHead
from fastpath.s3.error_documents import read_error
from fastpath.s3.refusals import REFUSAL_STATUSES, SIGNATURE_CODES

MAX_DOCUMENT = 32768  # bytes; a document of lakeFS has less than one KiB
_MAX_NOTE = 200  # characters of lakeFS's text that are logged
_RETRY_AFTER = 1  # seconds

_UNAVAILABLE = "This is not available on the storage that serves this bucket."
_SAME_IN_S3 = {
    "AccessDenied": ACCESS_DENIED,
    "InternalError": INTERNAL_ERROR,
    "InvalidRange": INVALID_RANGE,
    "MalformedXML": MALFORMED_XML,
    "MetadataTooLarge": METADATA_TOO_LARGE,
    "MissingContentLength": MISSING_CONTENT_LENGTH,
    "PreconditionFailed": PRECONDITION_FAILED,
    "SlowDown": SLOW_DOWN,
}
_WITH_OWN_MESSAGE: Mapping[str, tuple[Kind, str]] = {
    "BadRequest": (INVALID_REQUEST, "The storage that serves this bucket cannot read the request."),
    "ERRLakeFSNotSupported": (NOT_IMPLEMENTED, _UNAVAILABLE),
    "ErrReadOnlyRepository": (ACCESS_DENIED, "Access Denied: the bucket is read-only"),
    "ErrWriteToProtectedBranch": (ACCESS_DENIED, "Access Denied: the branch is protected"),
    "NotImplemented": (NOT_IMPLEMENTED, _UNAVAILABLE),
}
_OF_A_BATCH = frozenset({"ErrDeletingKey"})  # lakeFS's InternalError about one key
# Codes about the gateway's signature that AWS does not have (`s3/refusals` has AWS's).
_OF_THE_SIGNATURE = frozenset(
    {
        "AuthorizationQueryParametersError",
        "ERRLakeFSWrongEndpoint",
        "MalformedDate",
        "MissingFields",
    }
)
# For errors without a document (of HEAD, of a proxy before lakeFS), or with an unknown code.
_BY_STATUS = {
    400: INVALID_REQUEST,
    403: ACCESS_DENIED,
    405: METHOD_NOT_ALLOWED,
    411: MISSING_CONTENT_LENGTH,
    412: PRECONDITION_FAILED,
    416: INVALID_RANGE,
    500: INTERNAL_ERROR,
    501: NOT_IMPLEMENTED,
}


class LakefsError(NamedTuple):
    """An error of lakeFS; `code` is empty without a document."""

    head: ResponseHead
    code: str
    message: str


class ErrorAnswer:
    """A BodyRewriter for an error; `instead`: makes the document of a 200 for some codes."""

    def __init__(
        self,
        client_request: ClientRequest,
        head: ResponseHead,
        instead: Mapping[str, Callable[[], bytes]] | None = None,
    ) -> None:
        self.status: int | None = None
        self._asked = client_request
        self._head = head
        self._instead = instead or {}
        self._document = b""

    def feed(self, data: bytes) -> bytes:
        """Keep the piece. Raises the error of this status if the document is too long."""
        self._document += data
        if len(self._document) > MAX_DOCUMENT:
            raise translate_error(self._asked, LakefsError(self._head, "", ""))
        return b""

    def finish(self) -> bytes:
        """Return a document of a 200, or lakeFS's own. Raises S3Error: the translated error."""
        found = read_error(self._document) if self._document else {}
        code = found.get("Code", "")
        if code in self._instead:
            document = self._instead[code]()
            self.status = 200
            return document
        if self._head.status in REFUSAL_STATUSES and (
            code in SIGNATURE_CODES or self._is_head_request()
        ):
            return self._document  # the exchange classifies it untranslated
        raise translate_error(self._asked, LakefsError(self._head, code, found.get("Message", "")))

    def _is_head_request(self) -> bool:
        """Whether it is a response to HEAD, which has no document."""
        return self._asked.operation in ("HeadBucket", "HeadObject")


def translate_error(client_request: ClientRequest, lakefs_error: LakefsError) -> S3Error:
    """Return the error of S3 for an error of lakeFS."""
    code, status = lakefs_error.code, lakefs_error.head.status
    if code in _SAME_IN_S3:
        return _with_message_of_s3(_SAME_IN_S3[code], client_request, lakefs_error)
    if code in _WITH_OWN_MESSAGE:
        kind, message = _WITH_OWN_MESSAGE[code]
        return S3Error(kind, message=message)
    if code in _OF_THE_SIGNATURE or (status == 401 and not code):
        return _unavailable(f"refused the gateway's signature: {code or status}")
    if status == 404:
        return _missing(client_request, lakefs_error)
    if code == "InvalidArgument":
        return S3Error(INVALID_ARGUMENT, message=lakefs_error.message or INVALID_ARGUMENT.message)
    if code == "InvalidRequest":
        return _invalid(client_request, lakefs_error)
    note = f"answered {status} {code[:_MAX_NOTE]}".rstrip()
    if status not in _BY_STATUS:
        return _unavailable(note)
    error = _with_message_of_s3(_BY_STATUS[status], client_request, lakefs_error)
    error.note = note if code else ""
    return error


def translate_batch_error(code: str, message: str) -> tuple[str, str]:
    """Return code and message for one key that was not deleted."""
    if code in _WITH_OWN_MESSAGE:
        kind, message = _WITH_OWN_MESSAGE[code]
        return kind.code, message
    if code in _OF_A_BATCH or code in _SAME_IN_S3:
        kind = _SAME_IN_S3.get(code, INTERNAL_ERROR)
        return kind.code, kind.message
    return code, message


def _with_message_of_s3(
    kind: Kind, client_request: ClientRequest, lakefs_error: LakefsError
) -> S3Error:
    if kind is SLOW_DOWN:
        return S3Error(kind, retry_after=_RETRY_AFTER)
    if kind is PRECONDITION_FAILED:
        return S3Error(kind, ("Condition", "If-None-Match"))
    if kind is INVALID_RANGE:
        return S3Error(
            kind, ("RangeRequested", client_request.fields.get(b"range", b"").decode("latin-1"))
        )
    return S3Error(kind)


def _missing(client_request: ClientRequest, lakefs_error: LakefsError) -> S3Error:
    """Return the error for a 404; lakeFS gives a request an id only if the repository exists."""
    known = b"x-amz-request-id" in lakefs_error.head.fields
    is_bucket = lakefs_error.code in ("NoSuchBucket", "ErrNoSuchBucketPossibleAPIEndpoint")
    if not client_request.key or (is_bucket and not known):
        return no_such_bucket(client_request.bucket)
    if is_bucket:
        return no_such_branch(client_request)
    error = no_such_key(client_request.key)
    if lakefs_error.code == "NoSuchVersion":
        error.note = "has lost the data of an object that it knows"
    return error


def _invalid(client_request: ClientRequest, lakefs_error: LakefsError) -> S3Error:
    """Return the error for a failed copy: lakeFS's text is internal, so only the log gets it."""
    message = "The storage that serves this bucket cannot do what was asked for."
    if client_request.operation == "CopyObject":
        message = (
            "The object cannot be copied: the branch may be protected, or the source larger than "
            "one copy may be."
        )
    error = S3Error(INVALID_REQUEST, message=message)
    shown = lakefs_error.message[:_MAX_NOTE]
    error.note = f"refused a {client_request.operation}: {shown}"
    return error


def _unavailable(note: str) -> S3Error:
    error = S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER)
    error.note = note
    return error
