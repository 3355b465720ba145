"""Query strings: raw bytes -> decoded pairs, the headers a presigner moved in, what goes upstream.

Rules: `+` is a space, as S3 reads it, and goes upstream as `%20`, because stores differ in what
they make of it; only `&` separates; an escape that is none stays as it is; all else that is
re-emitted is byte for byte what the client sent, because the upstream signature is made over it; no
part of a client's signature goes upstream.

Not here: the canonical query of a signature (`sigv4.canonical`), what parameters mean
(`operations`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from urllib.parse import unquote_to_bytes

# Everything a presigned SigV4 URL carries for its own sake, lower case. The payload hash is one of
# them: the gateway signs its own upstream, in a header. Other x-amz-* parameters are headers that
# an SDK moved into the query (x-amz-acl, x-amz-checksum-mode): they mean something.
_SIGV4 = frozenset(
    (
        b"x-amz-algorithm",
        b"x-amz-content-sha256",
        b"x-amz-credential",
        b"x-amz-date",
        b"x-amz-expires",
        b"x-amz-security-token",
        b"x-amz-signature",
        b"x-amz-signedheaders",
    )
)
# The same of a SigV2 URL, where case counts; botocore repeats in it the two headers that it signs.
# `Expires` and the last two are ordinary names unless one of the first two is there.
_SIGV2_MARKS = frozenset((b"AWSAccessKeyId", b"Signature"))
_SIGV2 = _SIGV2_MARKS | {b"Expires", b"content-md5", b"content-type"}

# They tell of a body's framing, which is no longer the client's once it goes upstream.
_NEVER_LIFTED = _SIGV4 | {b"x-amz-decoded-content-length", b"x-amz-trailer"}
# A checksum of the body, and the algorithm that an SDK was told: S3 signs them in a query and does
# not enforce them there (aws-sdk-go-v2 issue 2610), because whoever presigns has no body yet.
_NOT_ENFORCED = re.compile(
    rb"x-amz-(?:checksum-(?!(?:algorithm|mode|type)\Z).*|sdk-checksum-algorithm)", re.DOTALL
)
# Headers about the content that aws-sdk-js v2 repeats in the URLs that it presigns. S3 does not
# read them there (aws-sdk-js issues 780, 1703), and other stores do not know them.
_OF_THE_CONTENT = frozenset(
    b"cache-control content-disposition content-encoding content-language content-length "
    b"content-md5 content-type expires".split()
)
_AMZ_NAME = re.compile(rb"x-amz-[a-z0-9._-]+")
_SUSPECT = re.compile(rb"[%+]|amz-|AWSAccessKeyId|Signature", re.IGNORECASE)
_PERCENT, _PLUS = b"%+"  # as numbers; `addressing` says why
_FIELD_VALUE = re.compile(rb"[\t -~\x80-\xff]*")  # RFC 9110 section 5.5


def parse_query(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Decoded (name, value) pairs in wire order, (b"acl", b"") for `acl`, no empty segments."""
    pairs: list[tuple[bytes, bytes]] = []
    if _PLUS in raw:
        raw = raw.replace(b"+", b"%20")
    for segment in raw.split(b"&"):
        if segment:
            name, _, value = segment.partition(b"=")
            if _PERCENT in segment:
                name = unquote_to_bytes(name)
                value = unquote_to_bytes(value)
            pairs.append((name, value))
    return pairs


def is_field(name: bytes, value: bytes) -> bool:
    """Whether a parameter could be an x-amz-* header; `name` in lower case."""
    return _AMZ_NAME.fullmatch(name) is not None and is_field_value(value)


def is_field_value(value: bytes) -> bool:
    """Whether a header could have this value."""
    return _FIELD_VALUE.fullmatch(value) is not None


def is_enforced(name: bytes) -> bool:
    """Whether S3 holds a request to this header where it was only signed in the query."""
    return _NOT_ENFORCED.fullmatch(name) is None and name not in _OF_THE_CONTENT


def is_of_the_content(name: bytes) -> bool:
    """Whether a parameter of a presigned URL repeats a header about the content."""
    return name.lower() in _OF_THE_CONTENT


def lifted_fields(query: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that whoever presigned the request moved into its query: x-amz-*, the content's.

    Names in lower case, each once (of a repeated one the first); values without outer white space.
    Empty for a query that carries no signature.
    """
    names = {name for name, _ in query}
    if b"X-Amz-Signature" not in names and b"Signature" not in names:
        return []
    lifted: dict[bytes, bytes] = {}
    for spelt, value in query:
        name = spelt.lower()
        if name in _OF_THE_CONTENT or (name not in _NEVER_LIFTED and is_field(name, value)):
            lifted.setdefault(name, value.strip(b" \t"))
    return list(lifted.items())


def upstream_query(raw: bytes, lifted: Collection[bytes] = ()) -> bytes:
    """The raw query without the client's signature and what became a header; the rest as it was.

    Names are compared decoded, and SigV4's without case, so that no spelling of them reaches a
    target that might read it as a second signature. `lifted`: lower-case names.
    """
    if not _SUSPECT.search(raw):
        return raw
    raw = raw.replace(b"+", b"%20")
    parts = [(unquote_to_bytes(part.partition(b"=")[0]), part) for part in raw.split(b"&")]
    gone = _SIGV2 if any(name in _SIGV2_MARKS for name, _ in parts) else frozenset[bytes]()
    return b"&".join(
        [
            part
            for name, part in parts
            if name not in gone and name.lower() not in _SIGV4 and name.lower() not in lifted
        ]
    )
