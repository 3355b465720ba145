"""Builds the canonical request and the string to sign, for both directions.

Rules: the path is decoded once and encoded once, never normalised (S3 keys may hold `//`, `.` and
`..`); `+` in a path is a plus sign, in a query a space. Source: AWS "Create a signed AWS API
request", with S3's exception of a path that is encoded only once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from urllib.parse import unquote_to_bytes

from fastpath.http.query import parse_query

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"  # RFC 3986 2.3
_PATH_SAFE = _UNRESERVED + b"/"
_ENCODED = [bytes((byte,)) if byte in _UNRESERVED else b"%%%02X" % byte for byte in range(256)]
_ENCODED_PATH = [b"/" if byte == 0x2F else code for byte, code in enumerate(_ENCODED)]
_TAB, _SPACE = b"\t "  # as numbers; `addressing` says why
_PATH_ESCAPES = frozenset(code[1:] for code in _ENCODED_PATH if len(code) == 3)


def encode(decoded: bytes) -> bytes:
    """Percent-encode everything but unreserved characters, `/` too."""
    if decoded.isalnum() or not decoded.translate(None, _UNRESERVED):
        return decoded
    return b"".join([_ENCODED[byte] for byte in decoded])


def canonical_path(raw: bytes) -> bytes:
    """Decode a raw path once and encode it once; `/` stays, `+` is %2B."""
    rest = raw.translate(None, _PATH_SAFE)
    if not rest:
        return raw or b"/"
    if not rest.strip(b"%") and {part[:2] for part in raw.split(b"%")[1:]} <= _PATH_ESCAPES:
        return raw  # what SDKs send is canonical already, escapes and all
    return encode_path(unquote_to_bytes(raw))


def encode_path(decoded: bytes) -> bytes:
    """Percent-encode everything but unreserved characters and `/`."""
    return b"".join([_ENCODED_PATH[byte] for byte in decoded])


def canonical_query(pairs: Sequence[tuple[bytes, bytes]], *, without: bytes | None = None) -> bytes:
    """Encode decoded pairs and sort them by name, then value, except the parameter `without`.

    A separator is never part of an encoded name or value, so sorting the pairs comes first: sorting
    `name=value` strings would put `a-b=` before `a=`.
    """
    if not pairs:
        return b""
    encoded = [(encode(name), encode(value)) for name, value in pairs if name != without]
    encoded.sort()
    return b"&".join([b"%b=%b" % pair for pair in encoded])


@lru_cache(maxsize=16)
def canonical_raw_query(raw: bytes) -> bytes:
    """Return the canonical form of a raw query.

    Cached, because most are signed twice: by the client, and for the target.
    """
    return canonical_query(parse_query(raw))


def trim(value: bytes) -> bytes:
    """Collapse inner white space of a header value; the outer is gone already."""
    return b" ".join(value.split()) if b"  " in value or b"\t" in value else value


def canonical_headers(names: Iterable[bytes], fields: Mapping[bytes, bytes]) -> bytes:
    """Return a line for each of `names`, in order. A signed header that is absent is empty."""
    return b"".join([name + b":" + trim(fields.get(name, b"")) + b"\n" for name in names])


class SignedNames:
    """The names of signed headers, prepared to write canonical lines quickly."""

    __slots__ = ("_form", "_values", "among", "names")

    def __init__(self, text: bytes) -> None:
        """`text` is `a;b;c`, as it is signed."""
        self.names = text.split(b";")
        self.among = frozenset(self.names)
        self._form = b"".join([name.replace(b"%", b"%%") + b":%b\n" for name in self.names])
        self._values = itemgetter(*self.names)

    def lines(self, fields: Mapping[bytes, bytes]) -> bytes:
        """Return the `canonical_headers` of these names."""
        try:
            lines: bytes = self._form % self._values(fields)
        except KeyError:
            return canonical_headers(self.names, fields)
        # Both are rare, and one check of all values is cheaper.
        if _TAB in lines or (_SPACE in lines and lines.find(b"  ") >= 0):
            return canonical_headers(self.names, fields)
        return lines


_KEPT_BYTES = 512  # of one text that is kept; an ordinary one has 40 to 200
_kept_names = lru_cache(maxsize=256)(SignedNames)


def signed_names(text: bytes) -> SignedNames:
    """Return the cached SignedNames of a text (bench heads: 6,000 instructions)."""
    return _kept_names(text) if len(text) <= _KEPT_BYTES else SignedNames(text)


def canonical_request(
    method: bytes, path: bytes, query: bytes, headers: bytes, signed: bytes, payload: bytes
) -> bytes:
    """Join canonical parts; `headers` are whole lines, `signed` is `a;b;c`."""
    return b"%b\n%b\n%b\n%b\n%b\n%b" % (method, path, query, headers, signed, payload)


def string_to_sign(timestamp: bytes, scope: bytes, canonical: bytes) -> bytes:
    """Return the string to sign; `scope` is date/region/service/aws4_request."""
    digest = sha256(canonical).hexdigest().encode()
    return b"AWS4-HMAC-SHA256\n%b\n%b\n%b" % (timestamp, scope, digest)
