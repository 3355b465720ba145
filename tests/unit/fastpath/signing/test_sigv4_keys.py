"""Derived keys and their cache."""

from __future__ import annotations

import hmac

import pytest

from fastpath.errors import S3Error
from fastpath.http.head import parse_request_head
from fastpath.limits import Limits
from fastpath.signing.sigv4 import keys
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.keys import MAX_KEYS, SigningKey, derive, remember, signing_key
from fastpath.signing.sigv4.verify import authenticate
from tests.corpus.signatures import ACCESS_KEY_ID, SECRET, Case, Recipe

NOW = 1_756_744_908.0


@pytest.mark.parametrize("length", [0, 1, 32, 64])
def test_signs_like_hmac(length: int) -> None:
    key = bytes(range(100, 100 + length))
    for message in (b"", b"x", b"y" * 1000):
        assert SigningKey(key).sign(message) == hmac.digest(key, message, "sha256").hex().encode()


def test_signing_twice_gives_the_same() -> None:
    key = SigningKey(b"key")
    assert key.sign(b"a") != key.sign(b"b")
    assert key.sign(b"a") == key.sign(b"a")


def test_derive() -> None:
    # From the documented GET Bucket example: its string to sign and its signature.
    secret = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    key = SigningKey(derive(secret, b"20130524", b"us-east-1"))
    assert key.sign(
        b"AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
        b"df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7"
    ) == (b"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")


def test_cache_keeps_and_is_bounded() -> None:
    first = signing_key(b"s", b"20250101", b"region-0")
    assert signing_key(b"s", b"20250101", b"region-0") is not first  # not remembered yet
    for number in range(MAX_KEYS):
        region = b"region-%d" % number
        remember(b"s", b"20250101", region, signing_key(b"s", b"20250101", region))
    assert len(keys._keys) == MAX_KEYS
    kept = signing_key(b"s", b"20250101", b"region-7")
    assert signing_key(b"s", b"20250101", b"region-7") is kept
    remember(b"s", b"20250101", b"one-more", SigningKey(b""))
    assert len(keys._keys) == MAX_KEYS
    assert (b"s", b"20250101", b"one-more") in keys._keys


@pytest.mark.parametrize(("secret", "kept"), [("", True), ("wrong", False)])
def test_only_good_signatures_fill_the_cache(secret: str, kept: bool) -> None:
    region = f"region-of-{secret}"
    case = Case("", "", Recipe(secret=secret, region=region), {})
    head = parse_request_head(case.render("h", NOW).raw, Limits())
    key = ACCESS_KEY_ID.encode()
    try:
        authenticate(head, [], {key: Identity("n", key, SECRET.encode())}, NOW)
    except S3Error:
        assert not kept
    assert ((SECRET.encode(), b"20250901", region.encode()) in keys._keys) is kept
