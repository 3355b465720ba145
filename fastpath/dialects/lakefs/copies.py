"""The source of a copy: how it goes up, and what must be known of it.

    before, if there is a condition, a range or another type     HEAD of the source -> 412, 400, 501
    after a 404, or a 400 of a copied part or of a source        HEAD of the source -> 404, or
    like `main^2`                                                whether there is such a ref -> 404

Rules: a copy source goes up with every byte escaped that lakeFS would read in another way;
conditions on the source are judged here, by its HEAD, because lakeFS overlooks them: another writer
may come between that HEAD and the copy (docs/lakefs.md). A condition that nobody could check is
never taken for one that holds.

Not here: judging (`conditions`), the object or part that is made (`writes`, `uploads`).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote_from_bytes

from fastpath.dialects.lakefs.documents import unreadable
from fastpath.dialects.lakefs.list_requests import invalid
from fastpath.dialects.lakefs.names import (
    check_read,
    check_repository,
    no_such_bucket,
    no_such_key,
)
from fastpath.dialects.lakefs.part_requests import COPIED_RANGE, read_copied_range
from fastpath.dialects.lakefs.refs import ask_ref, has_expression, is_unknown
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import Question, Reply
from fastpath.errors import ACCESS_DENIED, NOT_IMPLEMENTED, PRECONDITION_FAILED, S3Error
from fastpath.http.query import parse_query
from fastpath.s3.addressing import locate_copy_source
from fastpath.s3.conditions import CONDITIONS, Conditions

COPY_SOURCE = b"x-amz-copy-source"
_PATH_SAFE = "/-_.~"  # what lakeFS reads as it stands
_ON_SOURCE = b"x-amz-copy-source-"


class Source:
    """The source of one copy."""

    def __init__(self, request: Request) -> None:
        """Puts it into lakeFS's words. Raises S3Error for one that cannot be, or of a version."""
        fields = request.asked.fields
        self.bucket, self.key = _located(fields[COPY_SOURCE])
        path = b"/" + self.bucket + b"/" + self.key
        self.path = quote_from_bytes(path, safe=_PATH_SAFE).encode()
        request.put_line(COPY_SOURCE, self.path)
        self._conditions = _conditions(fields)
        self._range = read_copied_range(fields)

    @property
    def must_be_known(self) -> bool:
        """Whether the copy may go up only after a look at its source."""
        return self._conditions is not None or self._range is not None

    def question(self) -> Question:
        """What is asked of it."""
        return Question(self.path, b"", b"HEAD")

    def check(self, reply: Reply) -> None:
        """The copy must not go up if the reply says so. Raises S3Error."""
        missing = self.missing(reply)
        if isinstance(missing, S3Error):
            raise missing
        if not self.must_be_known:
            return
        if reply.status != 200:
            raise _unknown(reply)
        failed = self._conditions.check(reply.fields) if self._conditions is not None else None
        if failed is not None:
            raise self._of_the_source(failed)
        if self._range is not None:
            _check_inside(self._range, reply.fields.get(b"content-length", b""))

    def _of_the_source(self, failed: S3Error) -> S3Error:
        """S3 has no 304 of a copy: every condition that does not hold is a 412."""
        assert self._conditions is not None  # it failed
        of_a_304 = "If-None-Match" if self._conditions.none_match else "If-Modified-Since"
        name = dict(failed.extras).get("Condition", of_a_304)
        return S3Error(PRECONDITION_FAILED, ("Condition", f"{_ON_SOURCE.decode()}{name}"))

    def missing(self, reply: Reply) -> S3Error | Question | None:
        """Whether it is not there, or what must be asked besides.

        lakeFS gives a request its id only if it has the repository.
        """
        if reply.status == 500 and has_expression(self.key):
            return ask_ref(self.bucket, self.key)
        if is_unknown(reply):
            return no_such_key(self.key)
        if reply.status != 404:
            return None
        if b"x-amz-request-id" in reply.fields:
            return no_such_key(self.key)
        return no_such_bucket(self.bucket)


def _located(sent: bytes) -> tuple[bytes, bytes]:
    bucket, key = locate_copy_source(sent)
    for name, value in parse_query(sent.partition(b"?")[2]):
        if (name, value) != (b"versionId", b"null"):
            raise S3Error(
                NOT_IMPLEMENTED,
                ("Header", COPY_SOURCE.decode()),
                message="Versions are not available on the storage that serves this bucket.",
            )
    check_repository(bucket)
    check_read(key)
    return bucket, key


def _conditions(fields: Mapping[bytes, bytes]) -> Conditions | None:
    values = [fields.get(_ON_SOURCE + name) or None for name in CONDITIONS]
    return Conditions(*values) if any(values) else None


def _check_inside(wanted: tuple[int, int], size: bytes) -> None:
    if not size.isdigit():
        raise unreadable()
    if wanted[1] >= int(size):
        raise invalid(
            COPIED_RANGE,
            f"Range specified is not valid for source object of size: {size.decode()}",
            f"bytes={wanted[0]}-{wanted[1]}",
        )


def _unknown(reply: Reply) -> S3Error:
    error = S3Error(ACCESS_DENIED) if reply.status == 403 else unreadable()
    error.note = f"answered {reply.status} to a question about the source of a copy"
    return error
