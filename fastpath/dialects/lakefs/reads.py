"""Translates GetObject and HeadObject, and does what lakeFS ignores of them.

Rules: one request to lakeFS; conditions are evaluated against the ETag and date of its response,
whose body is then not relayed; a Range whose If-Range does not hold is sent again without it; an
object has one part, because lakeFS does not keep where its parts were; lakeFS does not say the size
in a 416, so it is asked for; an empty object has no range at all; a 500 for a ref like `main^2`, or
`v1@` of a tag, may mean that there is no such commit or branch, so lakeFS is asked.
"""

from __future__ import annotations

from fastpath.dialects.lakefs.ignored_headers import ignored_key_headers
from fastpath.dialects.lakefs.metadata import with_lower_case_metadata
from fastpath.dialects.lakefs.name_checks import check_read, no_such_key
from fastpath.dialects.lakefs.part_requests import check_part_number
from fastpath.dialects.lakefs.ref_questions import has_ref_expression, is_ref_unknown, ref_question
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import MAX_DISCARDED_BYTES, ClientRequest, ErrorInstead, Fields
from fastpath.errors import (
    INVALID_PART_NUMBER,
    INVALID_RANGE,
    INVALID_REQUEST,
    S3Error,
)
from fastpath.http.head import ResponseHead
from fastpath.http.query import is_field_value
from fastpath.response.filters import HeadChange, Question, Reason, Reply, SendAgain, Step
from fastpath.s3.conditions import if_range_holds, read_conditions
from fastpath.s3.list_parameters import invalid

_PREFIX = b"response-"
_REPLACED = frozenset(
    b"cache-control content-disposition content-encoding content-language content-type "
    b"expires".split()
)


class Read(Request):
    """A GetObject or HeadObject."""

    def __init__(self, client_request: ClientRequest) -> None:
        check_read(client_request.upstream.key, client_request.key)
        names = ignored_key_headers(client_request)
        super().__init__(client_request)
        self.drop_headers(names)
        self._replaced, self._part = _read_query(client_request)
        self._conditions = read_conditions(client_request.fields)
        self._range = client_request.fields.get(b"range")
        if_range = client_request.fields.get(b"if-range") or None
        self._if_range = if_range if self._range is not None else None
        self._asks_ref = False

    def answer(self, head: ResponseHead) -> Step:
        if head.status == 416 and self._if_range is not None:
            return self._ask_without_range()
        return super().answer(head)

    def success(self, head: ResponseHead) -> Step:
        if head.status not in (200, 206):
            return None
        error = self._conditions.check(head.fields) if self._conditions is not None else None
        if error is None and self._part > 1:
            error = S3Error(INVALID_PART_NUMBER, ("PartNumber", str(self._part)))
        if error is not None:
            if (
                self.client_request.operation == "GetObject"
                and (head.content_length or 0) > MAX_DISCARDED_BYTES
            ):
                raise error
            return ErrorInstead(error)
        condition = self._if_range if head.status == 206 else None
        if condition is not None and not if_range_holds(condition, head.fields):
            return self._ask_without_range()
        if head.status == 206 and _is_range_of_empty_object(head):
            return ErrorInstead(self._out_of_range(b"0"))
        return with_lower_case_metadata(head, self._changed_head(head))

    def _changed_head(self, head: ResponseHead) -> HeadChange | None:
        add, status = list(self._replaced), None
        if self._part == 1 and head.status == 200 and head.content_length:
            status, size = 206, head.content_length
            add.append((b"Content-Range", b"bytes 0-%d/%d" % (size - 1, size)))
        return HeadChange(status, [name for name, _ in self._replaced], add) if add else None

    def _ask_without_range(self) -> Step:
        """Send the request again without its Range."""
        self._range = self._if_range = None
        self.drop = (*self.drop, b"range")
        return SendAgain(Reason.TRANSLATION)

    def question(self, status: int) -> Question | None:
        upstream = self.client_request.upstream
        if status == 500 and has_ref_expression(upstream.key):
            self._asks_ref = True
            return ref_question(upstream.bucket, upstream.key)
        if status != 416 or self._if_range is not None:
            return None
        return Question(upstream.path, b"", b"HEAD")

    def on_reply(self, reply: Reply) -> S3Error | None:
        if self._asks_ref:
            return no_such_key(self.client_request.key) if is_ref_unknown(reply) else None
        size = reply.fields.get(b"content-length", b"")
        if reply.status != 200 or not size.isdigit():
            return None
        if self._conditions is not None and (error := self._conditions.check(reply.fields)):
            return error
        return self._out_of_range(size)

    def _out_of_range(self, size: bytes) -> S3Error:
        shown = (self._range or b"").decode("latin-1")
        error = S3Error(
            INVALID_RANGE, ("RangeRequested", shown), ("ActualObjectSize", size.decode())
        )
        error.fields = ((b"Content-Range", b"bytes */%b" % size),)
        return error


def _is_range_of_empty_object(head: ResponseHead) -> bool:
    """Whether it is lakeFS's range of an empty object: `bytes 0--1/0`."""
    return head.fields.get(b"content-range", b"").endswith(b"/0")


def _read_query(client_request: ClientRequest) -> tuple[Fields, int]:
    """Return the headers that the client replaces, and the part it asks for; 0: none.

    Raises S3Error.
    """
    replaced: dict[bytes, bytes] = {}
    part = 0
    for name, value in client_request.query:
        if name == b"partNumber" and not part:
            check_part_number(client_request.query)
            part = int(value)
            if b"range" in client_request.fields:
                raise S3Error(
                    INVALID_REQUEST,
                    message="Cannot specify both Range header and partNumber query parameter",
                )
        elif name.startswith(_PREFIX) and name.removeprefix(_PREFIX) in _REPLACED:
            if not is_field_value(value):
                text = "Header value cannot be represented using ISO-8859-1."
                raise invalid(name.decode(), text, value.decode("utf-8", "replace"))
            replaced.setdefault(name.removeprefix(_PREFIX), value)
    return tuple(replaced.items()), part
