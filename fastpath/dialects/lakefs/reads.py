"""GetObject and HeadObject: what lakeFS ignores of them is done here.

Rules: one request to lakeFS; conditions are judged by the ETag and date of its own answer, whose
body is then not sent; a Range whose If-Range does not stand is asked for again, whole; an object
has one part, because lakeFS does not keep where its parts were; of a range beyond the end lakeFS
does not say the size, so that is asked; an empty object has no range at all; a 500 of a ref like
`main^2`, or `v1@` of a tag, may mean that there is no such commit or branch, so that is asked.

Not here: judging conditions (`conditions`).
"""

from __future__ import annotations

import re

from fastpath.dialects.lakefs.list_requests import invalid
from fastpath.dialects.lakefs.metadata import with_names_of_s3
from fastpath.dialects.lakefs.names import check_read, no_such_key
from fastpath.dialects.lakefs.part_requests import check_part_number
from fastpath.dialects.lakefs.promises import forgotten_keys
from fastpath.dialects.lakefs.refs import ask_ref, has_expression, is_unknown
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import (
    AGAIN,
    MAX_AWAY,
    Amendment,
    Answer,
    Asked,
    Fields,
    Instead,
    Question,
    Reply,
)
from fastpath.errors import (
    INVALID_PART_NUMBER,
    INVALID_RANGE,
    INVALID_REQUEST,
    S3Error,
)
from fastpath.http.head import ResponseHead
from fastpath.s3.conditions import if_range_holds, read_conditions

_PREFIX = b"response-"
_REPLACED = frozenset(
    b"cache-control content-disposition content-encoding content-language content-type "
    b"expires".split()
)
_FIELD_VALUE = re.compile(rb"[\t -~\x80-\xff]*")  # RFC 9110 section 5.5


class Read(Request):
    """A GetObject or HeadObject."""

    def __init__(self, asked: Asked) -> None:
        check_read(asked.key)
        names = forgotten_keys(asked)
        super().__init__(asked)
        self.forget(names)
        self._replaced, self._part = _read_query(asked)
        self._conditions = read_conditions(asked.fields)
        self._range = asked.fields.get(b"range")
        if_range = asked.fields.get(b"if-range") or None
        self._if_range = if_range if self._range is not None else None
        self._asks_ref = False

    def answer(self, head: ResponseHead) -> Answer:
        if head.status == 416 and self._if_range is not None:
            return self._whole()
        return super().answer(head)

    def success(self, head: ResponseHead) -> Answer:
        if head.status not in (200, 206):
            return None
        error = self._conditions.check(head.fields) if self._conditions is not None else None
        if error is None and self._part > 1:
            error = S3Error(INVALID_PART_NUMBER, ("PartNumber", str(self._part)))
        if error is not None:
            if self.asked.operation == "GetObject" and (head.content_length or 0) > MAX_AWAY:
                raise error
            return Instead(error)
        condition = self._if_range if head.status == 206 else None
        if condition is not None and not if_range_holds(condition, head.fields):
            return self._whole()
        if head.status == 206 and _is_of_nothing(head):
            return Instead(self._out_of_range(b"0"))
        return with_names_of_s3(head, self._amended(head))

    def _amended(self, head: ResponseHead) -> Amendment | None:
        add, status = list(self._replaced), None
        if self._part == 1 and head.status == 200 and head.content_length:
            status, size = 206, head.content_length
            add.append((b"Content-Range", b"bytes 0-%d/%d" % (size - 1, size)))
        return Amendment(status, [name for name, _ in self._replaced], add) if add else None

    def _whole(self) -> Answer:
        """The object is not the one that the client has a part of."""
        self._range = self._if_range = None
        self.drop = (*self.drop, b"range")
        return AGAIN

    def question(self, status: int) -> Question | None:
        if status == 500 and has_expression(self.asked.key):
            self._asks_ref = True
            return ask_ref(self.asked.bucket, self.asked.key)
        if status != 416 or self._if_range is not None:
            return None
        return Question(self.asked.path, b"", b"HEAD")

    def conclude(self, reply: Reply) -> S3Error | None:
        if self._asks_ref:
            return no_such_key(self.asked.key) if is_unknown(reply) else None
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


def _is_of_nothing(head: ResponseHead) -> bool:
    """lakeFS finds the last bytes of an empty object: `bytes 0--1/0`."""
    return head.fields.get(b"content-range", b"").endswith(b"/0")


def _read_query(asked: Asked) -> tuple[Fields, int]:
    """Header lines that the client wants instead, and the part it asks for; 0: none.

    Raises S3Error.
    """
    replaced: dict[bytes, bytes] = {}
    part = 0
    for name, value in asked.query:
        if name == b"partNumber" and not part:
            check_part_number(asked.query)
            part = int(value)
            if b"range" in asked.fields:
                raise S3Error(
                    INVALID_REQUEST,
                    message="Cannot specify both Range header and partNumber query parameter",
                )
        elif name.startswith(_PREFIX) and name.removeprefix(_PREFIX) in _REPLACED:
            if not _FIELD_VALUE.fullmatch(value):
                text = "Header value cannot be represented using ISO-8859-1."
                raise invalid(name.decode(), text, value.decode("utf-8", "replace"))
            replaced.setdefault(name.removeprefix(_PREFIX), value)
    return tuple(replaced.items()), part
