"""Makes the families about errors: whose fault they were, and why signatures were not accepted.

Rules: the gateway's own errors have their S3 code, which is one of a closed list; what a target
answered is told by the class of its status alone, as it may answer anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from fastpath import errors
from fastpath.errors import Kind, Source
from gateway.metrics.families import Family, counter
from gateway.metrics.reading import Reading
from gateway.metrics.requests import CODES, by_code

_SOURCES: Final = {
    Source.DOWNSTREAM: "client",
    Source.GATEWAY: "gateway",
    Source.UPSTREAM: "target",
}
_KINDS: Final = {kind.number: kind for kind in vars(errors).values() if isinstance(kind, Kind)}
# Why a request was not let in (`fastpath.errors`, its last part).
_REASONS: Final = {
    errors.ANONYMOUS: "unsigned",
    errors.AUTH_DATE_MISSING: "malformed",
    errors.AUTH_HEADER_MALFORMED: "malformed",
    errors.AUTH_HEADER_SPACE: "malformed",
    errors.AUTH_MECHANISMS: "malformed",
    errors.AUTH_QUERY_MALFORMED: "malformed",
    errors.AUTH_TYPE: "malformed",
    errors.CONTENT_SHA256_INVALID: "malformed",
    errors.CONTENT_SHA256_MISSING: "malformed",
    errors.HEADERS_NOT_SIGNED: "malformed",
    errors.INVALID_ACCESS_KEY_ID: "unknown_key",
    errors.INVALID_TOKEN: "token",
    errors.REQUEST_EXPIRED: "expired",
    errors.REQUEST_NOT_YET_VALID: "clock",
    errors.REQUEST_TIME_TOO_SKEWED: "clock",
    errors.SIGNATURE_DOES_NOT_MATCH: "signature",
    errors.SIGV2_EXPIRES: "malformed",
    errors.SIGV2_HEADER: "version",
    errors.SIGV2_PARAMETERS: "malformed",
    errors.SIGV2_REFUSED: "version",
    errors.SIGV4A_NOT_IMPLEMENTED: "version",
    errors.ACCESS_DENIED: "not_allowed",
}
REASONS: Final = {kind.number: reason for kind, reason in _REASONS.items()}


def by_source(reading: Reading) -> Iterator[Family]:
    """Yields the families of errors."""
    found: Counter[tuple[str, str]] = Counter({("gateway", errors.INTERNAL_ERROR.code): 0})
    rejected: Counter[str] = Counter(dict.fromkeys(REASONS.values(), 0))
    relayed = Counter(dict.fromkeys(("4xx", "5xx"), 0))
    for block in reading.targets.values():
        for record in block.records:
            if any(record):
                by = dict(zip(CODES, by_code(record.tolist()), strict=True))
                relayed.update({code: by[code] for code in relayed})
    for number, count in enumerate(reading.errors):
        if count:
            kind = _KINDS.get(number)
            source = _SOURCES[kind.source] if kind is not None else "gateway"
            found[source, kind.code if kind is not None else "other"] += count
            if number in REASONS:
                rejected[REASONS[number]] += count
            if kind is not None:
                relayed[f"{kind.status // 100}xx"] -= count
    for code in ("4xx", "5xx"):
        found["target", f"relayed_{code}"] = max(relayed[code], 0)
    yield counter(
        "errors",
        "Errors that clients got: the gateway's own by their code, relayed ones by their status.",
        ("source", "code"),
        found.items(),
    )
    yield counter(
        "auth_rejections",
        "Requests that were not let in, and why.",
        ("reason",),
        (((reason,), count) for reason, count in rejected.items()),
    )
