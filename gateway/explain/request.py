"""Makes the head of the request that an operator described.

Rules: bytes are escaped in the path as an SDK escapes them, so that a name which is no valid bucket
stays one; what an operation needs besides bucket and key is filled in with examples.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from pydantic_core import PydanticCustomError

from fastpath.s3.operations import METHODS, OPERATIONS, request_shape
from gateway.config.condition_values import size_of
from gateway.config.problems import did_you_mean

_SAFE = "/-_.~"
_EXAMPLE = "example"
_PRESIGNED = frozenset(
    (
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
        "awsaccesskeyid",
        "expires",
        "signature",
    )
)
_ORIGIN = "https://app.example.com"


KEYS_IN_BODY = ("DeleteObjects", "PostObject")
EXAMPLE_KEY = f"main/{_EXAMPLE}"


class Unclear(Exception):
    """The description is ambiguous or impossible; the text is for the operator."""


@dataclass(slots=True)
class Request:
    """A request to be explained: `path` and `query` as they would be on the wire."""

    method: str
    path: str
    query: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def raw(self, host: str, lines: Sequence[bytes] = ()) -> bytes:
        """The head, with more header `lines`, each with its CRLF."""
        target = f"{self.path}?{self.query}" if self.query else self.path
        own = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        text = f"{self.method} {target} HTTP/1.1\r\nHost: {host}\r\n{own}"
        return text.encode("utf-8", "surrogateescape") + b"".join(lines) + b"\r\n"


@dataclass(frozen=True, slots=True)
class Place:
    """Bucket and key, and the query that was given with them."""

    bucket: str
    key: str
    query: str = ""


def place_of(bucket: str, key: str) -> Place:
    """`BUCKET KEY`, `s3://bucket/key`, an object's ARN, or its URL on the gateway (path style)."""
    scheme, separator, rest = bucket.partition("://")
    if bucket.startswith("arn:aws") and ":s3:::" in bucket:
        scheme, separator, rest = "s3", "://", bucket.partition(":s3:::")[2]
    if not separator:
        return Place(bucket, key)
    query = ""
    if scheme in ("http", "https"):
        parts = urlsplit(bucket)
        rest, query = parts.path.removeprefix("/"), parts.query
    elif scheme not in ("s3", "s3a", "s3n"):
        raise Unclear(f"{scheme}:// is no address of S3: give s3://bucket/key, or bucket and key")
    name, _, inner = rest.partition("/")
    if inner and key:
        raise Unclear("the key is given twice: in the address and behind it")
    return Place(name, inner or key, query)


def request_of(place: Place, word: str, query: str, headers: Sequence[str]) -> Request:
    """Makes the request of an operation, or of an HTTP method. Raises Unclear."""
    given = [_header(line) for line in headers]
    asked = _unsigned("&".join(filter(None, (place.query, query.removeprefix("?")))))
    if word.encode() in METHODS:
        request = Request(word, _path(place), asked, given)
    else:
        request = _of_operation(place, word, asked, given)
    if request.method == "OPTIONS":
        _fill(request.headers, "origin", _ORIGIN)
        _fill(request.headers, "access-control-request-method", "GET")
    return request


def _unsigned(query: str) -> str:
    """Removes the signature of a presigned URL, because the request is signed again."""
    parts = query.split("&")
    return "&".join(one for one in parts if one.partition("=")[0].lower() not in _PRESIGNED)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip() or "\n" in line or "\r" in line:
        raise Unclear(f"{name!r} is no header: write NAME: VALUE")
    return name.strip().lower(), value.strip()


def _fill(headers: list[tuple[str, str]], name: str, value: str) -> None:
    if all(known != name for known, _ in headers):
        headers.append((name, value))


def _path(place: Place) -> str:
    """Returns the path in path style; a bucket is one segment, whatever characters it has."""
    if not place.bucket:
        return "/"
    bucket = quote(os.fsencode(place.bucket), safe="-_.~")
    key = quote(os.fsencode(place.key), safe=_SAFE)
    return f"/{bucket}/{key}" if place.key else f"/{bucket}"


def _of_operation(place: Place, word: str, query: str, headers: list[tuple[str, str]]) -> Request:
    operation = OPERATIONS.get(word)
    if operation is None:
        raise Unclear(_unknown(word))
    if word == "Preflight":
        return Request("OPTIONS", _path(place), query, headers)
    if word == "Unclassified":
        return Request("GET", _path(place), _joined(query, "unknown-to-s3gateway"), headers)
    (level, method, sub), needed = request_shape(operation)
    request = Request(method.decode(), "", query, headers)
    place = _at_level(place, level, operation.name, request)
    request.path = _path(place)
    if sub != b"-":
        name = sub.decode()
        _ask(request, f"{name}={_EXAMPLE}" if name == "uploadId" else name)
    for part in needed:
        _refine(request, part.decode(), place)
    return request


def _unknown(word: str) -> str:
    actions = {operation.action for operation in OPERATIONS.values()}
    if word in actions:
        some = next(o.name for o in OPERATIONS.values() if o.action == word)
        return f"{word!r} is a class of operations: name one of them, for example {some}"
    known = [*OPERATIONS, *(method.decode() for method in sorted(METHODS))]
    hint = did_you_mean(word, known) or "name one, for example GetObject or PUT"
    return f"{word!r} is no S3 operation or HTTP method. {hint}"


def _at_level(place: Place, level: bytes, name: str, request: Request) -> Place:
    """Keeps bucket and key if the operation has them; fills in an example for a missing one."""
    if level == b"service":
        if place.bucket:
            request.remarks.append(f"{name} names no bucket: {place.bucket} is left out")
        return Place("", "")
    if level == b"bucket":
        if place.key and name.startswith("List"):
            _ask(request, list_query(place.key))
        elif place.key and name not in KEYS_IN_BODY:
            request.remarks.append(f"{name} names no key: {place.key} is left out")
        return Place(place.bucket, "")
    if not place.key:
        request.remarks.append(no_key())
        return Place(place.bucket, EXAMPLE_KEY)
    return place


def no_key() -> str:
    """Says that an example stands in for the key."""
    return f"no key is given: {EXAMPLE_KEY} is looked at"


def moment_of(text: str) -> float:
    """Reads a time, as 2026-11-30T02:00+01:00 (without a zone: UTC) or in epoch seconds."""
    try:
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
            moment = datetime.fromtimestamp(float(text), UTC)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = moment.timestamp()
    except (ValueError, OverflowError, OSError):
        seconds = -1.0
    if seconds < 0:
        raise Unclear(f"{text!r} is no time: write 2026-11-30T02:00+01:00, or epoch seconds")
    return seconds


def length_headers(written: str, headers: Sequence[str]) -> list[str]:
    """Returns the headers of a body of so many bytes, written as in `conditions`."""
    try:
        size = size_of(written)
    except PydanticCustomError as error:
        raise Unclear(f"--size {written!r} {error.message()}") from None
    names = {line.partition(":")[0].strip().lower() for line in headers}
    streamed = any("STREAMING-" in line for line in headers)  # its chunks' framing comes on top
    name = "x-amz-decoded-content-length" if streamed else "content-length"
    if name in names:
        raise Unclear(f"the size is given twice: by --size and by {name}")
    return [f"{name}: {size}"]


def list_query(prefix: str) -> str:
    """Returns the query of a list with this prefix."""
    return f"prefix={quote(os.fsencode(prefix), safe='')}"


def _refine(request: Request, part: str, place: Place) -> None:
    """Adds the parameter or header that distinguishes the operation from a similar one."""
    if part.startswith("x-"):
        source = f"/{quote(os.fsencode(place.bucket))}/{quote(os.fsencode(place.key), safe=_SAFE)}"
        _fill(request.headers, part, source if part == "x-amz-copy-source" else _EXAMPLE)
        return
    name, equals, value = part.partition("=")
    _ask(request, f"{name}={value if equals else '1' if name == 'partNumber' else _EXAMPLE}")


def _ask(request: Request, parameter: str) -> None:
    """Adds a parameter, unless it was given."""
    name = parameter.partition("=")[0]
    given = {one.partition("=")[0] for one in request.query.split("&")}
    if name not in given:
        request.query = _joined(request.query, parameter)


def _joined(query: str, parameter: str) -> str:
    return f"{query}&{parameter}" if query else parameter
