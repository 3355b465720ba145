"""Checks a form against its POST policy: expiration, conditions, size of the file.

Rules: every condition must hold, and every field, the bucket too, must be covered by one, or the
form is refused; names and operators are compared without case, values with; codes, texts and their
order are AWS's (AWS errors 5.15 to 5.24); a document that is not understood allows nothing.

Source: AWS "Creating a POST policy" (sigv4-HTTPPOSTConstructPolicy).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from fastpath.errors import (
    ENTITY_TOO_LARGE,
    ENTITY_TOO_SMALL,
    INVALID_POLICY_DOCUMENT,
    POLICY_REFUSES,
    S3Error,
)

Fields = Mapping[bytes, bytes]  # by lower-case name

# Fields that need no condition. The file is not among the fields.
_EXEMPT = frozenset((b"awsaccesskeyid", b"policy", b"signature", b"x-amz-signature"))
_IGNORED = b"x-ignore-"
_EXPIRATION = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,30}", re.ASCII)
_RANGE = "content-length-range"


class Policy:
    """A policy whose conditions on the fields hold; the size is checked later."""

    __slots__ = ("_ranges",)

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        self._ranges = ranges

    def check_size(self, size: int) -> None:
        """Refuse a file of a size that is not allowed. Bounds are inclusive, in bytes."""
        for least, most in self._ranges:
            proposed = ("ProposedSize", str(size))
            if size > most:
                raise S3Error(ENTITY_TOO_LARGE, proposed, ("MaxSizeAllowed", str(most)))
            if size < least:
                raise S3Error(ENTITY_TOO_SMALL, proposed, ("MinSizeAllowed", str(least)))


def check_policy(encoded: bytes, fields: Fields, bucket: bytes, now: float) -> Policy:
    """Check the fields of a form against its policy; `encoded` as it was sent. Raises S3Error."""
    document = _read(encoded)
    conditions = document["conditions"]
    if now >= _expiration(document["expiration"]):
        raise _refused("Policy expired.")
    values = {**fields, b"bucket": bucket}
    covered = set()
    ranges = []
    for operator, name, wanted, shown in map(_condition, conditions):
        if operator == _RANGE:
            ranges.append(_size_range(name, wanted, shown))
            continue
        field = name.removeprefix("$").lower().encode()
        if field not in values or not _matches(operator, field, values[field], wanted.encode()):
            raise _failed(shown)
        covered.add(field)
    extra = [name for name in values if not _is_covered(name, covered)]
    if extra:
        names = b", ".join(extra).decode("utf-8", "replace")
        raise _refused(f"Extra input fields: {names}")
    return Policy(ranges)


def _is_covered(name: bytes, covered: set[bytes]) -> bool:
    return name in covered or name in _EXEMPT or name.startswith(_IGNORED)


def _matches(operator: str, field: bytes, value: bytes, wanted: bytes) -> bool:
    if operator == "eq":
        return value == wanted
    if field == b"content-type":
        # The only field whose value is a list: each member must match.
        return all(member.strip(b" \t").startswith(wanted) for member in value.split(b","))
    return value.startswith(wanted)


def _read(encoded: bytes) -> dict[str, Any]:
    try:
        document = json.loads(base64.b64decode(encoded, validate=True))
        json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("Invalid JSON.")
    if "expiration" not in document:
        raise _invalid("Policy missing expiration.")
    if not isinstance(document.get("conditions"), list) or not document["conditions"]:
        raise _invalid("Policy missing conditions.")
    return document


def _expiration(text: object) -> float:
    if isinstance(text, str) and _EXPIRATION.fullmatch(text):
        try:
            return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()
        except ValueError:
            pass
    raise _invalid(f"Invalid 'expiration' value: '{_shown(text)}'")


def _condition(entry: object) -> tuple[str, Any, Any, list[Any]]:
    """Return operator, two arguments, and the condition as AWS shows it."""
    if isinstance(entry, dict):
        name, value = _simple_condition(entry)
        return "eq", name, value, ["eq", f"${name}", value]
    if not isinstance(entry, list):
        raise _invalid("Invalid condition test: must be a List or Object.")
    spelt = entry[0] if entry else ""
    operator = spelt.lower() if isinstance(spelt, str) else ""
    label = {"eq": "Eq", "starts-with": "starts-with", _RANGE: _RANGE}.get(operator)
    if label is None:
        raise _invalid(f"Invalid Condition: unknown operation '{_shown(spelt)}'.")
    if len(entry) != 3:
        raise _invalid(f"Invalid {label}: wrong number of arguments.")
    if operator != _RANGE and not (isinstance(entry[1], str) and isinstance(entry[2], str)):
        raise _invalid(f"Invalid {label}: arguments must be strings.")
    return operator, entry[1], entry[2], entry


def _simple_condition(entry: dict[str, object]) -> tuple[str, str]:
    if len(entry) != 1:
        raise _invalid(
            "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
        )
    ((name, value),) = entry.items()
    if not isinstance(value, str):
        raise _invalid("Invalid Simple-Condition: value must be a string.")
    return name, value


def _size_range(least: object, most: object, shown: list[Any]) -> tuple[int, int]:
    found = list(_numbers(least, most))
    if len(found) != 2:
        raise _failed(shown)
    return found[0], found[1]


def _numbers(*bounds: object) -> Iterator[int]:
    for bound in bounds:
        if isinstance(bound, int | str) and _NUMBER.fullmatch(str(bound)):
            yield int(bound)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _failed(condition: list[Any]) -> S3Error:
    return _refused(f"Policy Condition failed: {json.dumps(condition, ensure_ascii=False)}")


def _refused(text: str) -> S3Error:
    return S3Error(POLICY_REFUSES, message=f"Invalid according to Policy: {text}")


def _invalid(text: str) -> S3Error:
    return S3Error(INVALID_POLICY_DOCUMENT, message=f"Invalid Policy: {text}")
