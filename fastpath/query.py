"""Query strings: raw bytes -> decoded pairs, and the raw query without a presigned signature.

Rules: `+` is a plus sign, as S3 signs it, never a space; only `&` separates; an escape that is none
stays as it is; what is re-emitted is byte for byte what the client sent, because the upstream
signature is made over it.

Not here: the canonical query of a signature (`sigv4.canonical`), what parameters mean
(`operations`).
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

# Everything a presigned SigV4 URL carries for its own sake, lower case. The payload hash is one of
# them: the gateway signs its own upstream, in a header. Other x-amz-* parameters are headers that
# an SDK moved into the query (x-amz-acl, x-amz-checksum-*): they mean something and stay.
_PRESIGN = frozenset(
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


def parse_query(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Decoded (name, value) pairs in wire order, (b"acl", b"") for `acl`, no empty segments."""
    pairs: list[tuple[bytes, bytes]] = []
    escaped = b"%" in raw
    for segment in raw.split(b"&"):
        if segment:
            name, _, value = segment.partition(b"=")
            if escaped:
                name = unquote_to_bytes(name)
                value = unquote_to_bytes(value)
            pairs.append((name, value))
    return pairs


def strip_amz_presign(raw: bytes) -> bytes:
    """The raw query without SigV4's own parameters; everything else byte for byte.

    Names are compared decoded and without case, so that no spelling of them reaches a target that
    might read it as a second signature.
    """
    if b"%" not in raw and b"amz-" not in raw.lower():
        return raw
    return b"&".join([part for part in raw.split(b"&") if not _is_presign(part)])


def _is_presign(segment: bytes) -> bool:
    return unquote_to_bytes(segment.partition(b"=")[0]).lower() in _PRESIGN
