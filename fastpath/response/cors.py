"""Cross-origin requests: answers preflights, and writes the CORS headers of other responses.

Rules: as on S3, the first rule that admits origin, method and headers decides; a pattern has at
most one `*`; origins are compared with case, header names without; codes and texts are AWS's (AWS
errors 4.44). A preflight has no signature, so its answer says nothing but these rules. CORS only
tells a browser whether a page may read a response; `admission` decides whether a request may
happen.

Source: AWS "Using cross-origin resource sharing"; WHATWG Fetch section 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fastpath.errors import BAD_REQUEST, CORS_REFUSED, S3Error
from fastpath.response.own_answer import OwnAnswer
from fastpath.s3.addressing import Address

METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")
VARY = b"Vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
_ANY = b"*"


def compile_pattern(pattern: str, *, flags: int = 0) -> re.Pattern[bytes]:
    """Compile a pattern for a whole value; `*` matches anything."""
    return re.compile(re.escape(pattern.encode()).replace(rb"\*", rb".*"), flags | re.DOTALL)


@dataclass(frozen=True, slots=True)
class CorsRule:
    """One entry of `auth.cors.rules`."""

    any_origin: bool
    origins: tuple[re.Pattern[bytes], ...]
    methods: tuple[bytes, ...]
    headers: tuple[re.Pattern[bytes], ...]
    expose: tuple[bytes, ...]
    max_age: int | None  # seconds

    def admits(self, origin: bytes, method: bytes) -> bool:
        """Whether a page of this origin may make such requests."""
        return method in self.methods and any(known.fullmatch(origin) for known in self.origins)

    def admits_headers(self, names: list[bytes]) -> bool:
        """Whether a page may send these headers."""
        return all(any(known.fullmatch(name) for known in self.headers) for name in names)

    def lines(self, origin: bytes) -> list[bytes]:
        """Return the header lines of every response to such a page."""
        lines = [b"Access-Control-Allow-Origin: " + (_ANY if self.any_origin else origin)]
        if not self.any_origin:
            lines.append(b"Access-Control-Allow-Credentials: true")
        lines.append(b"Access-Control-Allow-Methods: " + b", ".join(self.methods))
        if self.expose:
            lines.append(b"Access-Control-Expose-Headers: " + b", ".join(self.expose))
        if self.max_age is not None:
            lines.append(b"Access-Control-Max-Age: %d" % self.max_age)
        return lines


class Cors:
    """`auth.cors`: the rules, or `forward`: preflights go to the target, unsigned."""

    __slots__ = ("_rules", "forward")

    def __init__(self, rules: tuple[CorsRule, ...], *, forward: bool = False) -> None:
        self._rules = rules
        self.forward = forward

    def answer_lines(self, origin: bytes, method: bytes) -> bytes:
        """Return header lines, each with its CRLF, for a response that answers no preflight.

        None where preflights are forwarded: the response has the target's own.
        """
        if self.forward or method == b"OPTIONS":
            return b""
        rule = next((rule for rule in self._rules if rule.admits(origin, method)), None)
        lines = [VARY] if rule is None else [*rule.lines(origin), VARY]
        return b"".join([line + b"\r\n" for line in lines])

    def preflight(self, origin: bytes, method: bytes, names: list[bytes]) -> list[bytes] | None:
        """Return the header lines that answer a preflight; None: no rule admits it."""
        for rule in self._rules:
            if rule.admits(origin, method) and rule.admits_headers(names):
                lines = rule.lines(origin)
                if names:
                    lines.append(b"Access-Control-Allow-Headers: " + b", ".join(names))
                return [*lines, VARY]
        return None


def answer_preflight(
    cors: Cors | None, fields: Mapping[bytes, bytes], address: Address
) -> OwnAnswer:
    """Answer an OPTIONS request with an Origin. Raises S3Error."""
    method = fields.get(b"access-control-request-method", b"")
    if method.decode("latin-1") not in METHODS:
        shown = method.decode("utf-8", "replace") or "null"
        raise S3Error(BAD_REQUEST, message=f"Invalid Access-Control-Request-Method: {shown}")
    sent = fields.get(b"access-control-request-headers", b"").split(b",")
    names = [name for name in (part.strip(b" \t").lower() for part in sent) if name]
    lines = None if cors is None else cors.preflight(fields[b"origin"], method, names)
    if lines is None:
        kind = "OBJECT" if address.key else "BUCKET" if address.bucket else "SERVICE"
        extras = ("Method", method.decode()), ("ResourceType", kind)
        text = (
            "CORS is not enabled for this bucket."
            if cors is None
            else "This CORS request is not allowed. This is usually because the evalution of "
            "Origin, request method / Access-Control-Request-Method or "
            "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
        )
        raise S3Error(CORS_REFUSED, *extras, message=f"CORSResponse: {text}")
    return OwnAnswer(200, lines, b"")
