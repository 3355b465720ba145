"""Dates of signatures."""

from __future__ import annotations

import pytest

from fastpath.signing.sigv4.dates import basic, extended, parse_any, parse_basic

MOMENT = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 section 5.6.7


@pytest.mark.parametrize(
    "text",
    [
        b"19941106T084937Z",
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:37 -0000",
        b"Sun, 06 Nov 1994 08:49:37 +0000",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
    ],
)
def test_every_form_is_read(text: bytes) -> None:
    assert parse_any(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"19941106T084937",
        b"19941106T084937Z ",
        b"1994-11-06T08:49:37Z",
        b"19941306T084937Z",
        b"19940230T084937Z",
        b"19941106T244937Z",
        b"19941106T084960Z",
        b"19941106T084937z",
        b"00000101T000000Z",
        b"19691231T235959Z",
        b"1994110\xb2T084937Z",
        b"Sun, 06 Nov 1994 08:49:37",
        b"Sun, 06 Nov 1994 08:49:37 CET",
        b"Sun, 06 Nov 1994 08:49:37 +0100",
        b"Sun, 06 nov 1994 08:49:37 GMT",
        b"Sun, 31 Nov 1994 08:49:37 GMT",
        b"Wed Dec 31 23:59:59 1969",
        b"9" * 41,
        b"784111777",
    ],
)
def test_what_is_no_date(text: bytes) -> None:
    assert parse_any(text) is None
    assert parse_basic(text) is None


def test_presigned_dates_have_one_form() -> None:
    assert parse_basic(b"19941106T084937Z") == MOMENT
    assert parse_basic(b"Sun, 06 Nov 1994 08:49:37 GMT") is None


def test_two_digit_years() -> None:
    assert parse_any(b"Saturday, 06-Nov-69 08:49:37 GMT") == 3150953377  # 2069
    assert parse_any(b"Friday, 06-Nov-70 08:49:37 GMT") == 26729377  # 1970


def test_written_forms() -> None:
    assert basic(MOMENT) == b"19941106T084937Z"
    assert extended(MOMENT + 0.999) == "1994-11-06T08:49:37Z"
    assert extended(10.0**15) == "9999-12-31T23:59:59Z"
