"""Makes the families about errors: whose fault they were, and why signatures were not accepted.

Rules: the gateway's own errors have their S3 code, which is one of a closed list; what a target
answered is told by the class of its status alone, as it may answer anything.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
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


_RELAYED: Final = ("4xx", "5xx")


class Errors:
    """The families about errors."""

    def __init__(self) -> None:
        self._shown = dict.fromkeys(_RELAYED, 0)  # relayed ones, the last time
        self._lock = threading.Lock()  # scrapes run in several threads

    def by_source(self, reading: Reading) -> Iterator[Family]:
        """Yields the families."""
        found: Counter[tuple[str, str]] = Counter({("gateway", errors.INTERNAL_ERROR.code): 0})
        rejected: Counter[str] = Counter(dict.fromkeys(REASONS.values(), 0))
        answered = _answered(reading)
        for number, count in enumerate(reading.errors_after()):
            if count:
                kind = _KINDS.get(number)
                source = _SOURCES[kind.source] if kind is not None else "gateway"
                found[source, kind.code if kind is not None else "other"] += count
                if number in REASONS:
                    rejected[REASONS[number]] += count
                if kind is not None:
                    answered[f"{kind.status // 100}xx"] -= count
        for code, count in self._relayed(answered).items():
            found["target", f"relayed_{code}"] = count
        yield counter(
            "errors",
            "Errors that clients got: the gateway's own by their code, relayed ones by their "
            "status.",
            ("source", "code"),
            found.items(),
        )
        yield counter(
            "auth_rejections",
            "Requests that were not let in, and why.",
            ("reason",),
            (((reason,), count) for reason, count in rejected.items()),
        )

    def _relayed(self, found: Mapping[str, int]) -> dict[str, int]:
        """Returns errors that were relayed: never fewer than before, as a counter must not fall.

        What is found is too low while an error of the gateway's own was counted whose request has
        not ended, and never too high.
        """
        with self._lock:
            self._shown = {code: max(found[code], self._shown[code]) for code in _RELAYED}
            return self._shown


def _answered(reading: Reading) -> Counter[str]:
    """Returns the requests that were answered with an error, by the class of its status."""
    found = Counter(dict.fromkeys(_RELAYED, 0))
    for record in reading.records:
        if any(record):
            by = dict(zip(CODES, by_code(record.tolist()), strict=True))
            found.update({code: by[code] for code in _RELAYED})
    return found
