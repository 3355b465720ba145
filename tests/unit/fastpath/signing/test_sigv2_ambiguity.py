"""No two requests that mean different things have one SigV2 text, or one of them is refused."""

from __future__ import annotations

import itertools
from urllib.parse import quote

from fastpath.errors import S3Error
from fastpath.http.head import parse_request_head
from fastpath.http.query import parse_query
from fastpath.limits import Limits
from fastpath.s3.addressing import locate
from fastpath.signing.authentication import Accepted, Sigv2, authenticate
from fastpath.signing.sigv4.identity import Identity

KEY = b"AKIDAMBIGUITY0000000"
IDENTITIES = {KEY: Identity("known", KEY, b"secret")}
NAMES = (
    "acl",
    "versionId",
    "response-expires",
    "new",
    "x&acl",
    "versionId=1",
    "x-amz-a",
    "x-amz-b",
)
VALUES = ("", "1", "1&acl", "1&versionId=1", "1\nx-amz-b:1", "1?acl")
WITHOUT_VALUE = ("acl",)  # whatever value is sent: S3 has no use for one


def text_of(query: tuple[tuple[str, str], ...]) -> str | None:
    """The text that a signature would have to be of; None where the request is refused anyway."""
    parts = [f"{quote(name)}={quote(value)}" for name, value in query]
    parts += [f"AWSAccessKeyId={KEY.decode()}", "Expires=99999999999", "Signature=none"]
    raw = f"GET /bucket/key?{'&'.join(parts)} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    head = parse_request_head(raw, Limits())
    try:
        authenticate(
            head,
            parse_query(head.query),
            locate(head, ()),
            IDENTITIES,
            Accepted(Sigv2.PRESIGNED),
            0.0,
        )
    except S3Error as error:
        return dict(error.extras).get("StringToSign")
    raise AssertionError("a signature that is none was believed")


def meaning(query: tuple[tuple[str, str], ...]) -> tuple[object, ...]:
    """What a target can make of it: the order counts among parameters of one name only."""
    named = [(name, "" if name in WITHOUT_VALUE else value) for name, value in query]
    fields = {pair for pair in named if pair[0].startswith("x-amz-")}  # as headers, each once
    others = sorted((pair for pair in named if pair not in fields), key=lambda pair: pair[0])
    return (frozenset(fields), tuple(others))


def test_equal_texts_mean_the_same() -> None:
    pairs = list(itertools.product(NAMES, VALUES))
    seen: dict[str, tuple[object, ...]] = {}
    signed = 0
    for length in range(3):
        for query in itertools.product(pairs, repeat=length):
            text = text_of(query)
            if text is not None:
                signed += 1
                assert seen.setdefault(text, meaning(query)) == meaning(query), query
    assert signed > 500
