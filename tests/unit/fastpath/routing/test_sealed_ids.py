"""Upload ids that say where their upload began, and that nobody can make but the gateway."""

from __future__ import annotations

import hmac
import re

import pytest

from fastpath.routing import sealed_ids
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.sealed_ids import MAX_TEXT, MAX_UPLOAD_ID, Sealer, UploadOrigin

KEY, OLD = b"k" * 32, b"o" * 32
SEALER = Sealer((KEY, OLD))
ORIGIN = UploadOrigin("lakefs", b"repo", Rewrite(b"repo", b"main/", b"in/"), True)
ID = b"VXBsb2FkIElE.8_-~"
TEXT = SEALER.seal(ORIGIN, ID, b"bucket", b"in/key")


def test_an_id_opens_for_its_own_object() -> None:
    assert SEALER.open(TEXT, b"bucket", b"in/key") == (ORIGIN, ID)


def test_every_replica_and_release_writes_the_same_id() -> None:
    """A change of this text strands the uploads that run during an update."""
    origin = UploadOrigin("s3", b"bucket")
    text = Sealer((KEY,)).seal(origin, b"id", b"bucket", b"key")
    assert text == b"EHn62ce9_xoX4STBllaKJuACczMGYnVja2V0aWQ"
    assert Sealer((KEY,)).open(text, b"bucket", b"key") == (origin, b"id")


def test_an_id_has_only_characters_of_s3s_own() -> None:
    origin = UploadOrigin("s3", bytes(range(255)))
    assert re.fullmatch(rb"[A-Za-z0-9_-]+", SEALER.seal(origin, b"\xff" * 99, b"b", b"k"))


@pytest.mark.parametrize("dropped", [True, False])
@pytest.mark.parametrize("rewrite", [None, Rewrite(b"", b"main/")])
def test_an_id_begins_with_a_letter(dropped: bool, rewrite: Rewrite | None) -> None:
    """`aws s3api upload-part --upload-id -x` takes the id for an option."""
    origin = UploadOrigin("s3", b"bucket", rewrite, dropped)
    firsts = {SEALER.seal(origin, b"%d" % number, b"b", b"k")[:1] for number in range(200)}
    assert firsts == {b"E"}


def test_the_first_key_seals() -> None:
    assert Sealer((KEY,)).open(TEXT, b"bucket", b"in/key") is not None
    assert Sealer((OLD,)).open(TEXT, b"bucket", b"in/key") is None


def test_a_previous_key_verifies() -> None:
    text = Sealer((OLD,)).seal(ORIGIN, ID, b"bucket", b"in/key")
    assert text != TEXT
    assert SEALER.open(text, b"bucket", b"in/key") == (ORIGIN, ID)


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        (b"other", b"in/key"),
        (b"bucket", b"in/kez"),
        (b"bucketi", b"n/key"),
        (b"bucke", b"tin/key"),
        (b"", b"bucketin/key"),
        (b"bucket", b""),
    ],
)
def test_an_id_opens_for_no_other_object(bucket: bytes, key: bytes) -> None:
    assert SEALER.open(TEXT, bucket, key) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"A",
        b"A" * 22,  # a MAC of nothing
        TEXT + b"A",
        TEXT + b"=",
        TEXT + b"\n",
        b" " + TEXT,
        TEXT[:-1],
        TEXT[:9] + b"=" + TEXT[9:],
        TEXT[:9] + b"\r\n" + TEXT[9:],
        b"2~VmjsMTzCkZ0X.exampleID_of-another",
        b"\xff\x00",
    ],
)
def test_what_the_gateway_did_not_write_does_not_open(text: bytes) -> None:
    assert SEALER.open(text, b"bucket", b"in/key") is None


def test_an_id_is_written_in_one_way() -> None:
    """The last character has bits that say nothing, and base64 has two alphabets."""
    origin = UploadOrigin("s3", b"bucket")
    texts = [SEALER.seal(origin, b"\xfb\xff" * length, b"b", b"k") for length in range(4)]
    assert {len(text) % 4 for text in texts} == {0, 2, 3}
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for text in texts:
        ends = [text[:-1] + bytes((last,)) for last in alphabet]
        assert [end for end in ends if SEALER.open(end, b"b", b"k")] == [text]
    other = texts[3].translate(bytes.maketrans(b"-_", b"+/"))
    assert other != texts[3]
    assert SEALER.open(other, b"b", b"k") is None


def test_nothing_rewritten_is_no_rewrite() -> None:
    plain = SEALER.seal(UploadOrigin("s3", b"bucket"), ID, b"bucket", b"key")
    empty = SEALER.seal(UploadOrigin("s3", b"bucket", Rewrite()), ID, b"bucket", b"key")
    assert plain == empty
    assert SEALER.open(plain, b"bucket", b"key") == (UploadOrigin("s3", b"bucket"), ID)


def test_another_bucket_is_a_rewrite_and_is_sealed_once() -> None:
    wanted = UploadOrigin("s3", b"up", Rewrite(b"up"))
    for rewrite in (Rewrite(b"up"), None):
        text = SEALER.seal(UploadOrigin("s3", b"up", rewrite), ID, b"bucket", b"key")
        assert SEALER.open(text, b"bucket", b"key") == (wanted, ID)


def test_the_parts_of_an_origin_are_told_apart() -> None:
    origins = [
        UploadOrigin("a", b"bc"),
        UploadOrigin("ab", b"c"),
        UploadOrigin("a", b"b", Rewrite(b"", b"c")),
        UploadOrigin("a", b"b", Rewrite(b"", b"", b"c")),
        UploadOrigin("a", b"b", None, True),
    ]
    texts = {SEALER.seal(origin, b"c", b"b", b"key") for origin in origins}
    assert len(texts) == len(origins)


def test_the_longest_parts_fit() -> None:
    origin = UploadOrigin("t" * 255, b"b" * 255, Rewrite(b"b" * 255, b"p" * 1024, b"s" * 1024))
    text = SEALER.seal(origin, b"i" * MAX_UPLOAD_ID, b"bucket", b"key")
    assert len(text) == MAX_TEXT
    assert SEALER.open(text, b"bucket", b"key") == (origin, b"i" * MAX_UPLOAD_ID)


def test_a_longer_text_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_ids, "_decode", lambda text: pytest.fail("it was decoded"))
    assert SEALER.open(b"A" * (MAX_TEXT + 1), b"bucket", b"key") is None


@pytest.mark.parametrize(
    ("origin", "upload_id", "reason"),
    [
        (ORIGIN, b"i" * 1025, "the target's upload id has 1025 bytes, more than 1024"),
        (UploadOrigin("t" * 256, b"b"), b"i", "a name of 256 bytes, over 255"),
        (UploadOrigin("t", b"b" * 256), b"i", "a name of 256 bytes, over 255"),
        (UploadOrigin("t", b"b", Rewrite(b"", b"p" * 1025)), b"i", "a prefix of 1025 bytes"),
        (UploadOrigin("t", b"b", Rewrite(b"", b"", b"p" * 1025)), b"i", "a prefix of 1025 bytes"),
    ],
)
def test_what_is_too_long_is_refused(origin: UploadOrigin, upload_id: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SEALER.seal(origin, upload_id, b"bucket", b"key")


def test_without_a_key_nothing_opens_and_nothing_is_sealed() -> None:
    assert Sealer(()).open(TEXT, b"bucket", b"in/key") is None
    with pytest.raises(ValueError, match="no key"):
        Sealer(()).seal(ORIGIN, ID, b"bucket", b"key")


def test_a_key_seals_nothing_but_upload_ids() -> None:
    """The same secret may seal something else, whose MACs are to be worth nothing here."""
    sealed = sealed_ids._decode(TEXT)
    assert sealed is not None
    scope = sealed_ids._scope(b"bucket", b"in/key")
    mac = hmac.digest(KEY, scope + sealed[16:], "sha256")[:16]
    foreign = sealed_ids._encode(mac + sealed[16:])
    assert SEALER.open(foreign, b"bucket", b"in/key") is None


@pytest.mark.parametrize("head", [b"", b"\x20", b"\x14", b"\x00"])
def test_an_id_of_a_later_release_does_not_open(head: bytes) -> None:
    """Its replicas may have the same secret."""
    own = hmac.digest(KEY, sealed_ids._PURPOSE, "sha256")
    sealed = head + b"\x02s3\x01bid" if head else b""
    mac = hmac.digest(own, sealed_ids._scope(b"b", b"k") + sealed, "sha256")[:16]
    assert SEALER.open(sealed_ids._encode(mac + sealed), b"b", b"k") is None


def test_no_key_is_shown() -> None:
    assert repr(SEALER) == str(SEALER) == "Sealer(2 keys)"
