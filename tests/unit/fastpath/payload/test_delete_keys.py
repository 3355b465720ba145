"""`fastpath.payload.delete_keys`: which batches of keys a lakeFS target would mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.errors import INVALID_URI, S3Error
from fastpath.payload.delete_keys import DeleteKeysCheck


def document(*keys: str, root: str = "Delete") -> bytes:
    objects = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    return f'<?xml version="1.0"?><{root} xmlns="http://s3/">{objects}</{root}>'.encode()


def judged(body: bytes, size: int = 0) -> str:
    check = DeleteKeysCheck()
    for at in range(0, len(body), size or len(body) or 1):
        check.update(body[at : at + (size or len(body))])
    try:
        check.confirm()
    except S3Error as error:
        return error.kind.code
    return ""


@pytest.mark.parametrize("keys", [["main/a"], ["main/a b", "dev/c/", "/main/x//y", "m/&lt;é"], []])
def test_plain_batches_pass(keys: list[str]) -> None:
    assert judged(document(*keys)) == ""


@pytest.mark.parametrize(
    "key",
    [
        "main/a\nb",
        "main/a&#10;b",
        "main/a&#xA;",
        "<![CDATA[main/a\n]]>",
        "main/",
        "main",
        "/main/",
        "",
    ],
)
def test_a_key_that_would_be_mistaken_refuses_the_batch(key: str) -> None:
    for body in (document(key), document("main/a", key, "main/b")):
        assert judged(body) == "NotImplemented"
        assert judged(body, 1) == "NotImplemented"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Delete>",
        b"not xml",
        document("main/a") + b"<again/>",
        b'<!DOCTYPE Delete [<!ENTITY e "main/a">]><Delete><Object><Key>&e;</Key></Object></Delete>',
        b'<?xml version="1.0" encoding="x-none"?><Delete/>',
        document("main/" + "k" * 20000),
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    assert judged(body) == judged(body, 1) == "MalformedXML"


@pytest.mark.parametrize(
    "extra",
    [
        "<VersionId>1</VersionId>",
        "<VersionId/>",
        "<ETag>&quot;a&quot;</ETag>",
        "<LastModifiedTime>x</LastModifiedTime>",
        "<Size>1</Size>",
    ],
)
@pytest.mark.parametrize("size", [0, 1])
def test_what_a_key_depends_on_refuses_the_batch(extra: str, size: int) -> None:
    """It would be deleted whatever its version, its ETag, its age or its size."""
    body = document("main/a", "main/b").replace(b"</Object>", extra.encode() + b"</Object>", 1)
    assert judged(body, size) == "NotImplemented"


def test_the_null_version_is_the_object_itself() -> None:
    body = document("main/a").replace(b"</Object>", b"<VersionId>null</VersionId></Object>")
    assert judged(body) == judged(body, 1) == ""


@pytest.mark.timeout(10)
def test_a_key_of_many_references_costs_what_it_is_long() -> None:
    """Each comes by itself; counting them over from the start took a worker 2 s for a key."""
    assert judged(document(*["main/" + "&lt;" * 16_000] * 10)) == ""


def test_a_key_elsewhere_is_none() -> None:
    assert judged(b"<Delete><Key>main</Key><Object><X><Key>main</Key></X></Object></Delete>") == ""


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_verdict(body: bytes) -> None:
    assert judged(body, 7) in ("", "MalformedXML", "NotImplemented")


def test_keys_are_judged_by_the_targets_names() -> None:
    """A key that has none is not sent, and makes an error of its own."""

    def rename(key: bytes) -> bytes:
        if key == b"none\n":
            raise S3Error(INVALID_URI)
        return key.replace(b"dev/", b"main\n")

    for key, code in (("a/b", ""), ("none&#10;", ""), ("dev/a", "NotImplemented")):
        check = DeleteKeysCheck(rename)
        check.update(document("main/x", key))
        if not code:
            check.confirm()
            continue
        with pytest.raises(S3Error) as caught:
            check.confirm()
        assert caught.value.kind.code == code
