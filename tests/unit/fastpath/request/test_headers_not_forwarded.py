"""C10: what a client writes for proxies reaches no target, of whatever profile."""

from __future__ import annotations

import pytest

from fastpath.request.headers_not_forwarded import (
    NOT_FORWARDED,
    NOT_FORWARDED_PREFIXES,
    NOT_FORWARDED_SUFFIXES,
    is_not_forwarded,
)
from tests.doubles.http1 import get, ok
from tests.doubles.wire import Rig
from tests.unit.fastpath.request.test_upstream_head import forwarded, kept

# Names as proxies, load balancers and clients send them, each from its documentation.
_SENT = """
Forwarded X-Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port
X-Forwarded-Server X-Forwarded-Scheme X-Forwarded-Prefix X-Forwarded-Path X-Forwarded-Uri
X-Forwarded-Method X-Forwarded-Ssl X-Forwarded-User X-Forwarded-Groups X-Forwarded-Email
X-Forwarded-Access-Token X-Forwarded-Client-Cert X-Forwarded-Tls-Client-Cert X-Forwarded-By
X-Forward-For Forwarded-For X-Real-IP X-Real-Port X-Client-IP Client-IP X-Cluster-Client-IP
True-Client-IP X-True-Client-IP CF-Connecting-IP CF-Connecting-IPv6 CF-IPCountry CF-Visitor
Fastly-Client-IP Akamai-Client-IP X-Azure-ClientIP X-Azure-SocketIP X-Appengine-User-IP
X-Originating-IP X-Remote-IP X-Remote-Addr Remote-Addr X-Source-IP X-Original-URL X-Original-URI
X-Original-Host X-Original-Method X-Original-Forwarded-For X-Rewrite-URL X-Rewrite-URI X-Host
X-Scheme X-Url-Scheme X-Https Https Front-End-Https X-Arr-Ssl X-Script-Name Script-Name
X-Envoy-External-Address X-Envoy-Original-Path X-Envoy-Original-Method X-HTTP-Method-Override
X-HTTP-Method X-Method-Override Remote-User X-Remote-User X-Remote-Group X-Webauth-User
X-Auth-Request-User X-Auth-Request-Email X-Auth-Token X-Storage-Token X-SSL-Client-Cert
X-Client-Cert X-Client-Cert-Chain X-Accel-Mapping X-Sendfile-Type Proxy X_Forwarded_For x_amz_acl
X_AMZ_Security_Token Content_Type x-amz-server-side_encryption x-amz_acl x-amz-meta_a
Authorization_
X-Minio-Force-Delete X-Minio-Extract X-Minio-Source-Etag X-Goog-Copy-Source X-Goog-Acl
X-Oss-Copy-Source X-Oss-Acl X-Oss-Object-Acl X-Oss-Symlink-Target X-Cos-Copy-Source X-Cos-Acl
X-Obs-Copy-Source X-Obs-Acl X-Emc-Namespace S3-Is-Admin S3-Identity-Id Seaweed-X-Amz-Owner
X-SeaweedFS-Identity X-Tigris-Rename Tigris-Force-Delete X-Tos-Acl X-Bce-Copy-Source
X-Oss-Copy-Source-Range
"""
SENT = _SENT.split()

_CROSS = """
Accept Accept-Language Cache-Control Content-Disposition Content-Encoding Content-Language Expires
If-Match If-None-Match If-Modified-Since If-Unmodified-Since If-Range Origin Referer Traceparent
X-Request-Id X-Amz-Acl x-amz-meta-acl x-amz-meta-copy-source X-Acl-Mode
x-amz-meta-a x-amz-meta-x_forwarded_for x-amz-meta-x-forwarded-for
X-Amz-Request-Payer X-Goog-Meta-A X-Goog-Storage-Class X-Minio X-Oss-Meta-A S3 X-Forwarder
X-Realm Xforwarded-For X-Client X-Rewrite
"""
CROSS = _CROSS.split()


@pytest.mark.parametrize("profile", ["s3", "generic", "seaweedfs", "lakefs"])
def test_none_crosses_to_any_profile(profile: str) -> None:
    """C10: signed for or not, in any spelling, each by itself and all together."""
    path = "/repo/main/k" if profile == "lakefs" else "/b-b/k"
    for names in [SENT, *([name] for name in SENT)]:
        sent = [f"{name}: smuggled" for name in names]
        up = forwarded(get(path, "A: 1", *sent, "B: 2"), profile=profile)
        assert b"smuggled" not in up, names
        assert kept(up) == [("A", "1"), ("B", "2")]
        assert not any(f"{name.lower()};".encode() in up for name in names)


@pytest.mark.parametrize("name", CROSS)
def test_others_cross(name: str) -> None:
    """C10: names that only look alike, and what stores take besides S3's own."""
    assert kept(forwarded(get("/b-b/k", f"{name}: 1"))) == [(name, "1")]


def test_the_table_and_the_list_hold_the_same() -> None:
    """C10: every name of the table was sent, and every prefix and suffix."""
    sent = {name.lower().encode() for name in SENT}
    table = {name for names in NOT_FORWARDED.values() for name in names}
    rare = {b"x-coming-from", b"x-proxyuser-ip", b"x-client-port"}
    assert table - rare <= sent
    assert all(any(name.startswith(prefix) for name in sent) for prefix in NOT_FORWARDED_PREFIXES)
    assert all(any(name.endswith(suffix) for name in sent) for suffix in NOT_FORWARDED_SUFFIXES)
    assert all(map(is_not_forwarded, table))


def test_they_cross_downwards() -> None:
    """C10: of an answer only what belongs to the hop stays behind."""
    rig = Rig()
    client = rig.connect()
    client.says(get())
    rig.target.says(ok(b"", "X-Forwarded-For: 1", "X-Accel-Buffering: no", "a_b: 2"))
    for line in (b"X-Forwarded-For: 1", b"X-Accel-Buffering: no", b"a_b: 2"):
        assert b"\r\n" + line + b"\r\n" in client.heard
