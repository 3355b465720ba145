"""The headers of a client that no target gets.

Rules: a target trusts these headers from a proxy before it, and the gateway is that proxy: with
them, a client would choose the address, host, path, method or user that the target sees. Commands
of a store's own API are not forwarded either: the gateway does not know which right they need; nor
is a name with `_`, except in metadata: servers that follow CGI read `x_amz_acl` as `x-amz-acl`,
which was neither verified nor classified. S3 has none of these headers. Those of the client's hop
and its signature stay behind too: each request to a target has its own.
"""

from __future__ import annotations

from functools import lru_cache

from fastpath.http.hop_by_hop import HOP_BY_HOP
from fastpath.s3.metadata import METADATA_PREFIX

# Headers of the client's hop and signature, and cookies; regular expressions, lower case.
OF_THE_HOP = (
    *HOP_BY_HOP,
    b"authorization",
    b"content-length",
    b"cookie",
    b"date",
    b"expect",
    b"host",
    b"via",
    b"x-amz-content-sha256",
    b"x-amz-date",
    b"x-amz-security-token",
)
# What each header tells the target: their names.
NOT_FORWARDED = {
    "the client's address": (
        b"akamai-client-ip",
        b"client-ip",
        b"fastly-client-ip",
        b"forwarded-for",
        b"remote-addr",
        b"true-client-ip",
        b"x-appengine-user-ip",
        b"x-azure-clientip",
        b"x-azure-socketip",
        b"x-client-ip",
        b"x-client-port",
        b"x-cluster-client-ip",
        b"x-coming-from",
        b"x-originating-ip",
        b"x-proxyuser-ip",
        b"x-real-ip",
        b"x-real-port",
        b"x-remote-addr",
        b"x-remote-ip",
        b"x-source-ip",
        b"x-true-client-ip",
    ),
    "who, where and how, all in one": (b"forwarded", b"x-forwarded", b"x-forward-for"),
    "host, scheme or path": (
        b"front-end-https",
        b"https",
        b"script-name",
        b"x-arr-ssl",
        b"x-host",
        b"x-https",
        b"x-rewrite-uri",
        b"x-rewrite-url",
        b"x-scheme",
        b"x-script-name",
        b"x-url-scheme",
    ),
    "the method": (b"x-http-method", b"x-http-method-override", b"x-method-override"),
    "who is logged in": (
        b"remote-user",
        b"x-auth-token",
        b"x-remote-group",
        b"x-remote-user",
        b"x-storage-token",
        b"x-webauth-user",
    ),
    "how a server sends files": (b"x-sendfile-type",),
    "a proxy for CGI programs": (b"proxy",),
    "where a link leads (Alibaba)": (b"x-oss-symlink-target",),
    "another tenant (Dell ECS)": (b"x-emc-namespace",),
}
NOT_FORWARDED_PREFIXES = (
    b"cf-",  # Cloudflare: cf-connecting-ip, cf-ipcountry, ...
    b"s3-",  # SeaweedFS, of itself: s3-is-admin, s3-identity-id, ...
    b"seaweed-",  # the same, kept with an object: seaweed-x-amz-owner, seaweed-x-amz-acl, ...
    b"tigris-",  # tigris-force-delete empties a bucket
    b"x-accel-",  # nginx, Rack: x-accel-mapping
    b"x-auth-request-",  # oauth2-proxy
    b"x-client-cert",
    b"x-envoy-",  # x-envoy-external-address, x-envoy-original-path, ...
    b"x-forwarded-",
    b"x-minio-",  # x-minio-force-delete empties a bucket, x-minio-extract unpacks an archive
    b"x-original-",  # x-original-url, x-original-method, x-original-forwarded-for, ...
    b"x-seaweedfs-",
    b"x-ssl-",
    b"x-tigris-",  # x-tigris-rename deletes the source of a copy
)
# Other vendors' names of S3's headers: x-goog-acl, x-oss-copy-source, ...
NOT_FORWARDED_SUFFIXES = (b"-acl", b"-copy-source", b"-copy-source-range", b"-force-delete")
_S3 = b"x-amz-"
_NAMES = frozenset(name for names in NOT_FORWARDED.values() for name in names)


@lru_cache(maxsize=256)  # few names are sent often; a client may send any
def is_not_forwarded(name: bytes) -> bool:
    """Whether no target gets a header of this name (lower case)."""
    if b"_" in name and not name.startswith(METADATA_PREFIX):
        return True
    if name.startswith(_S3):
        return False
    return (
        name in _NAMES
        or name.startswith(NOT_FORWARDED_PREFIXES)
        or name.endswith(NOT_FORWARDED_SUFFIXES)
    )
