"""Checks the source of a copy, and writes it as lakeFS reads it.

    before, if there is a condition, a range or another type     HEAD of the source -> 412, 400, 501
    after a 404, or a 400 of a copied part or of a source        HEAD of the source -> 404, or
    like `main^2`                                                whether the ref exists -> 404

Rules: a copy source is sent with every byte escaped that lakeFS would read in another way;
conditions on the source are evaluated here against the reply to a HEAD of it, because lakeFS
ignores them: another client may write between that HEAD and the copy (docs/lakefs.md). A condition
that could not be evaluated never counts as met.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote_from_bytes

from fastpath.dialects.lakefs.document_reader import unreadable_response
from fastpath.dialects.lakefs.name_checks import (
    check_read,
    check_repository,
    no_such_bucket,
    no_such_key,
)
from fastpath.dialects.lakefs.part_requests import COPIED_RANGE, read_copied_range
from fastpath.dialects.lakefs.ref_questions import has_ref_expression, is_ref_unknown, ref_question
from fastpath.dialects.lakefs.request import Request
from fastpath.errors import ACCESS_DENIED, NOT_IMPLEMENTED, PRECONDITION_FAILED, S3Error
from fastpath.http.query import parse_query
from fastpath.response.filters import Question, Reply
from fastpath.s3.addressing import COPY_SOURCE, locate_copy_source
from fastpath.s3.conditions import CONDITIONS, Conditions
from fastpath.s3.list_parameters import invalid

_PATH_SAFE = "/-_.~"  # what lakeFS does not decode
_ON_SOURCE = b"x-amz-copy-source-"


class Source:
    """The source of one copy."""

    def __init__(self, request: Request) -> None:
        """Escape it for lakeFS. Raises S3Error for one that cannot exist, or with a version."""
        fields = request.client_request.fields
        self.bucket, self.key = _read_source(fields[COPY_SOURCE])
        path = b"/" + self.bucket + b"/" + self.key
        self.path = quote_from_bytes(path, safe=_PATH_SAFE).encode()
        request.set_header(COPY_SOURCE, self.path)
        self._conditions = _conditions(fields)
        self._range = read_copied_range(fields)

    @property
    def must_be_checked(self) -> bool:
        """Whether the copy may be sent only after a HEAD of its source."""
        return self._conditions is not None or self._range is not None

    def question(self) -> Question:
        """Return the HEAD of the source."""
        return Question(self.path, b"", b"HEAD")

    def check(self, reply: Reply) -> None:
        """Check the reply to that HEAD. Raises S3Error: the copy must not be sent."""
        missing_source = self.missing_source(reply)
        if isinstance(missing_source, S3Error):
            raise missing_source
        if not self.must_be_checked:
            return
        if reply.status != 200:
            raise _unknown_source(reply)
        failed = self._conditions.check(reply.fields) if self._conditions is not None else None
        if failed is not None:
            raise self._as_412(failed)
        if self._range is not None:
            _check_range(self._range, reply.fields.get(b"content-length", b""))

    def _as_412(self, failed: S3Error) -> S3Error:
        """Return the 412 for a condition that is not met: S3 answers a copy with no 304."""
        assert self._conditions is not None  # it failed
        of_a_304 = "If-None-Match" if self._conditions.none_match else "If-Modified-Since"
        name = dict(failed.extras).get("Condition", of_a_304)
        return S3Error(PRECONDITION_FAILED, ("Condition", f"{_ON_SOURCE.decode()}{name}"))

    def missing_source(self, reply: Reply) -> S3Error | Question | None:
        """Return the error if the source does not exist, or what else to ask.

        lakeFS gives a request an id only if the repository exists.
        """
        if reply.status == 500 and has_ref_expression(self.key):
            return ref_question(self.bucket, self.key)
        if is_ref_unknown(reply):
            return no_such_key(self.key)
        if reply.status != 404:
            return None
        if b"x-amz-request-id" in reply.fields:
            return no_such_key(self.key)
        return no_such_bucket(self.bucket)


def _read_source(sent: bytes) -> tuple[bytes, bytes]:
    bucket, key = locate_copy_source(sent)
    for name, value in parse_query(sent.partition(b"?")[2]):
        if (name, value) != (b"versionId", b"null"):
            raise S3Error(
                NOT_IMPLEMENTED,
                ("Header", COPY_SOURCE.decode()),
                message="Versions are not available on the storage that serves this bucket.",
            )
    check_repository(bucket)
    check_read(key, key)
    return bucket, key


def _conditions(fields: Mapping[bytes, bytes]) -> Conditions | None:
    values = [fields.get(_ON_SOURCE + name) or None for name in CONDITIONS]
    return Conditions(*values) if any(values) else None


def _check_range(wanted: tuple[int, int], size: bytes) -> None:
    if not size.isdigit():
        raise unreadable_response()
    if wanted[1] >= int(size):
        raise invalid(
            COPIED_RANGE,
            f"Range specified is not valid for source object of size: {size.decode()}",
            f"bytes={wanted[0]}-{wanted[1]}",
        )


def _unknown_source(reply: Reply) -> S3Error:
    error = S3Error(ACCESS_DENIED) if reply.status == 403 else unreadable_response()
    error.note = f"answered {reply.status} to a question about the source of a copy"
    return error
