"""Browser forms for tests: policies, signatures, multipart bodies, whole requests.

Rules: shares no code with the gateway.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
Conditions = Iterable[object]


def policy(conditions: Conditions, *, seconds: float = 3600) -> str:
    """A policy document in base64 that ends so many seconds from now."""
    end = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + seconds))
    document = {"expiration": end, "conditions": list(conditions)}
    return base64.b64encode(json.dumps(document).encode()).decode()


def sigv2_fields(key: tuple[str, str], document: str) -> dict[str, str]:
    """The fields of a form signed with SigV2."""
    signature = hmac.digest(key[1].encode(), document.encode(), "sha1")
    return {
        "AWSAccessKeyId": key[0],
        "policy": document,
        "signature": base64.b64encode(signature).decode(),
    }


def sigv4_names(key_id: str, at: float | None = None) -> dict[str, str]:
    """The fields of a SigV4 form that its policy must name."""
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    return {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{key_id}/{date[:8]}/us-east-1/s3/aws4_request",
        "x-amz-date": date,
    }


def sigv4_fields(secret: str, names: Mapping[str, str], document: str) -> dict[str, str]:
    """The fields of a form signed with SigV4; `names` from `sigv4_names`."""
    derived = b"AWS4" + secret.encode()
    for part in names["x-amz-credential"].split("/")[1:]:
        derived = hmac.digest(derived, part.encode(), "sha256")
    signature = hmac.new(derived, document.encode(), hashlib.sha256).hexdigest()
    return {**names, "policy": document, "x-amz-signature": signature}


def signed(
    key: tuple[str, str],
    fields: Mapping[str, str],
    conditions: Conditions,
    *,
    seconds: float = 3600,
    version: int = 4,
    at: float | None = None,
) -> dict[str, str]:
    """`fields` with a policy of `conditions` and its signature."""
    if version == 2:
        return {**fields, **sigv2_fields(key, policy(conditions, seconds=seconds))}
    names = sigv4_names(key[0], at)
    document = policy([*conditions, *({k: v} for k, v in names.items())], seconds=seconds)
    return {**fields, **sigv4_fields(key[1], names, document)}


def field(name: str, value: bytes, extra: str = "", boundary: str = BOUNDARY) -> bytes:
    """One part, from its boundary line to the CRLF before the next."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def body(
    fields: Mapping[str, str],
    data: bytes,
    *,
    filename: str = "a.txt",
    behind: bytes = b"",
    end: bytes = b"--\r\n",
    boundary: str = BOUNDARY,
) -> bytes:
    """A form as a browser sends it; `behind`: parts after the file."""
    parts = [field(name, value.encode(), boundary=boundary) for name, value in fields.items()]
    extra = f'; filename="{filename}"\r\nContent-Type: text/plain'
    parts.append(field("file", data, extra, boundary))
    return b"".join(parts) + behind + b"--" + boundary.encode() + end


def request(
    content: bytes,
    *,
    path: str = "/b-b",
    host: str = "s3.test",
    lines: str = "",
    boundary: str = BOUNDARY,
) -> bytes:
    """The whole request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\n"
        f"Content-Length: {len(content)}\r\n{lines}\r\n"
    )
    return head.encode() + content
