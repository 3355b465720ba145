"""What a target's refusal means for the client: to be passed on, hidden, or asked elsewhere.

    301, 307 PermanentRedirect, TemporaryRedirect  -> Elsewhere(region)    profiles with regions
    400 AuthorizationHeaderMalformed               -> Elsewhere(region), else Hidden
    4xx SignatureDoesNotMatch, ExpiredToken, ...   -> Hidden
    anything else, a plain AccessDenied too        -> None: it is the store's own answer

Rules: pure; the gateway signed the request, so a refused signature is never the client's fault, and
a region of another name never its business. An answer to HEAD has no document: only its status and
`x-amz-bucket-region` can be judged, and a refused signature looks like AccessDenied there.

Not here: holding the answer back (`exchange`), which host a region has (`places`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fastpath.errorxml import read_error

# Answers with another status are passed on as they come.
IN_QUESTION = frozenset({301, 307, 400, 401, 403})

# As much as is held back of an answer in question. The code comes first; what makes a document long
# is the canonical request behind it.
MAX_HELD = 65536

# Refusals that fresh credentials may cure, and the others. AWS: API/ErrorResponses.
_RENEW = frozenset(
    {
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
_MALFORMED = "AuthorizationHeaderMalformed"
HIDDEN = _RENEW | {"RequestTimeTooSkewed", _MALFORMED}
_REDIRECTS = frozenset({"PermanentRedirect", "TemporaryRedirect", "Redirect"})

# It becomes a label of a host name and a part of the signature's scope.
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")
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


Verdict = Hidden | Elsewhere | None


def judge(
    status: int, fields: Mapping[bytes, bytes], body: bytes, signed_for: bytes, *, regions: bool
) -> Verdict:
    """Judge an answer of a status IN_QUESTION, signed for the region `signed_for`.

    `body` is the document or its first MAX_HELD bytes. `regions`: the target has more than one.
    """
    found = read_error(body) if body else {}
    code = found.get("Code", "")
    if regions and (code == _MALFORMED or code in _REDIRECTS or (not code and status < 401)):
        region = _region(fields, found)
        if region and region.encode() != signed_for:
            return Elsewhere(code or str(status), region.encode())
    if code in HIDDEN and status >= 400:
        return Hidden(code, code in _RENEW)
    return None


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
