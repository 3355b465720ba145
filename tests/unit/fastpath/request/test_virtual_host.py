"""Targets that are given the bucket in the Host: names, paths, signatures, connections."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.doubles.authority import CA_PEM
from tests.doubles.http1 import get, ok, put, read_requests
from tests.doubles.wire import TARGET_KEY, Peer, Rig, document
from tests.unit.fastpath.exchange.test_region_redirects import HOST, THERE, head_of, redirect

TLS = {"verify": True, "ca_pem": CA_PEM, "cert_pem": None, "key_pem": None}


def options(host: str = "first.test", *, tls: bool = False, **changes: Any) -> dict[str, Any]:
    """A snapshot whose target `first` is asked in virtual-host style."""
    made = document(virtual=True, **changes)
    made["targets"][0] |= {"host": host, "authority": f"{host}:9000"}
    if tls:
        made["targets"][0]["tls"] = {**TLS, "server_name": host}
    return {"targets": made["targets"], **changes}


def asked(*requests: bytes, **changes: Any) -> tuple[Rig, Peer]:
    rig = Rig(**options(**changes))
    client = rig.connect()
    client.says(*requests)
    return rig, client


@pytest.mark.parametrize(
    ("target", "line", "host"),
    [
        ("/bkt/a", "/a", "bkt.first.test:9000"),
        ("/bkt/a//b/./c%2Fd%2fe+%20~'()*!?x=%2B", "/a//b/./c%2Fd%2fe%2B%20~'()*!?x=%2B", "bkt."),
        ("/bkt//a", "//a", "bkt.first.test:9000"),
        ("/%62kt/a", "/a", "bkt.first.test:9000"),
        ("/bkt", "/", "bkt.first.test:9000"),
        ("/bkt/", "/", "bkt.first.test:9000"),
        ("/bkt?list-type=2", "/?list-type=2", "bkt.first.test:9000"),
        ("/1-2/k", "/k", "1-2.first.test:9000"),
        # no host can say these
        ("/", "/", "first.test:9000"),
        ("/Capitals/k", "/Capitals/k", "first.test:9000"),
        ("/under_score/k", "/under_score/k", "first.test:9000"),
        ("/ends-/k", "/ends-/k", "first.test:9000"),
        ("/a..b/k", "/a..b/k", "first.test:9000"),
        (f"/{'b' * 64}/k", f"/{'b' * 64}/k", "first.test:9000"),
    ],
)
def test_the_bucket_stands_in_the_host_if_it_can(target: str, line: str, host: str) -> None:
    rig, _ = asked(get(target), rules=())
    head = head_of(rig.target)
    assert head.startswith(f"GET {line} HTTP/1.1\r\nhost: {host}".encode())
    assert rig.loop.connects == [("first.test", 9000)]


@pytest.mark.parametrize(("tls", "host"), [(False, b"a.b.first.test:9000"), (True, b"first.test")])
def test_a_dot_is_for_plain_http_alone(tls: bool, host: bytes) -> None:
    rig, _ = asked(get("/a.b/k"), tls=tls)
    assert b"\r\nhost: " + host in head_of(rig.target)
    assert rig.loop.names == ["first.test" if tls else None]


def test_a_host_longer_than_a_name_may_be_is_not_made() -> None:
    endpoint = ".".join(["x" * 60] * 4)
    for bucket, host in (("b" * 9, f"{'b' * 9}.{endpoint}"), ("b" * 10, endpoint)):
        rig, _ = asked(get(f"/{bucket}/k"), host=endpoint)
        assert f"\r\nhost: {host}:9000\r\n".encode() in head_of(rig.target)


def test_the_clients_virtual_host_becomes_the_targets() -> None:
    raw = get("/a%20b?x=1").replace(b"gateway.test", b"bkt.s3.example.com")
    rig, _ = asked(raw, domains=["s3.example.com"])
    assert head_of(rig.target).startswith(
        b"GET /a%20b?x=1 HTTP/1.1\r\nhost: bkt.first.test:9000\r\n"
    )


def test_the_signature_is_over_the_host_and_the_path_that_are_sent() -> None:
    rig, _ = asked(put("/bkt/a%20b?tagging", b"body"))
    head = head_of(rig.target).decode()
    found = dict(re.findall(r"^([a-z0-9-]+): (.*)\r$", head, re.MULTILINE))
    signed = found["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest("PUT", "http://bkt.first.test:9000/a%20b?tagging")
    for name in signed:
        request.headers[name] = found[name]
    request.context["timestamp"] = found["x-amz-date"]
    auth = S3SigV4Auth(Credentials(*TARGET_KEY), "s3", "us-east-1")
    canonical = auth.canonical_request(request)
    expected = auth.signature(auth.string_to_sign(request, canonical), request)
    assert found["authorization"].endswith(f"Signature={expected}")


def test_buckets_share_connections_over_plain_http() -> None:
    rig, client = asked(get("/one/k"))
    rig.target.says(ok())
    client.says(get("/two/k"))
    assert len(rig.targets) == 1
    heads = [head for head, _ in read_requests(rig.target.heard)]
    assert b"host: one.first.test" in heads[0]
    assert b"host: two.first.test" in heads[1]


def test_under_tls_each_bucket_has_connections_of_its_own() -> None:
    rig, client = asked(get("/one/k"), tls=True, rules=())
    first = rig.target
    first.says(ok())
    client.says(get("/two/k"))
    assert rig.target is not first
    rig.target.says(ok())
    for path in ("/", "/Two/k"):
        client.says(get(path))
        rig.target.says(ok())
    client.says(get("/one/again"))
    assert b"GET /again" in first.heard
    assert rig.loop.names == ["one.first.test", "two.first.test", "first.test"]
    assert rig.loop.connects == [("first.test", 9000)] * 3


def test_the_second_try_proves_the_same_name() -> None:
    rig, client = asked(get("/one/k"), tls=True)
    rig.target.says(ok())
    client.says(get("/one/k"))
    rig.target.resets()
    assert rig.loop.names == ["one.first.test"] * 2
    rig.target.says(ok(b"here"))
    assert client.heard.endswith(b"here")


@pytest.mark.parametrize("tls", [False, True])
def test_a_bucket_of_another_region_is_asked_there_by_its_host(tls: bool) -> None:
    rig, client = asked(get("/bkt/a%2fb?x=1"), host=HOST, tls=tls)
    assert b"\r\nhost: bkt.s3.us-east-1.store.example:9000\r\n" in head_of(rig.target)
    rig.target.says(redirect())
    head = head_of(rig.target)
    assert head.startswith(
        b"GET /a%2fb?x=1 HTTP/1.1\r\nhost: bkt.s3.eu-west-1.store.example:9000\r\n"
    )
    assert b"/eu-west-1/s3/aws4_request," in head
    assert rig.loop.connects == [(HOST, 9000), (THERE, 9000)]
    assert rig.loop.names == ([f"bkt.{HOST}", f"bkt.{THERE}"] if tls else [None, None])
    rig.target.says(ok(b"here"))
    assert client.heard.endswith(b"here")
