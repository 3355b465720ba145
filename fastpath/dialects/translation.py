"""The contract between the gateway and a dialect: what changes of one request and its response.

    admission  translate(request) -> Translation   may refuse it, and then the target gets nothing
    request    query, drop, add                    change the request's head
    exchange   first_question -> on_first_reply    ask the target before the request is sent
               own_answer                          answer without the target
    response   question(status) -> on_reply        ask the target before the response is changed
               answer(head)                        change it: a step of `response.filters`

Rules: a translation serves one request; the base class changes nothing; an S3Error from any method
replaces the response, as long as nothing of it was sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fastpath.errors import S3Error
from fastpath.http.head import ResponseHead
from fastpath.payload.body_checks import Check
from fastpath.payload.delete_batch import DeleteBatch
from fastpath.response.filters import Question, Reply, ResponseFilter, Step
from fastpath.response.own_answer import OwnAnswer
from fastpath.s3.addressing import Address

Fields = Sequence[tuple[bytes, bytes]]

# Bytes of an unwanted response that are read and discarded; for more, a new connection is cheaper.
MAX_DISCARDED_BYTES = 65536


class ClientRequest(NamedTuple):
    """An admitted request.

    bucket, key: the target's; `renaming` gives answers the client's.
    upstream: the target's address, for checks of names and for questions.
    query: decoded.
    fields: the headers by name, repeated ones joined with a comma.
    headers: the header lines.
    region: the target's.
    sent: the raw path as the client sent it.
    drops: headers that the target would ignore are dropped rather than refused.
    is_part: the client's bucket is a part of one at the target.
    """

    operation: str
    bucket: bytes
    key: bytes
    upstream: Address
    query: Fields
    fields: Mapping[bytes, bytes]
    headers: Fields = ()
    region: bytes = b""
    sent: bytes = b""
    drops: bool = False
    is_part: bool = False


class ErrorInstead:
    """A BodyRewriter that discards a response and raises an error instead."""

    __slots__ = ("_error", "_size", "status")

    def __init__(self, error: S3Error) -> None:
        self.status: int | None = None
        self._error = error
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """Return nothing. Raises the error when the response is too long to discard."""
        self._size += len(data)
        if self._size > MAX_DISCARDED_BYTES:
            raise self._error
        return b""

    def finish(self) -> bytes:
        """Raise the error."""
        raise self._error


class Translation(ResponseFilter):
    """How one request is changed for its target.

    query: replaces the client's, if not None.
    drop: names of the client's headers to drop, in lower case.
    add: header lines to add.
    dropped: names of dropped headers that the target would ignore; the operator is told.
    check: one more check of the body.
    batch: the filter that removes keys from the body; their errors are added to the response.
    first_question: what to ask the target before the request is sent.
    own_answer: the answer to a request that is never sent, after its body was read and checked.
    secure: the client uses TLS; known once the request is admitted.
    """

    query: bytes | None = None
    drop: tuple[bytes, ...] = ()
    add: Fields = ()
    dropped: tuple[bytes, ...] = ()
    check: Check | None = None
    batch: DeleteBatch | None = None
    first_question: Question | None = None
    own_answer: OwnAnswer | None = None
    secure: bool = False

    _head: ResponseHead

    def on_first_reply(self, reply: Reply) -> None:
        """Take the reply to `first_question`. Raises S3Error: the request is not sent."""

    def answer(self, head: ResponseHead) -> Step:
        """Return how to change the response; None: not at all. Raises S3Error."""
        return None

    def question(self, status: int) -> Question | None:
        """Return what to ask before a response of this status is relayed, or None."""
        return None

    def on_reply(self, reply: Reply) -> S3Error | Question | None:
        """Take the reply: the error to send, another question, or None: `answer` decides."""
        return None

    # --- ResponseFilter ---

    def head(self, head: ResponseHead) -> Step:
        self._head = head
        question = self.question(head.status)
        return self.answer(head) if question is None else question

    def reply(self, reply: Reply | None) -> Step:
        outcome = self.on_reply(reply) if reply is not None else None
        if isinstance(outcome, S3Error):
            raise outcome
        return self.answer(self._head) if outcome is None else outcome
