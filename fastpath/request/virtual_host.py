"""Virtual-host style towards a target: the bucket's own host name instead of the path.

    PUT /bucket/a%2Fb  Host: store.example:9000   ->   PUT /a%2Fb  Host: bucket.store.example:9000

Rules: pure; the raw bytes of the key stay; a bucket whose name cannot stand in front of the host
(capitals, underscores, too long, under TLS also dots, because a wildcard certificate covers one
label) keeps path style, and so do requests without a bucket. The connection is made to the target's
own address all the same, so no client can have a name looked up.

Not here: which targets are asked so (`gateway.config`), a client's virtual hosts (`addressing`).
"""

from __future__ import annotations

import re

from fastpath.routing.snapshot import Target
from fastpath.s3.addressing import Address

_LABEL = rb"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ONE_LABEL = re.compile(_LABEL)
_LABELS = re.compile(rb"%b(?:\.%b)*" % (_LABEL, _LABEL))
_MAX_HOST = 253  # characters of a name (RFC 1035 section 2.3.4, without the length bytes)


def in_host(target: Target, address: Address) -> bool:
    """Whether the bucket of this request stands in the Host that the target is given."""
    if not target.virtual or not address.bucket:
        return False
    labels = _LABELS if target.route.tls is None else _ONE_LABEL
    if labels.fullmatch(address.bucket) is None:
        return False
    return len(address.bucket) + 1 + len(target.route.host) <= _MAX_HOST


def host_and_path(target: Target, address: Address) -> tuple[bytes, bytes]:
    """The Host and the raw path that a request goes to its target with."""
    if not in_host(target, address):
        return target.authority, address.path
    end = address.path.find(b"/", 1)
    path = address.path[end:] if end > 0 else b"/"
    return address.bucket + b"." + target.authority, path


def server_name(target: Target, address: Address) -> str | None:
    """The name that the target must prove under TLS, if it is not the endpoint's own."""
    tls = target.route.tls
    if tls is None or not in_host(target, address):
        return None
    return f"{address.bucket.decode()}.{tls.server_name}"
