"""Translates PutObject, CopyObject and CreateMultipartUpload.

Rules: a header that lakeFS would ignore is refused if the client relies on it; a copy with another
type than its source is refused, because lakeFS keeps the source's: the type is asked for first.
lakeFS has no object with an empty path: such a PutObject without data is answered as if it were
stored, because it can only mean a directory, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastpath.dialects.lakefs.copy_sources import Source
from fastpath.dialects.lakefs.document_reader import unreadable_response
from fastpath.dialects.lakefs.ignored_headers import ignored_object_headers
from fastpath.dialects.lakefs.name_checks import (
    check_write,
    is_branch,
    no_object,
    no_such_branch,
    no_such_bucket,
)
from fastpath.dialects.lakefs.ref_questions import has_ref_expression
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import ClientRequest
from fastpath.errors import ACCESS_DENIED, NOT_IMPLEMENTED, S3Error
from fastpath.http.head import ResponseHead
from fastpath.payload.body_plan import DECODED_LENGTH
from fastpath.response.filters import Question, Reply, Step
from fastpath.response.own_answer import OwnAnswer
from fastpath.s3.list_parameters import invalid

_DIRECTIVE = b"x-amz-metadata-directive"
_DEFAULT_TYPE = b"binary/octet-stream"  # S3's; lakeFS's is application/octet-stream
_ETAG_OF_NOTHING = b'"d41d8cd98f00b204e9800998ecf8427e"'


class Write(Request):
    """A request that creates an object or an upload."""

    def __init__(self, client_request: ClientRequest) -> None:
        check_write(client_request)
        names = ignored_object_headers(client_request)
        super().__init__(client_request)
        self.drop_headers(names)


class Upload(Write):
    """A CreateMultipartUpload, or a PutObject: it has a Content-Type."""

    def __init__(self, client_request: ClientRequest) -> None:
        super().__init__(client_request)
        if not client_request.fields.get(b"content-type"):
            self.set_header(b"content-type", _DEFAULT_TYPE)


class PutObject(Upload):
    """A PutObject."""

    def __init__(self, client_request: ClientRequest) -> None:
        check_condition(client_request)
        super().__init__(client_request)

    def success(self, head: ResponseHead) -> Step:
        # A 200 without an ETag is not of lakeFS's S3 gateway, and nothing was stored: it is of its
        # UI, if a proxy before it removes the signature.
        if b"etag" not in head.fields:
            raise unreadable_response()
        return None


class PutDirectory(Request):
    """A PutObject of `main/`, a directory that a file system creates before it writes below it."""

    def __init__(self, client_request: ClientRequest) -> None:
        check_condition(client_request)
        names = ignored_object_headers(client_request)
        branch = client_request.upstream.key[:-1]
        if not is_branch(branch):
            raise no_such_branch(client_request)
        super().__init__(client_request)
        self.drop_headers(names)
        self.check = EmptyBody(client_request.fields)
        query = f"list-type=2&prefix={branch.decode()}%2F&max-keys=1"
        self.first_question = Question(b"/" + client_request.upstream.bucket, query.encode())
        self.own_answer = OwnAnswer(200, [b"ETag: " + _ETAG_OF_NOTHING], b"")

    def on_first_reply(self, reply: Reply) -> None:
        """Check that the branch exists. Raises S3Error."""
        if reply.status == 404:
            raise no_such_bucket(self.client_request.bucket)
        if reply.status == 400:
            raise no_such_branch(self.client_request)
        if reply.status != 200:
            raise S3Error(ACCESS_DENIED) if reply.status == 403 else unreadable_response()


class EmptyBody:
    """A Check: the body is empty, chunked or not."""

    def __init__(self, fields: Mapping[bytes, bytes]) -> None:
        """Raises S3Error if the headers say that it is not empty."""
        length = fields.get(DECODED_LENGTH)
        if length is None and b"aws-chunked" not in fields.get(b"content-encoding", b""):
            length = fields.get(b"content-length")
        if length is not None and length.strip(b"0"):
            raise no_object()

    def update(self, data: bytes | memoryview, /) -> None:
        """Raises S3Error InvalidRequest."""
        if data:
            raise no_object()

    def confirm(self) -> None:
        """An empty body needs no other check."""


def put_object(client_request: ClientRequest) -> Request:
    """Translate a PutObject. Raises S3Error."""
    key = client_request.upstream.key
    is_root = key.endswith(b"/") and key.count(b"/") == 1 and len(key) > 1
    return PutDirectory(client_request) if is_root else PutObject(client_request)


class CopyObject(Write):
    """A CopyObject."""

    def __init__(self, client_request: ClientRequest) -> None:
        super().__init__(client_request)
        self._source = Source(self)
        directive = client_request.fields.get(_DIRECTIVE, b"COPY")
        if directive not in (b"COPY", b"REPLACE"):
            text = "Unknown metadata directive."
            raise invalid(_DIRECTIVE.decode(), text, directive.decode("latin-1"))
        # S3 replaces the type with the metadata; lakeFS keeps that of the source.
        sent = client_request.fields.get(b"content-type") or _DEFAULT_TYPE
        self._type = sent if directive == b"REPLACE" else None
        if self._type is not None or self._source.must_be_checked:
            self.first_question = self._source.question()

    def on_first_reply(self, reply: Reply) -> None:
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
        """Ask about the source: lakeFS answers 404 if the source, its repository or the branch to
        copy to does not exist, and 400, among others, if the source's ref cannot exist.
        """
        is_of_source = status == 404 or (status == 400 and has_ref_expression(self._source.key))
        return self._source.question() if is_of_source else None

    def on_reply(self, reply: Reply) -> S3Error | Question | None:
        return self._source.missing_source(reply)


def check_condition(client_request: ClientRequest) -> None:
    """Refuse conditions on a write but `If-None-Match: *`: lakeFS has no other. Raises S3Error.

    An empty header is no condition, for S3 and for lakeFS.
    """
    if client_request.fields.get(b"if-match") or client_request.fields.get(
        b"if-none-match", b""
    ) not in (b"", b"*"):
        name = "If-Match" if client_request.fields.get(b"if-match") else "If-None-Match"
        raise S3Error(NOT_IMPLEMENTED, ("Header", name))
