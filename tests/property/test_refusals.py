"""Whatever a target answers, it is judged without an exception, and hidden only for a reason."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastpath.s3.error_documents import read_error
from fastpath.s3.refusals import REFUSAL_STATUSES, OtherRegion, SignatureRefused, classify_refusal

CODES = ["AccessDenied", "SignatureDoesNotMatch", "ExpiredToken", "PermanentRedirect", "Redirect"]
CODES += ["AuthorizationHeaderMalformed", "InvalidArgument", ""]
PARTS = [b"<Error>", b"</Error>", b"<Code>", b"</Code>", b"<Region>eu-west-1</Region>", b"<", b"&"]
PARTS += [b"<!DOCTYPE a>", b"<![CDATA[", b"]]>", b"<?xml version='1.0' encoding='", b"'?>", b"\0"]
PARTS += [b"<!ENTITY a 'b'>", b"&#0;", b"\xef\xbb\xbf", b"\xff\xfe", b"utf-16", b"<a b='c'/>"]

soup = st.lists(
    st.one_of(st.sampled_from(PARTS), st.sampled_from([c.encode() for c in CODES]), st.binary()),
    max_size=30,
).map(b"".join)
regions = st.sampled_from([b"", b"us-east-1", b"eu-west-1", b"../../x", b"\xff", b"A" * 100])
statuses = st.sampled_from(sorted(REFUSAL_STATUSES))


@given(statuses, soup, regions, st.booleans())
def test_any_answer_is_judged(status: int, body: bytes, region: bytes, many: bool) -> None:
    refusal = classify_refusal(
        status, {b"x-amz-bucket-region": region}, body, b"us-east-1", regions=many
    )
    if isinstance(refusal, SignatureRefused):
        assert refusal.code.encode() in body.replace(b"\0", b"")
        assert status >= 400
    elif isinstance(refusal, OtherRegion):
        assert many
        assert refusal.region == b"eu-west-1"


@given(soup)
def test_a_document_with_a_type_says_nothing(body: bytes) -> None:
    assert read_error(b"<!DOCTYPE Error [" + body + b"]><Error><Code>A</Code></Error>") == {}


@given(st.sampled_from(CODES), st.text(max_size=40), st.integers(0, 400))
def test_a_cut_document_says_less_never_something_else(code: str, text: str, cut: int) -> None:
    inner = "".join(c for c in text if c.isprintable() and c not in "<&>")
    whole = f"<Error><Code>{code}</Code><Message>{inner}</Message><Region>r</Region></Error>"
    found, less = read_error(whole.encode()), read_error(whole.encode()[:cut])
    assert found["Code"] == code
    assert less.items() <= found.items()
