"""PutObject, CopyObject and CreateMultipartUpload.

Rules: what lakeFS would forget of an object is refused if it is a promise; a copy source goes up
with every byte escaped that lakeFS would read in another way; a copy that should have another type
than its source is refused, because lakeFS gives it its source's: the type is asked for before.

Not here: conditions on a copy, which lakeFS overlooks (`profiles`); parts (`uploads`).
"""

from __future__ import annotations

from urllib.parse import quote_from_bytes

from fastpath.addressing import locate_copy_source
from fastpath.dialects.lakefs.documents import unreadable
from fastpath.dialects.lakefs.list_requests import invalid
from fastpath.dialects.lakefs.names import (
    check_read,
    check_repository,
    check_write,
    no_such_branch,
    no_such_key,
)
from fastpath.dialects.lakefs.promises import check_promises
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import Answer, Asked, Question, Reply
from fastpath.errors import NOT_IMPLEMENTED, S3Error
from fastpath.errorxml import read_error
from fastpath.head import ResponseHead
from fastpath.query import parse_query

COPY_SOURCE = b"x-amz-copy-source"
_DIRECTIVE = b"x-amz-metadata-directive"
_PATH_SAFE = "/-_.~"  # what lakeFS reads as it stands


class Write(Request):
    """The beginning of an upload in parts, or a PutObject."""

    def __init__(self, asked: Asked) -> None:
        check_write(asked)
        check_promises(asked.fields)
        super().__init__(asked)


class PutObject(Write):
    """One object in one request."""

    def __init__(self, asked: Asked) -> None:
        check_condition(asked)
        super().__init__(asked)

    def success(self, head: ResponseHead) -> Answer:
        # Whoever answers 200 without one has stored nothing: lakeFS's UI, if a proxy before it
        # takes the signature away.
        if b"etag" not in head.fields:
            raise unreadable()
        return None


class CopyObject(Write):
    """An object made of another one."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        source = translate_source(self)
        directive = asked.fields.get(_DIRECTIVE, b"COPY")
        if directive not in (b"COPY", b"REPLACE"):
            text = "Unknown metadata directive."
            raise invalid(_DIRECTIVE.decode(), text, directive.decode("latin-1"))
        self._source = source
        self._type = asked.fields.get(b"content-type") if directive == b"REPLACE" else None
        if self._type is not None:
            self.first = Question(source, b"", b"HEAD")

    def learn(self, reply: Reply) -> None:
        if reply.status == 404:
            raise no_such_key(locate_copy_source(self._source)[1])
        if reply.status == 200 and reply.fields.get(b"content-type") != self._type:
            raise S3Error(
                NOT_IMPLEMENTED,
                ("Header", "content-type"),
                message="A copy has the Content-Type of its source on the storage that serves this "
                "bucket.",
            )

    def question(self, status: int) -> Question | None:
        """lakeFS says 400 of every failure; whether the branch is there can be asked."""
        if status != 400:
            return None
        branch = quote_from_bytes(self.asked.key.partition(b"/")[0], safe="")
        query = f"list-type=2&prefix={branch}%2F&max-keys=1"
        return Question(b"/" + self.asked.bucket, query.encode())

    def conclude(self, reply: Reply) -> S3Error | None:
        if reply.status == 400 and read_error(reply.body).get("Code") == "BadRequest":
            return no_such_branch(self.asked)
        return None


def translate_source(request: Request) -> bytes:
    """Put the copy source of a request into lakeFS's words; returns its path, escaped.

    Raises S3Error for a source that cannot be, or of a version.
    """
    sent = request.asked.fields[COPY_SOURCE]
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
    path = quote_from_bytes(b"/" + bucket + b"/" + key, safe=_PATH_SAFE).encode()
    request.drop = (*request.drop, COPY_SOURCE)
    request.add = (*request.add, (COPY_SOURCE, path))
    return path


def check_condition(asked: Asked) -> None:
    """lakeFS and S3 know `If-None-Match: *` of a write; lakeFS no other. Raises S3Error."""
    if b"if-match" in asked.fields or asked.fields.get(b"if-none-match", b"*") != b"*":
        name = "If-Match" if b"if-match" in asked.fields else "If-None-Match"
        raise S3Error(NOT_IMPLEMENTED, ("Header", name))
