"""Classifies the answers of a target: what they say about credentials, clock, region and
certificate.

Rules: it is pure; a finding has a remedy, and the setting that it concerns; a code that a target
sent is repeated only if it has the form of S3's codes; what cannot be known is a warning, not an
error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fastpath.sockets.diagnosis import TLS_ON_PLAIN, wants_tls
from gateway.config.problems import Severity
from gateway.connect.attempt import Answer

ALLOWED_SKEW = 900.0  # S3: RequestTimeTooSkewed
WARNED_SKEW = 300.0
EXPIRY_DAYS = 14  # half of what ACME clients leave

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{1,63}\Z")
_REGION = re.compile(r"[a-z0-9-]{1,32}\Z")

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING


@dataclass(frozen=True, slots=True)
class Finding:
    """Something an operator should correct; `setting` is relative to the target's section."""

    message: str
    remedy: str
    setting: str = "endpoint"
    severity: Severity = _ERROR


_KEY, _SECRET = "access_key_id", "secret_access_key"

# Code -> message, remedy, setting.
_REFUSALS = {
    "InvalidAccessKeyId": (
        "the target does not know the access key id",
        "correct access_key_id, or make the key on the target",
        _KEY,
    ),
    "SignatureDoesNotMatch": (
        "the target refuses the signature: the secret is not that of the access key id",
        "correct secret_access_key; if it is right, a proxy in between changes Host or path",
        _SECRET,
    ),
    "ExpiredToken": ("the session has expired", "renew the source of the credentials", _KEY),
    "TokenRefreshRequired": (
        "the session must be renewed",
        "renew the source of the credentials",
        _KEY,
    ),
    "InvalidToken": (
        "the target refuses the session token",
        "use keys of this target; AWS's session tokens are good for AWS alone",
        _KEY,
    ),
    "AccountProblem": ("the account is suspended", "ask whoever runs the target", _KEY),
    "NotSignedUp": ("the account is not signed up for S3", "ask whoever runs the target", _KEY),
    "MissingFields": (
        "the target cannot read the access key id (lakeFS: 3 to 20 characters)",
        "correct access_key_id",
        _KEY,
    ),
}
_MALFORMED, _SKEWED = "AuthorizationHeaderMalformed", "RequestTimeTooSkewed"
_SIGNATURES = frozenset((*_REFUSALS, _MALFORMED, _SKEWED))


def refusal(code: str) -> tuple[str, str, str] | None:
    """Returns message, remedy and setting for an error that concerns the credentials."""
    return _REFUSALS.get(code)


def of_connection(answer: Answer, now: float) -> Iterator[Finding]:
    """Classifies what every answer shows: the clocks, and when the certificate expires."""
    skew = answer.skew or 0.0
    if abs(skew) >= WARNED_SKEW:
        yield clock(skew)
    if answer.expires is not None and answer.expires - now < EXPIRY_DAYS * 86400:
        days = max(0, int((answer.expires - now) // 86400))
        message = f"the target's certificate expires in {days} days"
        yield Finding(message, "renew it on the target", severity=_WARNING)


def side(skew: float) -> str:
    """Returns on which side of this machine's clock the target's is."""
    return "ahead of" if skew > 0 else "behind"


def clock(skew: float) -> Finding:
    """Classifies a difference of the clocks."""
    message = f"the target's clock is {abs(skew):.0f} seconds {side(skew)} this machine's"
    remedy = f"synchronise both (NTP); S3 refuses signatures from {ALLOWED_SKEW:.0f} seconds on"
    return Finding(message, remedy, severity=_ERROR if abs(skew) >= ALLOWED_SKEW else _WARNING)


def is_denied(answer: Answer) -> bool:
    """Whether it is a mere AccessDenied: the key may have other rights, or none."""
    return answer.status in (401, 403) and answer.error.get("Code", "") in ("AccessDenied", "")


def lists_nothing(answer: Answer) -> bool:
    """Whether the target has no ListBuckets: gateways for a single bucket lack it."""
    return answer.status in (404, 405, 501)


def of_list(answer: Answer, *, tls: bool, lakefs: bool) -> Iterator[Finding]:
    """Classifies the answer to ListBuckets, except a mere AccessDenied."""
    status = answer.status
    if not tls and wants_tls(status, answer.body):
        yield Finding(*TLS_ON_PLAIN)
    elif 200 <= status < 300:
        if b"ListAllMyBucketsResult" not in answer.body[:4096]:
            yield _no_store(answer, lakefs=lakefs)
    elif answer.error.get("Code", "") in _SIGNATURES:
        yield from _of_signature(answer)
    elif 300 <= status < 400:
        yield from _redirected(answer)
    elif not is_denied(answer) and not lists_nothing(answer):
        message = f"the target answers {_shown(answer)} to a ListBuckets"
        yield Finding(message, "look at the target's own log", _KEY if status < 500 else "endpoint")


def _of_signature(answer: Answer) -> Iterator[Finding]:
    code = answer.error["Code"]
    if code in _REFUSALS:
        message, remedy, setting = _REFUSALS[code]
        yield Finding(f"{message} ({code})", remedy, setting)
    elif code == _MALFORMED:
        yield _malformed(answer)
    elif abs(answer.skew or 0.0) < WARNED_SKEW:  # otherwise another finding says so
        yield Finding(
            f"the target finds the clocks too far apart ({code})", "synchronise both (NTP)"
        )


def _shown(answer: Answer) -> str:
    code = answer.error.get("Code", "")
    return f"{answer.status} {code}" if _CODE.match(code) else str(answer.status)


def _no_store(answer: Answer, *, lakefs: bool) -> Finding:
    page = b"<html" in answer.body[:4096].lower()
    what = "a web page" if page else "something else than a list of buckets"
    remedy = "write the address of its S3 interface in endpoint, not of its web console"
    if lakefs:
        remedy += "; a proxy before lakeFS must not take the Authorization header away"
    return Finding(f"the target answers with {what}", remedy)


def _malformed(answer: Answer) -> Finding:
    region = answer.error.get("Region", "")
    if _REGION.match(region):
        return Finding(f"the target is of region {region}", f"set region: {region}", "region")
    message = "the target finds the signature's scope malformed (AuthorizationHeaderMalformed)"
    return Finding(message, "look at region and at the clock", "region")


def _redirected(answer: Answer) -> Iterator[Finding]:
    region = answer.headers.get(b"x-amz-bucket-region", b"").decode("latin-1")
    if _REGION.match(region):
        yield Finding(f"the target is of region {region}", f"set region: {region}", "region")
        return
    message = f"the target answers {answer.status}, a redirect, to a ListBuckets"
    yield Finding(message, "write the address that it redirects to, or of its S3 interface")


def of_denied(*, lakefs: bool, tried: bool) -> Finding:
    """Classifies AccessDenied when no bucket shows that the credentials have any right."""
    if lakefs:
        message = "lakeFS says AccessDenied: the access key id is unknown, or may do nothing here"
        return Finding(message, "correct access_key_id, or give its user a policy", _KEY)
    message = "AccessDenied: the credentials may not list buckets"
    if tried:
        return Finding(f"{message}, nor look at one that a rule names", "look at its policy", _KEY)
    remedy = "if they need not, name a bucket in a rule and it is tried instead"
    return Finding(message, remedy, _KEY, _WARNING)


def of_bucket(answer: Answer, bucket: str, region: str, *, regions: bool) -> Finding | None:
    """Classifies a HEAD of a bucket that a rule names; the setting is that rule's."""
    found = answer.headers.get(b"x-amz-bucket-region", b"").decode("latin-1")
    if answer.status in (301, 307, 400) and _REGION.match(found) and found != region:
        if regions:
            return None  # the gateway follows
        return Finding(f"bucket {bucket} is in region {found}", f"set region: {found}", "region")
    if answer.status == 404:
        message = f"bucket {bucket} does not exist on the target"
        return Finding(message, "make it, or correct the rule", "", _WARNING)
    if answer.status in (401, 403):
        message = f"the credentials may not look at bucket {bucket} (403)"
        return Finding(message, "look at its policy", "", _WARNING)
    if answer.status >= 300:
        message = f"the target answers {answer.status} to a HEAD of bucket {bucket}"
        return Finding(message, "look at the target's own log", "", _WARNING)
    return None


def of_missing(answer: Answer, bucket: str) -> Finding | None:
    """Classifies a GET of a key that does not exist, at a target behind which reads move on."""
    if answer.status == 404 or 300 <= answer.status < 400:  # the gateway follows to a region
        return None
    if answer.status in (401, 403):
        message = (
            f"a missing key in bucket {bucket} is answered {_shown(answer)} and not 404, so that "
            "no read moves on to the next target"
        )
        return Finding(message, "allow its credentials s3:ListBucket on the bucket", "")
    message = f"a missing key in bucket {bucket} is answered {_shown(answer)} and not 404"
    return Finding(message, "look at the target's own log", "", _WARNING)
