"""PutObject, CopyObject and CreateMultipartUpload.

Rules: what lakeFS would forget of an object is refused if it is a promise; a copy that should have
another type than its source is refused, because lakeFS gives it its source's: the type is asked for
before.

Not here: the source of a copy (`copies`); conditions on the copy itself, which lakeFS overlooks
(`profiles`); parts (`uploads`).
"""

from __future__ import annotations

from fastpath.dialects.lakefs.copies import Source
from fastpath.dialects.lakefs.documents import unreadable
from fastpath.dialects.lakefs.list_requests import invalid
from fastpath.dialects.lakefs.names import check_write
from fastpath.dialects.lakefs.promises import check_promises
from fastpath.dialects.lakefs.refs import has_expression
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import Answer, Asked, Question, Reply
from fastpath.errors import NOT_IMPLEMENTED, S3Error
from fastpath.head import ResponseHead

_DIRECTIVE = b"x-amz-metadata-directive"


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
        self._source = Source(self)
        directive = asked.fields.get(_DIRECTIVE, b"COPY")
        if directive not in (b"COPY", b"REPLACE"):
            text = "Unknown metadata directive."
            raise invalid(_DIRECTIVE.decode(), text, directive.decode("latin-1"))
        self._type = asked.fields.get(b"content-type") if directive == b"REPLACE" else None
        if self._type is not None or self._source.must_be_known:
            self.first = self._source.question()

    def learn(self, reply: Reply) -> None:
        self._source.check(reply)
        if self._type is None or reply.status != 200:
            return
        if reply.fields.get(b"content-type") != self._type:
            raise S3Error(
                NOT_IMPLEMENTED,
                ("Header", "content-type"),
                message="A copy has the Content-Type of its source on the storage that serves this "
                "bucket.",
            )

    def question(self, status: int) -> Question | None:
        """lakeFS says 404 of the source, its repository, and the branch to copy to; a source whose
        ref cannot be is one of the failures of which it says 400.
        """
        is_of_source = status == 404 or (status == 400 and has_expression(self._source.key))
        return self._source.question() if is_of_source else None

    def conclude(self, reply: Reply) -> S3Error | Question | None:
        return self._source.missing(reply)


def check_condition(asked: Asked) -> None:
    """lakeFS and S3 know `If-None-Match: *` of a write; lakeFS no other. Raises S3Error.

    An empty line is no condition: S3, and lakeFS, read it as if it were not there.
    """
    if asked.fields.get(b"if-match") or asked.fields.get(b"if-none-match", b"") not in (b"", b"*"):
        name = "If-Match" if asked.fields.get(b"if-match") else "If-None-Match"
        raise S3Error(NOT_IMPLEMENTED, ("Header", name))
