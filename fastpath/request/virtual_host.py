"""Writes Host and path for a target that is addressed in virtual-host style.

    PUT /bucket/a%2Fb  Host: store.example:9000   ->   PUT /a%2Fb  Host: bucket.store.example:9000

Rules: the raw bytes of the key stay; a bucket whose name cannot be a part of the host name
(capitals, underscores, too long, under TLS also dots, because a wildcard certificate covers one
label) keeps path style, and so do requests without a bucket. The connection goes to the target's
own address all the same, so no client can make the gateway look a name up.
"""

from __future__ import annotations

import re

from fastpath.routing.snapshot import Target
from fastpath.s3.addressing import Address

_LABEL = rb"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ONE_LABEL = re.compile(_LABEL)
_LABELS = re.compile(rb"%b(?:\.%b)*" % (_LABEL, _LABEL))
_MAX_HOST = 253  # characters of a name (RFC 1035 section 2.3.4, without the length bytes)


def is_bucket_in_host(target: Target, address: Address) -> bool:
    """Whether the bucket of this request is in the Host that the target gets."""
    if not target.virtual or not address.bucket:
        return False
    labels = _LABELS if target.route.tls is None else _ONE_LABEL
    if labels.fullmatch(address.bucket) is None:
        return False
    return len(address.bucket) + 1 + len(target.route.host) <= _MAX_HOST


def host_and_path(target: Target, address: Address) -> tuple[bytes, bytes]:
    """Return the Host and the raw path of a request for its target."""
    if not is_bucket_in_host(target, address):
        return target.authority, address.path
    end = address.path.find(b"/", 1)
    path = address.path[end:] if end > 0 else b"/"
    return address.bucket + b"." + target.authority, path


def server_name(target: Target, address: Address) -> str | None:
    """Return the name in the target's certificate, if it is not the endpoint's own."""
    tls = target.route.tls
    if tls is None or not is_bucket_in_host(target, address):
        return None
    return f"{address.bucket.decode()}.{tls.server_name}"
