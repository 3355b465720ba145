"""Says which headers and parameters of a client each place of a chain gets, and what goes back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastpath.http.hop_by_hop import HOP_BY_HOP, fields_of_connection
from fastpath.http.query import parse_query, upstream_query
from fastpath.request.headers_not_forwarded import OF_THE_HOP, is_not_forwarded
from fastpath.response.decision_headers import RULE, TARGET

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.http.head import RequestHead, ResponseHead
    from fastpath.request.admitted import Admitted

Fields = Sequence[tuple[bytes, bytes]]

# Headers of the client's hop, and those of its body, which a call has of its own or not at all.
_DROPPED = re.compile(
    b"|".join((*OF_THE_HOP, b"accept-encoding", b"content-md5", b"x-amz-decoded-content-length"))
)

# Headers of an answer that one of the gateway's own has anew, and those of its hop.
_OF_THE_ANSWER = re.compile(
    b"|".join(
        (
            *HOP_BY_HOP,
            b"access-control-.*",
            b"content-length",
            b"content-type",
            b"date",
            b"server",
            *(name.lower() for name in (TARGET, RULE)),
        )
    )
)


def forwarded_headers(request: ComposedRequest) -> Fields:
    """Return the client's headers, those of a presigned URL too, that go up with a request."""
    return [*_forwarded(request.head), *request.admitted.query_headers]


def _forwarded(head: RequestHead) -> Fields:
    of_hop = fields_of_connection(head.fields)
    return [
        (name, value)
        for name, value in head.headers
        if not (name in of_hop or _DROPPED.fullmatch(name) or is_not_forwarded(name))
    ]


def forwarded_query(head: RequestHead, admitted: Admitted) -> Fields:
    """Return the client's parameters, without its signature."""
    raw = upstream_query(head.query, admitted.presigned_names)
    return parse_query(raw) if raw else ()


def lines_without_body(head: ResponseHead) -> list[bytes]:
    """Return the header lines of a place's answer, for an answer of the gateway's own."""
    of_hop = fields_of_connection(head.fields)
    return [
        b"%b: %b" % field
        for field in head.headers
        if not (field[0] in of_hop or _OF_THE_ANSWER.fullmatch(field[0]))
    ]
