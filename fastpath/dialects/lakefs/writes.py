"""PutObject, CopyObject and CreateMultipartUpload.

Rules: what lakeFS would forget of an object is refused if it is a promise; a copy that should have
another type than its source is refused, because lakeFS gives it its source's: the type is asked for
before. lakeFS can hold no object with an empty path: an empty one is answered as if it were stored,
because a directory is all it can mean, and nothing goes up.

Not here: the source of a copy (`copies`); conditions on the copy itself, which lakeFS overlooks
(`profiles`); parts (`uploads`).
"""

from __future__ import annotations

from collections.abc import Mapping

from fastpath.dialects.lakefs.copies import Source
from fastpath.dialects.lakefs.documents import unreadable
from fastpath.dialects.lakefs.list_requests import invalid
from fastpath.dialects.lakefs.names import (
    check_write,
    is_branch,
    no_object,
    no_such_branch,
    no_such_bucket,
)
from fastpath.dialects.lakefs.promises import forgotten_of_an_object
from fastpath.dialects.lakefs.refs import has_expression
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import Answer, Asked, Question, Reply
from fastpath.errors import ACCESS_DENIED, NOT_IMPLEMENTED, S3Error
from fastpath.http.head import ResponseHead
from fastpath.response.own import Answer as OwnAnswer

_DIRECTIVE = b"x-amz-metadata-directive"
_DECODED_LENGTH = b"x-amz-decoded-content-length"
_DEFAULT_TYPE = b"binary/octet-stream"  # S3's; lakeFS's is application/octet-stream
_ETAG_OF_NOTHING = b'"d41d8cd98f00b204e9800998ecf8427e"'


class Write(Request):
    """An object, or an upload in parts, that is made."""

    def __init__(self, asked: Asked) -> None:
        check_write(asked)
        names = forgotten_of_an_object(asked)
        super().__init__(asked)
        self.forget(names)


class Upload(Write):
    """What may have a type: the beginning of an upload in parts, or a PutObject."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        if not asked.fields.get(b"content-type"):
            self.put_line(b"content-type", _DEFAULT_TYPE)


class PutObject(Upload):
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


class PutRoot(Request):
    """`main/`, which a file system makes as a directory before it writes below it."""

    def __init__(self, asked: Asked) -> None:
        check_condition(asked)
        names = forgotten_of_an_object(asked)
        branch = asked.key[:-1]
        if not is_branch(branch):
            raise no_such_branch(asked)
        super().__init__(asked)
        self.forget(names)
        self.check = Nothing(asked.fields)
        query = f"list-type=2&prefix={branch.decode()}%2F&max-keys=1"
        self.first = Question(b"/" + asked.bucket, query.encode())
        self.made = OwnAnswer(200, [b"ETag: " + _ETAG_OF_NOTHING], b"")

    def learn(self, reply: Reply) -> None:
        """Whether there is such a branch."""
        if reply.status == 404:
            raise no_such_bucket(self.asked.bucket)
        if reply.status == 400:
            raise no_such_branch(self.asked)
        if reply.status != 200:
            raise S3Error(ACCESS_DENIED) if reply.status == 403 else unreadable()


class Nothing:
    """A Check: the body is empty, in whatever frames it comes."""

    def __init__(self, fields: Mapping[bytes, bytes]) -> None:
        """Raises S3Error if it is known not to be."""
        length = fields.get(_DECODED_LENGTH)
        if length is None and b"aws-chunked" not in fields.get(b"content-encoding", b""):
            length = fields.get(b"content-length")
        if length is not None and length.strip(b"0"):
            raise no_object()

    def update(self, data: bytes | memoryview, /) -> None:
        """Raises S3Error InvalidRequest."""
        if data:
            raise no_object()

    def confirm(self) -> None:
        """Nothing came."""


def put_object(asked: Asked) -> Request:
    """A PutObject. Raises S3Error."""
    is_root = asked.key.endswith(b"/") and asked.key.count(b"/") == 1 and len(asked.key) > 1
    return PutRoot(asked) if is_root else PutObject(asked)


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
