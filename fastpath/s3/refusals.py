"""What a target's refusal means for the client: to be passed on, hidden, or asked elsewhere.

    301, 307 PermanentRedirect, TemporaryRedirect  -> Elsewhere(region)    profiles with regions
    400 AuthorizationHeaderMalformed               -> Elsewhere(region), else Hidden
    4xx SignatureDoesNotMatch, ExpiredToken, ...   -> Hidden
    4xx that names the gateway's access key id     -> Hidden, whatever else it says
    4xx that nobody here can read                  -> Hidden
    3xx to the target's own host                   -> Misled: its endpoint is given wrongly
    anything else, a plain AccessDenied too        -> None: it is the store's own answer

Rules: pure; the gateway signed the request, so a refused signature is never the client's fault, and
a region of another name never its business; a document is read in any coding and shape that stores
and the proxies before them use, and what cannot be read cannot be shown. An answer to HEAD has no
document: some stores say the code in a header line; without one, a refused signature looks like
AccessDenied there.

Not here: holding the answer back (`exchange`), which host a region has (`places`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fastpath.http.content_codings import decoded
from fastpath.s3.error_documents import read_error

# Answers with another status are passed on as they come.
IN_QUESTION = frozenset({301, 302, 307, 308, 400, 401, 403})

# As much as is held back of an answer in question. The code comes first; what makes a document long
# is the canonical request behind it.
MAX_HELD = 65536

# As much as is read of another error document on its way: its code stands at its beginning.
MAX_ERROR = 4096

# Refusals that fresh credentials may cure, and the others. AWS: API/ErrorResponses, and the common
# errors of its other services, whose words API gateways use.
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
HIDDEN = _RENEW | {"RequestTimeTooSkewed", _MALFORMED}
# Header lines that say the code: AWS's website endpoints and JSON services, MinIO (also to HEAD).
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
class Hidden:
    """The target refused the gateway's signature. `renew`: fresh credentials may help."""

    code: str
    renew: bool


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The bucket lives in another region."""

    code: str
    region: bytes


@dataclass(frozen=True, slots=True)
class Misled:
    """The target sends the client to itself, mostly from http to https."""

    place: str


Verdict = Hidden | Elsewhere | Misled | None


def judge(  # noqa: PLR0913 (an answer has these parts)
    status: int,
    fields: Mapping[bytes, bytes],
    body: bytes,
    signed_for: bytes,
    *,
    regions: bool,
    key_id: bytes = b"",
    host: str = "",
) -> Verdict:
    """Judge an answer of a status IN_QUESTION, signed for the region `signed_for` with `key_id`.

    `body` is the document or its first MAX_HELD bytes. `regions`: the target has more than one.
    `host` is the target's.
    """
    coding = fields.get(b"content-encoding", b"")
    document = decoded(body, coding, MAX_HELD) if body else b""
    found = read_error(document) if document else {}
    code = _plain(found.get("Code") or _code_line(fields))
    if regions and (code == _MALFORMED or code in _REDIRECTS or (not code and status < 401)):
        region = _region(fields, found)
        if region and region.encode() != signed_for:
            return Elsewhere(code or str(status), region.encode())
    if host and status < 400:
        return _misled(fields, found, host)
    if code in HIDDEN and status >= 400:
        return Hidden(code, code in _RENEW)
    if document is None and status >= 400:
        return Hidden(f"{status} in the coding {coding[:40].decode('latin-1')}", renew=True)
    if key_id and (key_id in (document or b"") or any(key_id in line for line in fields.values())):
        return Hidden(code or str(status), renew=not code)
    return None


def _misled(fields: Mapping[bytes, bytes], found: Mapping[str, str], host: str) -> Misled | None:
    """Whether a redirect leads to `host`, or to a bucket before it: no client could follow it."""
    for place in (fields.get(b"location", b"").decode("latin-1"), found.get("Endpoint", "")):
        named = _HOST.match(place)
        if named and f".{named[1].lower()}".endswith(f".{host.lower()}"):
            return Misled(named[0])
    return None


def _code_line(fields: Mapping[bytes, bytes]) -> str:
    return next((fields[name].decode("latin-1") for name in _CODE_LINES if name in fields), "")


def _plain(code: str) -> str:
    """The code itself: JSON services qualify it, as in `com.amazon#ExpiredTokenException:http`."""
    return code.rpartition("#")[2].partition(":")[0].strip().removesuffix("Exception")


def is_region(name: bytes) -> bool:
    """Whether it can be a region: it becomes a label of a host name and a part of a scope."""
    return _REGION.match(name.decode("latin-1")) is not None


def _region(fields: Mapping[bytes, bytes], found: Mapping[str, str]) -> str:
    """The region that an answer names; empty if none."""
    for name in (fields.get(b"x-amz-bucket-region", b"").decode("latin-1"), found.get("Region")):
        if name and _REGION.match(name):
            return name
    location = fields.get(b"location", b"").decode("latin-1")
    for place in (found.get("Endpoint", ""), location):
        if named := _REGION_IN_HOST.search(place):
            return named[1]
    return ""
