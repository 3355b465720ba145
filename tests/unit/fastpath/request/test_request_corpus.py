"""Replays the corpus of raw requests against head, framing, addressing and operations.

Rules: whole, cut once anywhere, and byte by byte must come to the same end.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastpath.errors import HeadFault, S3Error
from fastpath.http.framing import BodyKind, request_body
from fastpath.http.head import HeadBuffer, RequestHead, parse_request_head
from fastpath.http.query import parse_query
from fastpath.limits import Limits
from fastpath.s3.addressing import Address, locate
from fastpath.s3.operations import Operation, classify
from tests.corpus.request_cases import DOMAINS, Case, ExpectedRequest, cases

LIMITS = Limits()
SMALL = 600  # bytes; larger cases are cut at a sample of places

Understood = tuple[RequestHead, Address, Operation, int]
Answered = tuple[str, int, str, bool]  # stage, status, code, whether the head was refused


class Reader:
    """The smallest connection there can be: heads, bodies counted, the first fault ends it."""

    def __init__(self) -> None:
        self.requests: list[Understood] = []
        self.fault: Answered | None = None
        self.extras: tuple[tuple[str, str], ...] = ()
        self._heads = HeadBuffer(LIMITS)
        self._body_left = 0
        self._stage = "head"

    def feed(self, data: bytes) -> None:
        while self.fault is None:
            used = min(self._body_left, len(data))
            self._body_left -= used
            data = data[used:]
            if self._body_left:
                return
            try:
                raw = self._heads.feed(data)
                if raw is None:
                    return
                self._understand(raw)
            except S3Error as error:
                refused = isinstance(error, HeadFault)
                self.fault = (self._stage, error.kind.status, error.kind.code, refused)
                self.extras = error.extras
                return
            data = self._heads.take_rest()

    def _understand(self, raw: bytes) -> None:
        head = parse_request_head(raw, LIMITS)
        self._stage = "address"
        address = locate(head, DOMAINS)
        self._stage = "operation"
        query = parse_query(head.query) if head.query else ()
        operation = classify(head.method, address, query, head.fields)
        self._stage = "framing"
        kind, length = request_body(head)
        assert (kind is BodyKind.LENGTH) == bool(length)
        self._body_left = length
        self._stage = "head"
        self.requests.append((head, address, operation, length))


def replay(*pieces: bytes) -> Reader:
    reader = Reader()
    for piece in pieces:
        reader.feed(piece)
    return reader


def outcome(reader: Reader) -> object:
    return reader.requests, reader.fault, reader.extras


def cuts(raw: bytes) -> Iterator[int]:
    if len(raw) <= SMALL:
        yield from range(1, len(raw))
    else:
        yield from range(1, 80)
        yield from range(80, len(raw) - 8, 997)
        yield from range(len(raw) - 8, len(raw))


def check_request(expected: ExpectedRequest, understood: Understood) -> None:
    head, address, operation, length = understood
    assert head.method == expected.method
    assert (address.bucket, address.key) == (expected.bucket, expected.key)
    assert operation.name == expected.operation
    assert length == expected.length
    assert head.http_minor == expected.http_minor
    assert head.expect_continue == expected.expect_continue
    optional = [
        (expected.path, head.path),
        (expected.query, head.query),
        (expected.keep_alive, head.keep_alive),
        (expected.path_style, address.path_style),
        (expected.address_path, address.path),
    ]
    for wanted, have in optional:
        assert wanted is None or have == wanted
    for name, value in expected.fields.items():
        assert head.fields[name] == value


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_whole(case: Case) -> None:
    reader = replay(case.raw)
    assert len(reader.requests) == len(case.requests)
    for expected, understood in zip(case.requests, reader.requests, strict=True):
        check_request(expected, understood)
    if case.fault is None or case.fault.waits:
        assert reader.fault is None
        return
    fault = case.fault
    # What closes without the head being refused is a body whose end is not known.
    refused = fault.stage == "head"
    assert fault.closes == (refused or fault.stage == "framing")
    assert reader.fault == (fault.stage, fault.status, fault.code, refused)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_cut_anywhere_or_byte_by_byte_comes_to_the_same_end(case: Case) -> None:
    whole = outcome(replay(case.raw))
    for cut in cuts(case.raw):
        assert outcome(replay(case.raw[:cut], case.raw[cut:])) == whole, cut
    pieces = [case.raw[at : at + 1] for at in range(len(case.raw))]
    assert outcome(replay(*pieces)) == whole


def test_the_corpus_is_whole() -> None:
    names = [case.name for case in cases()]
    assert len(names) >= 100
    assert len({name.split("/", 1)[1][:3] + name[:2] for name in names}) == len(names)
    for case in cases():
        assert case.summary
        assert case.source
        assert case.requests or case.fault, case.name
        assert (case.fault is None) == case.name.startswith("valid/"), case.name
