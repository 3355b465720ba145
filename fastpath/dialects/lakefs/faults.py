"""An error of lakeFS -> the error of S3 that it is.

    404 NoSuchBucket, and a request id      the repository is known: it is the branch that is not
    403 ErrWriteToProtectedBranch           AccessDenied, and why
    404 without a document                  what the operation says of something missing
    403 SignatureDoesNotMatch, ...          left as it is: the gateway's own affair (`verdict`)

Rules: every code that goes down is AWS's, and so is its text, but for what is added of branches;
lakeFS's Key, BucketName and Resource, which name parts of what the client named, never do; what
only an operator can mend is a 503 for the client and a line for the operator; a document is kept to
MAX_DOCUMENT bytes, and a longer one is judged by its status.

Not here: errors about uploads and refs of lists (`upload_faults`, `lists`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fastpath.dialects.lakefs.names import no_such_branch, no_such_bucket, no_such_key
from fastpath.dialects.translation import Asked
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
from fastpath.s3.refusals import HELD_STATUSES, SIGNATURE_CODES

MAX_DOCUMENT = 32768  # bytes; a document of lakeFS has less than one KiB
_MAX_NOTE = 200  # characters of lakeFS's text that the operator is told
_RETRY_AFTER = 1  # seconds

_UNAVAILABLE = "This is not available on the storage that serves this bucket."
_MEANS_ONE = {
    "AccessDenied": ACCESS_DENIED,
    "InternalError": INTERNAL_ERROR,
    "InvalidRange": INVALID_RANGE,
    "MalformedXML": MALFORMED_XML,
    "MetadataTooLarge": METADATA_TOO_LARGE,
    "MissingContentLength": MISSING_CONTENT_LENGTH,
    "PreconditionFailed": PRECONDITION_FAILED,
    "SlowDown": SLOW_DOWN,
}
_SAYS_MORE: Mapping[str, tuple[Kind, str]] = {
    "BadRequest": (INVALID_REQUEST, "The storage that serves this bucket cannot read the request."),
    "ERRLakeFSNotSupported": (NOT_IMPLEMENTED, _UNAVAILABLE),
    "ErrReadOnlyRepository": (ACCESS_DENIED, "Access Denied: the bucket is read-only"),
    "ErrWriteToProtectedBranch": (ACCESS_DENIED, "Access Denied: the branch is protected"),
    "NotImplemented": (NOT_IMPLEMENTED, _UNAVAILABLE),
}
_OF_A_BATCH = frozenset({"ErrDeletingKey"})  # lakeFS's InternalError about one key
# About the gateway's own signature, in words that are not AWS's (AWS's are known to `verdict`).
_OF_THE_SIGNATURE = frozenset(
    {
        "AuthorizationQueryParametersError",
        "ERRLakeFSWrongEndpoint",
        "MalformedDate",
        "MissingFields",
    }
)
# Without a document (of HEAD, of a proxy before lakeFS), or with a code that is not known.
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


class Fault(NamedTuple):
    """An error as lakeFS said it; `code` is empty without a document."""

    head: ResponseHead
    code: str
    message: str


class FaultAnswer:
    """A Rendering of an error answer; `instead` are documents of 200 that some codes mean."""

    def __init__(
        self,
        asked: Asked,
        head: ResponseHead,
        instead: Mapping[str, Callable[[], bytes]] | None = None,
    ) -> None:
        self.status: int | None = None
        self._asked = asked
        self._head = head
        self._instead = instead or {}
        self._document = b""

    def feed(self, data: bytes) -> bytes:
        """Kept. Raises the error of this status if it is longer than any of lakeFS."""
        self._document += data
        if len(self._document) > MAX_DOCUMENT:
            raise translated(self._asked, Fault(self._head, "", ""))
        return b""

    def finish(self) -> bytes:
        """The document that is meant, or left as it is. Raises S3Error: the error that it is."""
        found = read_error(self._document) if self._document else {}
        code = found.get("Code", "")
        if code in self._instead:
            document = self._instead[code]()
            self.status = 200
            return document
        if self._head.status in HELD_STATUSES and (code in SIGNATURE_CODES or self._is_mute()):
            return self._document  # the exchange judges it, without a translation
        raise translated(self._asked, Fault(self._head, code, found.get("Message", "")))

    def _is_mute(self) -> bool:
        """It is an answer to HEAD, of which only the status is known."""
        return self._asked.operation in ("HeadBucket", "HeadObject")


def translated(asked: Asked, fault: Fault) -> S3Error:
    """The error of S3 for an error of lakeFS."""
    code, status = fault.code, fault.head.status
    if code in _MEANS_ONE:
        return _plain(_MEANS_ONE[code], asked, fault)
    if code in _SAYS_MORE:
        kind, message = _SAYS_MORE[code]
        return S3Error(kind, message=message)
    if code in _OF_THE_SIGNATURE or (status == 401 and not code):
        return _unavailable(f"refused the gateway's signature: {code or status}")
    if status == 404:
        return _missing(asked, fault)
    if code == "InvalidArgument":
        return S3Error(INVALID_ARGUMENT, message=fault.message or INVALID_ARGUMENT.message)
    if code == "InvalidRequest":
        return _invalid(asked, fault)
    note = f"answered {status} {code[:_MAX_NOTE]}".rstrip()
    if status not in _BY_STATUS:
        return _unavailable(note)
    error = _plain(_BY_STATUS[status], asked, fault)
    error.note = note if code else ""
    return error


def in_a_batch(code: str, message: str) -> tuple[str, str]:
    """Code and text of one key that was not deleted."""
    if code in _SAYS_MORE:
        kind, message = _SAYS_MORE[code]
        return kind.code, message
    if code in _OF_A_BATCH or code in _MEANS_ONE:
        kind = _MEANS_ONE.get(code, INTERNAL_ERROR)
        return kind.code, kind.message
    return code, message


def _plain(kind: Kind, asked: Asked, fault: Fault) -> S3Error:
    if kind is SLOW_DOWN:
        return S3Error(kind, retry_after=_RETRY_AFTER)
    if kind is PRECONDITION_FAILED:
        return S3Error(kind, ("Condition", "If-None-Match"))
    if kind is INVALID_RANGE:
        return S3Error(kind, ("RangeRequested", asked.fields.get(b"range", b"").decode("latin-1")))
    return S3Error(kind)


def _missing(asked: Asked, fault: Fault) -> S3Error:
    """What is missing; lakeFS gives a request its id only once it knows the repository."""
    known = b"x-amz-request-id" in fault.head.fields
    is_bucket = fault.code in ("NoSuchBucket", "ErrNoSuchBucketPossibleAPIEndpoint")
    if not asked.key or (is_bucket and not known):
        return no_such_bucket(asked.bucket)
    if is_bucket:
        return no_such_branch(asked)
    error = no_such_key(asked.key)
    if fault.code == "NoSuchVersion":
        error.note = "has lost the data of an object that it knows"
    return error


def _invalid(asked: Asked, fault: Fault) -> S3Error:
    """A failed copy: lakeFS's text is of its inside, for the operator alone."""
    message = "The storage that serves this bucket cannot do what was asked for."
    if asked.operation == "CopyObject":
        message = (
            "The object cannot be copied: the branch may be protected, or the source larger than "
            "one copy may be."
        )
    error = S3Error(INVALID_REQUEST, message=message)
    shown = fault.message[:_MAX_NOTE]
    error.note = f"refused a {asked.operation}: {shown}"
    return error


def _unavailable(note: str) -> S3Error:
    error = S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER)
    error.note = note
    return error
