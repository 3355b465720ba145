"""Reads single parameters of lists as AWS does, with its errors (AWS errors 4.19 to 4.23).

Rules: of a repeated parameter the first counts, as on S3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fastpath.errors import INVALID_ARGUMENT, INVALID_URI, S3Error

_MAX_INT = 2147483647
_INTEGER = re.compile(rb"[+-]?[0-9]{1,64}")
# Parameters of V2 only, and AWS's message for each.
_OF_V2 = (
    ("continuation-token", "continuation-token only supported"),
    ("start-after", "startAfter only supported"),
)
_WITH_V2 = " in REST.GET.BUCKET with list-type=2"
_MARKER_WITH_V2 = "Marker unsupported with REST.GET.BUCKET in list-type=2"

Values = Mapping[str, bytes]


def first_values(query: Sequence[tuple[bytes, bytes]]) -> dict[str, bytes]:
    """Return the parameters by name, the first of each."""
    values: dict[str, bytes] = {}
    for name, value in query:
        values.setdefault(name.decode("latin-1"), value)
    return values


def invalid(name: str, text: str, value: str | None = None) -> S3Error:
    """Return the error for an invalid parameter."""
    extras = [("ArgumentName", name)]
    if value is not None:
        extras.append(("ArgumentValue", value))
    return S3Error(INVALID_ARGUMENT, *extras, message=text)


def invalid_token() -> S3Error:
    """Return the error for a continuation token that was not made for this list."""
    return invalid("continuation-token", "The continuation token provided is incorrect")


def read_count(values: Values, name: str, shown: str, most: int) -> int:
    """Read a number of rows, up to `most`. Raises S3Error."""
    sent = values.get(name, b"")
    if not sent:
        return most
    number = int(sent) if _INTEGER.fullmatch(sent) else _MAX_INT + 1
    if not -_MAX_INT - 1 <= number <= _MAX_INT:
        text = f"Provided {name} not an integer or within integer range"
        raise invalid(name, text, sent.decode("utf-8", "replace"))
    if number < 0:
        text = f"Argument {shown} must be an integer between 0 and {_MAX_INT}"
        raise invalid(shown, text, str(number))
    return min(number, most)


def check_version(values: Values, *, is_v2: bool) -> None:
    """Refuse parameters of the other version of ListObjects. Raises S3Error."""
    kind = values.get("list-type", b"1")
    if kind not in (b"1", b"2"):
        text = "Invalid List Type specified in Request"
        raise invalid("list-type", text, kind.decode("utf-8", "replace"))
    if is_v2:
        if "marker" in values:
            raise invalid("marker", _MARKER_WITH_V2)
        return
    for name, text in _OF_V2:
        if name in values:
            raise invalid(name, text + _WITH_V2)


def read_encoding(values: Values) -> bool:
    """Whether the client asked for encoded names. Raises S3Error."""
    sent = values.get("encoding-type")
    if sent is not None and sent.lower() != b"url":
        text = "Invalid Encoding Method specified in Request"
        raise invalid("encoding-type", text, sent.decode("utf-8", "replace"))
    return sent is not None


def read_text(values: Values, name: str) -> str:
    """Read a name. Raises S3Error: it is no UTF-8."""
    try:
        return values.get(name, b"").decode()
    except UnicodeDecodeError:
        raise S3Error(INVALID_URI) from None
