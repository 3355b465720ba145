"""Parses the Authorization header and the credential scope, or refuses them as AWS does.

Rules: the order of checks and every text are AWS's (docs/errors.md names the source of each); the
same fault has another code and prefix in a header than in a query, which `Form` holds; any region
is accepted unless `auth.regions` names some, except an empty one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from fastpath.errors import AUTH_HEADER_MALFORMED, AUTH_QUERY_MALFORMED, Kind, S3Error

_DATE = re.compile(rb"[0-9]{8}")
_SIGNATURE = b"Signature="
_KEPT_BYTES = 512  # of one parsed header that is kept; an ordinary one has 150 to 300
_COMPONENTS = {b"Credential": 0, b"SignedHeaders": 1, b"Signature": 2}


class Form(NamedTuple):
    """How credential faults are reported: the kind and the beginning of the message."""

    kind: Kind
    prefix: str

    def fault(self, text: str, *extras: tuple[str, str]) -> S3Error:
        return S3Error(self.kind, *extras, message=self.prefix + text)


IN_HEADER = Form(AUTH_HEADER_MALFORMED, "The authorization header is malformed; ")
IN_QUERY = Form(AUTH_QUERY_MALFORMED, "Error parsing the X-Amz-Credential parameter; ")


class Scope(NamedTuple):
    """A parsed credential. `value` is what is signed: date/region/s3/aws4_request."""

    access_key_id: bytes
    date: bytes
    region: bytes
    value: bytes


def parse_authorization(text: bytes) -> tuple[Scope, bytes, bytes]:
    """Return Scope, SignedHeaders and Signature of a header without its scheme. Raises S3Error."""
    before, _, signature = text.rpartition(_SIGNATURE)
    if len(before) <= _KEPT_BYTES and signature.isalnum():
        scope, signed = _parse_unsigned(before)
        return scope, signed, signature
    credential, signed, signature = parse_components(text)
    return parse_credential(credential, IN_HEADER), signed, signature


@lru_cache(maxsize=1024)
def _parse_unsigned(before: bytes) -> tuple[Scope, bytes]:
    """Parse what precedes the signature: it is the same all day (bench: GET 1 KiB, 4 us)."""
    credential, signed, _ = parse_components(before + _SIGNATURE)
    return parse_credential(credential, IN_HEADER), signed


def parse_components(text: bytes) -> tuple[bytes, bytes, bytes]:
    """Return Credential, SignedHeaders and Signature of a header without its scheme."""
    components = text.split(b",")
    if len(components) != 3:
        raise _three_required()
    found: list[bytes | None] = [None, None, None]
    for component in components:
        name, equals, value = component.strip(b" \t").partition(b"=")
        if not equals:
            raise IN_HEADER.fault(f'the authorization component "{_text(component)}" is malformed.')
        position = _COMPONENTS.get(name)
        if position is None:
            raise _three_required()
        found[position] = value
    credential, signed, signature = found
    if credential is None or signed is None or signature is None:
        raise _three_required()  # one of them came twice
    return credential, signed, signature


def _three_required() -> S3Error:
    return IN_HEADER.fault(
        "the authorization header requires three components: Credential, SignedHeaders, and "
        "Signature."
    )


def parse_credential(credential: bytes, form: Form) -> Scope:
    """Parse `AKID/yyyyMMdd/region/s3/aws4_request`. Raises the fault that AWS reports first."""
    parts = credential.split(b"/")
    if len(parts) != 5:
        raise form.fault(
            'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/'
            'aws4_request".'
        )
    access_key_id, date, region, service, terminal = parts
    if not access_key_id:
        raise form.fault("a non-empty Access Key (AKID) must be provided in the credential.")
    if _DATE.fullmatch(date) is None:
        raise form.fault(
            f'incorrect date format "{_text(date)}". This date in the credential must be in the '
            'format "yyyyMMdd".'
        )
    if not region:
        raise form.fault("a non-empty region must be provided in the credential.")
    if service != b"s3":
        raise form.fault(f'incorrect service "{_text(service)}". This endpoint belongs to "s3".')
    if terminal != b"aws4_request":
        raise form.fault(
            f'incorrect terminal "{_text(terminal)}". This endpoint uses "aws4_request".'
        )
    return Scope(access_key_id, date, region, credential[len(access_key_id) + 1 :])


def wrong_region(region: bytes, expected: bytes, form: Form) -> S3Error:
    """Return the error for a region that is not served here (AWS errors 1.17, 2.15, 5.9)."""
    right = _text(expected)
    text = f"the region '{_text(region)}' is wrong; expecting '{right}'"
    return form.fault(text, ("Region", right))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
