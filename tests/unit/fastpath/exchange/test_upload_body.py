"""How the body of an admitted request goes up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fastpath.exchange.upload_body import body_plan_of
from fastpath.http.head import parse_request_head
from fastpath.limits import Limits
from fastpath.request.admitted import Admitted
from fastpath.routing.profiles import PROFILES
from fastpath.routing.snapshot import load_snapshot
from fastpath.signing.sigv4.sign import Unsigned
from tests.doubles.admitted import admitted_to
from tests.doubles.http1 import put
from tests.doubles.wire import document

SIGNED = b"0" * 64
LINES = ("Content-MD5: sQqNsWTgdUEFt6mb5y4/5Q==", "x-amz-checksum-crc32: AAAAAA==")
# What must all be true of a target before nothing is looked at on the way to it.
TRUSTED_WITH = ("verifies_digest", "verifies_md5", "verifies_checksums")


def admitted(profile: str = "s3", operation: str = "PutObject", **overrides: object) -> Admitted:
    snapshot = load_snapshot(1, document(profile=profile, overrides=overrides))
    return replace(admitted_to(snapshot.targets["first"], operation), payload=SIGNED)


def looked_at(sent: Admitted, body: bytes = b"0123456789") -> bool:
    head = parse_request_head(put("/b-b/k", body, *LINES)[: -len(body) or None], Limits())
    return body_plan_of(head, sent) is not None


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
def test_a_target_that_verifies_all_is_left_to_it_as_the_long_way_would(operation: str) -> None:
    sent = admitted(operation=operation)
    assert not looked_at(sent)
    target = replace(sent.target, verifies_uploads=False)  # the long way
    assert not looked_at(replace(sent, target=target))


@pytest.mark.parametrize("lacking", TRUSTED_WITH)
def test_one_that_does_not_verify_something_is_not(lacking: str) -> None:
    assert looked_at(admitted(**{lacking: False}))


def test_nor_one_that_keeps_no_checksum_or_takes_no_trailer() -> None:
    assert looked_at(admitted(checksums=["sha1"]))
    assert looked_at(admitted(operation="UploadPart", streaming=[]))
    assert [name for name in PROFILES if not looked_at(admitted(name))] == ["s3"]


def test_a_body_of_no_bytes_an_unsigned_one_and_a_framed_one_are_looked_at() -> None:
    assert looked_at(admitted(), b"")
    assert looked_at(replace(admitted(), signer=Unsigned(b"us-east-1")))
    framed = replace(admitted(), payload=b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    with pytest.raises(Exception, match="MissingContentLength"):
        looked_at(framed)


def test_so_is_a_document() -> None:
    assert looked_at(admitted(operation="PutBucketPolicy", verifies_documents=False))
