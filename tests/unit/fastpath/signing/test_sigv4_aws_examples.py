"""AWS's own documented examples: the canonical request, the signature, verified and signed."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fastpath.errors import SIGNATURE_DOES_NOT_MATCH, S3Error
from fastpath.http.head import RequestHead, parse_request_head
from fastpath.http.query import parse_query
from fastpath.limits import Limits
from fastpath.signing.sigv4.canonical import (
    canonical_headers,
    canonical_path,
    canonical_query,
    canonical_request,
)
from fastpath.signing.sigv4.dates import parse_basic
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.sign import Credentials, Signer
from fastpath.signing.sigv4.verify import authenticate

BOOK: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "corpus" / "signatures" / "aws_examples.json").read_text()
)
EXAMPLES: list[dict[str, Any]] = BOOK["examples"]
KEY: bytes = BOOK["access_key_id"].encode()
SECRET: bytes = BOOK["secret"].encode()
NOW = float(parse_basic(BOOK["now"].encode()) or 0)
IDENTITIES = {KEY: Identity("example", KEY, SECRET)}
by_name = pytest.mark.parametrize("example", EXAMPLES, ids=[one["name"] for one in EXAMPLES])


def head_of(example: dict[str, Any]) -> RequestHead:
    lines = [f"{example['method']} {example['target']} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in example["headers"]]
    return parse_request_head(("\r\n".join(lines) + "\r\n\r\n").encode(), Limits())


def signed_names(head: RequestHead) -> bytes:
    authorization = head.fields.get(b"authorization")
    if authorization is None:
        return b"host"
    return authorization.split(b"SignedHeaders=")[1].split(b",")[0]


@by_name
def test_canonical_request(example: dict[str, Any]) -> None:
    head = head_of(example)
    names = signed_names(head)
    canonical = canonical_request(
        head.method,
        canonical_path(head.path),
        canonical_query(parse_query(head.query), without=b"X-Amz-Signature"),
        canonical_headers(names.split(b";"), head.fields),
        names,
        example["payload"].encode(),
    )
    assert sha256(canonical).hexdigest() == example["canonical_sha256"]


@by_name
def test_is_believed(example: dict[str, Any]) -> None:
    head = head_of(example)
    proof = authenticate(head, parse_query(head.query), IDENTITIES, NOW + 1)
    assert proof.identity.name == "example"
    assert proof.seed_signature == example["signature"].encode()
    assert proof.payload == example["payload"].encode()
    assert proof.presigned is (example["name"] == "presigned-get-object")
    assert (proof.timestamp, proof.date, proof.region) == (
        b"20130524T000000Z",
        b"20130524",
        b"us-east-1",
    )


@by_name
def test_is_not_believed_with_another_secret(example: dict[str, Any]) -> None:
    head = head_of(example)
    others = {KEY: Identity("example", KEY, SECRET[:-1] + b"Z")}
    with pytest.raises(S3Error) as caught:
        authenticate(head, parse_query(head.query), others, NOW)
    assert caught.value.kind is SIGNATURE_DOES_NOT_MATCH


@pytest.mark.parametrize("name", ["get-bucket-lifecycle", "get-bucket"])
def test_signer_makes_the_same(name: str) -> None:
    """The examples that sign nothing but what the gateway signs upstream."""
    example = next(one for one in EXAMPLES if one["name"] == name)
    path, _, query = example["target"].encode().partition(b"?")
    signer = Signer(Credentials(KEY, SECRET), b"us-east-1")
    lines = signer.sign(
        b"GET",
        path,
        query,
        b"examplebucket.s3.amazonaws.com",
        [],
        example["payload"].encode(),
        NOW + 0.75,
    )
    wanted = dict(example["headers"])["Authorization"].encode()
    assert lines == [
        b"authorization: " + wanted + b"\r\n",
        b"x-amz-date: 20130524T000000Z\r\n",
        b"x-amz-content-sha256: " + example["payload"].encode() + b"\r\n",
    ]
