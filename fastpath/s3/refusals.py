"""Classifies a target's refusal: relay it, hide it, or ask another region.

    301, 307 PermanentRedirect, TemporaryRedirect  -> OtherRegion          profiles with regions
    400 AuthorizationHeaderMalformed               -> OtherRegion, else SignatureRefused
    4xx SignatureDoesNotMatch, ExpiredToken, ...   -> SignatureRefused
    4xx that names the gateway's access key id     -> SignatureRefused, whatever else it says
    4xx in a content coding that is not understood -> SignatureRefused
    3xx to the target's own host                   -> RedirectsToItself: its endpoint is wrong
    anything else, a plain AccessDenied too        -> None: the response is the target's own

Rules: the gateway signed the request, so a client never sees that a signature was refused, nor the
name of the target's region; an error document is read in every coding and shape that stores and
their proxies use, and one that cannot be read is not shown. A response to HEAD has no document:
some stores put the code into a header; without one, a refused signature looks like AccessDenied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fastpath.http.content_codings import decoded
from fastpath.s3.error_documents import read_error

# The statuses of redirects and of refused signatures; other responses refuse neither.
REDIRECT_STATUSES = frozenset({301, 302, 307, 308, 400})
SIGNATURE_STATUSES = frozenset({400, 401, 403})
REFUSAL_STATUSES = REDIRECT_STATUSES | SIGNATURE_STATUSES

# Bytes of the body that are buffered. The code comes first; what makes a document long is the
# canonical request after it.
MAX_BUFFERED_BYTES = 65536

# Bytes that are read of an error document that is relayed: its code is at its beginning.
MAX_ERROR_BYTES = 4096

# Codes of refused signatures that fresh credentials may cure, and the others. AWS:
# API/ErrorResponses, and the common errors of its other services, whose words API gateways use.
_RENEW = frozenset(
    {
        "ExpiredToken",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidSignature",
        "InvalidToken",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClient",
    }
)
_MALFORMED = "AuthorizationHeaderMalformed"
SIGNATURE_CODES = _RENEW | {"RequestTimeTooSkewed", _MALFORMED}
# Headers that hold the code: AWS's website endpoints and JSON services, MinIO (also to HEAD).
_CODE_LINES = (b"x-amz-error-code", b"x-amzn-errortype", b"x-minio-error-code")
_REDIRECTS = frozenset({"PermanentRedirect", "TemporaryRedirect", "Redirect"})

# It becomes a label of a host name and a part of the signature's scope.
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")
# Of a URL, or of an Endpoint, which is a host alone.
_HOST = re.compile(
    r"(?:https?:)?(?://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?(?=[/?#]|\Z)"
)
# `https://bucket.s3.eu-west-1.amazonaws.com/key`, `bucket.s3-eu-west-1.amazonaws.com`
_REGION_IN_HOST = re.compile(r"(?:\A|[./])s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d+)\.")


@dataclass(frozen=True, slots=True)
class SignatureRefused:
    """The target refused the gateway's signature. `renew`: fresh credentials may help."""

    code: str
    renew: bool


@dataclass(frozen=True, slots=True)
class OtherRegion:
    """The bucket is in another region."""

    code: str
    region: bytes


@dataclass(frozen=True, slots=True)
class RedirectsToItself:
    """The target sends the client to itself, mostly from http to https."""

    location: str


Refusal = SignatureRefused | OtherRegion | RedirectsToItself | None


def classify_refusal(  # noqa: PLR0913 (an answer has these parts)
    status: int,
    fields: Mapping[bytes, bytes],
    body: bytes,
    signed_for: bytes,
    *,
    regions: bool,
    key_id: bytes = b"",
    host: str = "",
) -> Refusal:
    """Classify a response to a request that the gateway signed with `key_id` for `signed_for`.

    status: one of REFUSAL_STATUSES.
    body: the document or its first MAX_BUFFERED_BYTES.
    signed_for: the region that the signature is for.
    regions: whether the target has more than one.
    host: the target's.
    """
    coding = fields.get(b"content-encoding", b"")
    document = decoded(body, coding, MAX_BUFFERED_BYTES) if body else b""
    found = read_error(document) if document else {}
    code = _plain(found.get("Code") or _code_line(fields))
    if regions and (code == _MALFORMED or code in _REDIRECTS or (not code and status < 401)):
        region = _region(fields, found)
        if region and region.encode() != signed_for:
            return OtherRegion(code or str(status), region.encode())
    if host and status < 400:
        return _redirect_to_itself(fields, found, host)
    if code in SIGNATURE_CODES and status >= 400:
        return SignatureRefused(code, code in _RENEW)
    if document is None and status >= 400:
        return SignatureRefused(
            f"{status} in the coding {coding[:40].decode('latin-1')}", renew=True
        )
    if key_id and (key_id in (document or b"") or any(key_id in line for line in fields.values())):
        return SignatureRefused(code or str(status), renew=not code)
    return None


def _redirect_to_itself(
    fields: Mapping[bytes, bytes], found: Mapping[str, str], host: str
) -> RedirectsToItself | None:
    """Classify a redirect to `host` or to a bucket's host below it: no client could follow it."""
    for location in (fields.get(b"location", b"").decode("latin-1"), found.get("Endpoint", "")):
        named = _HOST.match(location)
        if named and f".{named[1].lower()}".endswith(f".{host.lower()}"):
            return RedirectsToItself(named[0])
    return None


def _code_line(fields: Mapping[bytes, bytes]) -> str:
    return next((fields[name].decode("latin-1") for name in _CODE_LINES if name in fields), "")


def _plain(code: str) -> str:
    """Return the bare code of a qualified one, as in `com.amazon#ExpiredTokenException:http`."""
    return code.rpartition("#")[2].partition(":")[0].strip().removesuffix("Exception")


def is_region(name: bytes) -> bool:
    """Whether a region can have this name: a host label and a part of a signature's scope."""
    return _REGION.match(name.decode("latin-1")) is not None


def _region(fields: Mapping[bytes, bytes], found: Mapping[str, str]) -> str:
    """Return the region that a response names; empty if it names none."""
    for name in (fields.get(b"x-amz-bucket-region", b"").decode("latin-1"), found.get("Region")):
        if name and _REGION.match(name):
            return name
    location = fields.get(b"location", b"").decode("latin-1")
    for url in (found.get("Endpoint", ""), location):
        if named := _REGION_IN_HOST.search(url):
            return named[1]
    return ""
