"""Sealed upload ids, for names of any bytes."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fastpath.routing.rewrite import Rewrite
from fastpath.routing.sealed_ids import Sealer, UploadOrigin
from tests.property.depth import EXAMPLES

KEYS = st.binary(min_size=1, max_size=32)
NAMES = st.binary(max_size=255)
PREFIXES = st.binary(max_size=40)
REWRITES = st.none() | st.builds(Rewrite, st.just(b""), PREFIXES, PREFIXES)
ORIGINS = st.builds(UploadOrigin, st.text(max_size=60), NAMES, REWRITES, st.booleans())
IDS = st.binary(max_size=300)
OBJECTS = st.tuples(NAMES, st.binary(max_size=60))
SEALER = Sealer((b"k" * 32, b"o" * 32))


def normal(origin: UploadOrigin, client_bucket: bytes) -> UploadOrigin:
    """The origin as `open` tells it: one form for each meaning."""
    given_rewrite = origin.rewrite or Rewrite()
    bucket = b"" if origin.bucket == client_bucket else origin.bucket
    rewrite = Rewrite(bucket, given_rewrite.key_prefix, given_rewrite.strip_prefix)
    return origin._replace(rewrite=None if rewrite == Rewrite() else rewrite)


@settings(max_examples=EXAMPLES)
@given(origin=ORIGINS, upload=IDS, where=OBJECTS)
def test_an_id_opens_to_what_was_sealed(
    origin: UploadOrigin, upload: bytes, where: tuple[bytes, bytes]
) -> None:
    text = SEALER.seal(origin, upload, *where)
    opened = SEALER.open(text, *where)
    assert opened == (normal(origin, where[0]), upload)
    # What is opened is sealed to the same text: a list shows the id that the client knows.
    assert SEALER.seal(opened[0], opened[1], *where) == text


@settings(max_examples=EXAMPLES)
@given(origin=ORIGINS, upload=IDS, where=OBJECTS, data=st.data())
def test_no_bit_of_an_id_can_be_changed(
    origin: UploadOrigin, upload: bytes, where: tuple[bytes, bytes], data: st.DataObject
) -> None:
    text = bytearray(SEALER.seal(origin, upload, *where))
    bit = data.draw(st.integers(0, len(text) * 8 - 1))
    text[bit // 8] ^= 1 << bit % 8
    assert SEALER.open(bytes(text), *where) is None


@settings(max_examples=EXAMPLES)
@given(origin=ORIGINS, upload=IDS, where=OBJECTS, other=OBJECTS, cut=st.integers(1, 60))
def test_an_id_opens_for_no_other_object(
    origin: UploadOrigin,
    upload: bytes,
    where: tuple[bytes, bytes],
    other: tuple[bytes, bytes],
    cut: int,
) -> None:
    text = SEALER.seal(origin, upload, *where)
    moved = (where[0] + where[1][:cut], where[1][cut:])
    for elsewhere in (other, moved):
        assert elsewhere == where or SEALER.open(text, *elsewhere) is None


@settings(max_examples=EXAMPLES)
@given(first=st.tuples(ORIGINS, IDS), second=st.tuples(ORIGINS, IDS), where=OBJECTS)
def test_two_uploads_have_two_ids(
    first: tuple[UploadOrigin, bytes],
    second: tuple[UploadOrigin, bytes],
    where: tuple[bytes, bytes],
) -> None:
    same = (normal(first[0], where[0]), first[1]) == (normal(second[0], where[0]), second[1])
    assert (SEALER.seal(*first, *where) == SEALER.seal(*second, *where)) == same


@settings(max_examples=EXAMPLES)
@given(current=KEYS, previous=KEYS, foreign=KEYS, origin=ORIGINS, upload=IDS, where=OBJECTS)
def test_a_previous_key_verifies_and_a_foreign_one_does_not(
    current: bytes,
    previous: bytes,
    foreign: bytes,
    origin: UploadOrigin,
    upload: bytes,
    where: tuple[bytes, bytes],
) -> None:
    # HMAC pads a short key with zeros (RFC 2104).
    assume(foreign.rstrip(b"\0") not in (current.rstrip(b"\0"), previous.rstrip(b"\0")))
    sealer = Sealer((current, previous))
    text = Sealer((previous,)).seal(origin, upload, *where)
    assert sealer.open(text, *where) == (normal(origin, where[0]), upload)
    assert sealer.open(Sealer((foreign,)).seal(origin, upload, *where), *where) is None


@settings(max_examples=EXAMPLES)
@given(
    text=st.binary(max_size=400) | st.text("Aa9-_+/=", max_size=40).map(str.encode), where=OBJECTS
)
def test_nothing_that_a_client_sends_raises(text: bytes, where: tuple[bytes, bytes]) -> None:
    assert SEALER.open(text, *where) is None
