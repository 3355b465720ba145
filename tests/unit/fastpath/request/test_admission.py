"""The order of decisions about a request, and every way to be refused."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest

from fastpath.errors import S3Error
from fastpath.http.head import parse_request_head
from fastpath.limits import Limits
from fastpath.request.across import CopySource
from fastpath.request.admission import admit
from fastpath.request.admitted import Admitted
from fastpath.request.decision import asked_about
from fastpath.request.trail import Trail
from fastpath.request.understood import NOT_PRESIGNED, Understood
from fastpath.routing.asked import Asked
from fastpath.routing.identities import OPEN_CALLER
from fastpath.routing.snapshot import load_snapshot
from fastpath.s3.addressing import Address
from fastpath.s3.operations import OPERATIONS
from tests.doubles.http1 import get
from tests.doubles.rules import Rule
from tests.doubles.signing import RawClient
from tests.doubles.uploads import sealed, with_sealed_id
from tests.doubles.wire import KEY, document

HOST = "gateway.test:80"


def signed(
    method: str, path: str, headers: dict[str, str] | None = None, key: str = KEY[1]
) -> bytes:
    client = RawClient("gateway.test", 80, KEY[0], key)
    return client.head(method, path.encode(), 0, headers or {})


def refused(raw: bytes, **options: Any) -> S3Error:
    with pytest.raises(S3Error) as caught:
        admitted(raw, **options)
    return caught.value


def admitted(raw: bytes, **options: Any) -> Admitted:
    trail = options.pop("trail", None) or Trail()
    snapshot = load_snapshot(1, document(**options))
    found = admit(parse_request_head(raw, Limits()), snapshot, time.time(), trail)
    assert isinstance(found, Admitted)
    return found


def allowed(*allow: dict[str, Any], targets: list[str] | None = None) -> dict[str, Any]:
    entry = document()["identities"][0]
    return {"mode": "sigv4", "identities": [{**entry, "allow": list(allow), "targets": targets}]}


def test_all_that_is_found_out() -> None:
    trail = Trail()
    found = admitted(signed("GET", "/g-b/a%20key"), mode="sigv4", trail=trail)
    assert (found.address.bucket, found.address.key) == (b"g-b", b"a key")
    assert found.upstream_address is found.address
    assert found.operation.name == "GetObject"
    assert found.caller.name == "client"
    assert found.payload == hashlib.sha256(b"").hexdigest().encode()
    assert (found.decision.target, found.decision.rule) == ("generic", 1)
    assert found.target.name == "generic"
    assert found.signer is found.target.signer
    assert found.proof is not None
    assert trail.verified
    assert (trail.address, trail.operation) == (found.address, found.operation)
    assert (trail.caller, trail.decision) == (found.caller, found.decision)


def test_open_mode_verifies_nobody_and_keeps_a_good_digest() -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    found = admitted(get("/b-b/k", f"x-amz-content-sha256: {digest.upper()}"))
    assert found.caller.name == ""
    assert found.payload == digest.encode()
    for odd in ("UNSIGNED-PAYLOAD", "abc", "g" * 64, ""):
        assert (
            admitted(get("/b-b/k", f"x-amz-content-sha256: {odd}")).payload == b"UNSIGNED-PAYLOAD"
        )


def test_open_mode_keeps_a_streaming_mode_that_is_served() -> None:
    mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    assert admitted(get("/b-b/k", f"x-amz-content-sha256: {mode}")).payload == mode.encode()
    error = refused(get("/b-b/k", "x-amz-content-sha256: STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"))
    assert (error.kind.status, error.kind.code) == (501, "NotImplemented")


# --- the order: each request has this fault and all the later ones ---


def test_1_a_circle_comes_first() -> None:
    assert refused(get("/x", "Via: 1.1 s3gateway-rig"), mode="sigv4").kind.code == "InvalidRequest"


def test_2_then_the_address() -> None:
    trail = Trail()
    error = refused(get("/x"), mode="sigv4", trail=trail)
    assert error.kind.code == "InvalidBucketName"
    assert trail.address is None


def test_3_then_the_operation() -> None:
    trail = Trail()
    error = refused(get("/b-b?acl&policy"), mode="sigv4", trail=trail)
    assert error.kind.code == "InvalidArgument"
    assert trail.address is not None
    assert trail.operation is None


def test_4_then_who_asks() -> None:
    trail = Trail()
    error = refused(get("/b-b/k"), trail=trail, **allowed())
    assert (error.kind.status, error.kind.code) == (403, "AccessDenied")
    assert trail.operation is not None
    assert trail.caller.name == ""
    assert trail.decision is None
    wrong = refused(signed("GET", "/b-b/k", key="wrong"), **allowed())
    assert wrong.kind.code == "SignatureDoesNotMatch"


def test_5_then_what_they_may_before_any_rule_is_looked_at() -> None:
    trail = Trail()
    error = refused(signed("GET", "/b-b/k"), trail=trail, **allowed())
    assert error.kind.code == "AccessDenied"
    assert trail.caller.name == "client"
    assert trail.decision is None


def test_6_then_whether_they_reach_the_target() -> None:
    options = allowed({"buckets": ["*"], "operations": ["GetObject"]}, targets=["generic"])
    trail = Trail()
    error = refused(signed("GET", "/b-b/k"), trail=trail, **options)
    assert error.kind.code == "AccessDenied"
    assert trail.decision is not None
    assert admitted(signed("GET", "/g-b/k"), **options).target.name == "generic"


def test_7_then_what_the_target_has() -> None:
    error = refused(get("/b-b/k?legal-hold", method="PUT"), profile="lakefs")
    assert (error.kind.status, error.kind.code) == (501, "NotImplemented")
    assert "PutObjectLegalHold" in error.message
    assert admitted(get("/b-b/k?legal-hold", method="PUT")).signer is not None


def test_8_then_whether_there_are_credentials() -> None:
    error = refused(get("/b-b/k"), credentials={})
    assert (error.kind.status, error.kind.code) == (503, "ServiceUnavailable")


def test_the_classified_operation_is_what_is_allowed_not_the_method() -> None:
    options = allowed({"buckets": ["*"], "operations": ["PutObject", "GetObject"]})
    assert refused(signed("GET", "/b-b/k?acl"), **options).kind.code == "AccessDenied"
    assert refused(signed("PUT", "/b-b/k?acl"), **options).kind.code == "AccessDenied"
    assert refused(signed("GET", "/b-b/k?nobody-knows"), **options).kind.code == "AccessDenied"
    assert admitted(signed("GET", "/b-b/k"), **options).signer is not None


@pytest.mark.parametrize("path", ["//", "/%2F", "///", "/%5C", "/%2f%5c"])
@pytest.mark.parametrize(
    ("method", "query"), [("DELETE", ""), ("PUT", ""), ("GET", "?acl"), ("POST", "?uploads")]
)
def test_a_key_that_a_target_takes_for_the_bucket(path: str, method: str, query: str) -> None:
    """B3: it does not reach such a target, virtual-host style either."""
    raw = signed(method, f"/b-b{path}{query}")
    assert refused(raw, mode="sigv4", profile="seaweedfs").kind.code == "NotImplemented"
    assert admitted(raw, mode="sigv4").signer is not None
    allowed = signed(method, f"/b-b{path}a{query}")
    assert admitted(allowed, mode="sigv4", profile="seaweedfs").signer is not None


# --- copies ---


COPY = {"x-amz-copy-source": "/src-b/a%20key?versionId=1"}


def test_a_copy_needs_both_rights() -> None:
    write = {"buckets": ["dst-*"], "operations": ["CopyObject", "UploadPartCopy"]}
    read = {"buckets": ["src-*"], "operations": ["GetObject"]}
    for path in ("/dst-b/k", with_sealed_id("/dst-b/k?partNumber=1&uploadId=u")):
        raw = signed("PUT", path, COPY)
        assert admitted(raw, **allowed(write, read)).signer is not None
        assert refused(raw, **allowed(write)).kind.code == "AccessDenied"
        assert refused(raw, **allowed(read)).kind.code == "AccessDenied"


def test_a_copy_across_targets_is_made_here() -> None:
    for place, source in (("/g-b/k", "b-b/k?versionId=v%2B1"), ("/b-b/k", "g-b/k?versionId=v%2B1")):
        across = admitted(get(place, f"x-amz-copy-source: {source}", method="PUT")).across
        assert isinstance(across, CopySource)
        assert across.is_elsewhere
        assert (across.name, across.version) == ((source[:3].encode(), b"k"), b"v+1")
        assert across.chain.primary.target == ("first" if source.startswith("b-b") else "generic")
    native = admitted(get("/b-b/k", "x-amz-copy-source: b-b/k", method="PUT"))
    assert native.across is not None
    assert not native.is_across


def test_only_copies_have_a_source_on_another_target() -> None:
    error = refused(get("/g-b/k?tagging", "x-amz-copy-source: b-b/k", method="PUT"))
    assert (error.kind.status, error.kind.code) == (501, "NotImplemented")


@pytest.mark.parametrize("source", ["", "/", "bucket", "/bucket", "bucket/", "?versionId=1"])
def test_a_copy_source_must_name_a_bucket_and_a_key(source: str) -> None:
    error = refused(get("/b-b/k", f"x-amz-copy-source: {source}", method="PUT"))
    assert error.kind.code == "InvalidArgument"


def test_an_escape_that_is_none_in_a_copy_source() -> None:
    assert refused(get("/b-b/k", "x-amz-copy-source: b-b/%zz", method="PUT")).kind.status == 400


# --- circles ---


def test_other_proxies_and_a_few_gateways_on_the_way_are_fine() -> None:
    assert admitted(get("/b-b/k", "Via: 1.1 varnish, 1.1 nginx")).signer is not None
    chain = ", ".join(f"1.1 s3gateway-{n}" for n in range(3))
    assert admitted(get("/b-b/k", f"Via: {chain}")).signer is not None


def test_a_long_chain_is_a_circle() -> None:
    chain = ", ".join(f"1.1 s3gateway-{n}" for n in range(4))
    error = refused(get("/b-b/k", f"Via: {chain}"))
    assert (error.kind.status, error.kind.code) == (400, "InvalidRequest")


def test_a_circle_over_several_lines_is_seen() -> None:
    assert refused(get("/b-b/k", "Via: 1.1 a", "Via: 1.1 s3gateway-rig")).kind.status == 400


# --- a copy source is held to what an address is held to ---


@pytest.mark.parametrize(
    "source",
    [
        "b-b/../other/key",
        "b-b/a/../../other/key",
        "b-b/%2E%2E/other/key",
        "../other/key",
        "b/key",
        "b-b/" + "k" * 1025,
    ],
)
def test_a_copy_source_that_climbs_or_is_none(source: str) -> None:
    assert refused(get("/b-b/k", f"x-amz-copy-source: {source}", method="PUT")).kind.status == 400


def test_a_copy_source_is_decoded_before_it_is_cut() -> None:
    options = allowed(
        {"buckets": ["b-b"], "operations": ["CopyObject", "GetObject"]},
    )
    raw = signed("PUT", "/b-b/k", {"x-amz-copy-source": "b-b%2Fother/key"})
    assert admitted(raw, **options).signer is not None
    raw = signed("PUT", "/b-b/k", {"x-amz-copy-source": "src%2Fother/key"})
    assert refused(raw, **options).kind.code == "AccessDenied"


def test_two_copy_sources_are_none() -> None:
    raw = get("/b-b/k", "x-amz-copy-source: b-b/x", "X-Amz-Copy-Source: secret/y", method="PUT")
    assert refused(raw).kind.status == 400


def test_the_regions_of_the_configuration_are_those_that_a_scope_may_name() -> None:
    """P5: `auth.regions`; any region without it."""
    raw = signed("GET", "/g-b/key")
    assert admitted(raw, mode="sigv4").proof
    assert admitted(raw, mode="sigv4", regions=["us-east-1"]).proof
    error = refused(raw, mode="sigv4", regions=["eu-west-1"])
    assert error.kind.code == "AuthorizationHeaderMalformed"


# --- what rules look at ---


def looked_at(
    raw: bytes, payload: bytes = b"UNSIGNED-PAYLOAD", operation: str = "PutObject"
) -> Asked:
    head = parse_request_head(raw, Limits())
    address = Address(b"b-b", b"a key", True, b"/b-b/a%20key")
    request = Understood(head, (), address, OPERATIONS[operation], (payload, None), NOT_PRESIGNED)
    return asked_about(request, OPEN_CALLER, 12.5)


def test_rules_look_at_the_request_as_the_client_sent_it() -> None:
    raw = b"PUT /b-b/a%20key HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
    found = looked_at(raw + b"Content-Length: 20\r\n\r\n")
    assert found == Asked("PutObject", "", b"b-b", b"a key", 20, b"text/plain", 12.5)
    assert looked_at(get("/b-b/k"))[4:6] == (None, b"")


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart"])
def test_an_upload_has_no_size_whatever_body_its_requests_have(operation: str) -> None:
    """Clients say `Content-Length: 0` when they begin one; a part goes where it began."""
    raw = b"POST /b-b/a%20key HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    found = looked_at(raw, operation=operation)
    assert (found.operation, found.size) == ("CreateMultipartUpload", None)


@pytest.mark.parametrize(
    ("decoded", "size"), [("7", 7), ("", None), ("-7", None), ("7, 7", None), ("9" * 19, None)]
)
def test_the_size_of_a_framed_body_is_without_its_framing(decoded: str, size: int | None) -> None:
    raw = (
        b"PUT /b-b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n"
        b"x-amz-decoded-content-length: %b\r\n\r\n" % decoded.encode()
    )
    assert looked_at(raw, b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD").size == size
    assert looked_at(raw).size == 200  # what a plain body says of one means nothing


@pytest.mark.parametrize(
    ("rule", "prefix", "target"),
    [
        (Rule(1, 1, "b-b", "generic", keys=("raw/*",)), "raw/", "generic"),
        (Rule(1, 1, "b-b", "generic", keys=("raw/*",)), "", None),
        (Rule(1, 1, "b-b", "generic", keys=("raw/*",)), "log/", None),
        (Rule(1, 1, "b-b", "first", keys=("raw/*",)), "raw/", "generic"),  # it has moved
        (Rule(1, 1, "b-b", "first"), "", "generic"),
    ],
)
def test_a_list_of_uploads_goes_on_where_it_began_and_shows_no_keys_of_another_rule(
    rule: Rule, prefix: str, target: str | None
) -> None:
    """Whoever has one upload at a target could else list and abort all that are there."""
    marker = sealed(key="raw/a", target="generic")
    raw = get(f"/b-b?uploads&prefix={prefix}&key-marker=raw/a&upload-id-marker={marker}")
    if target is None:
        assert refused(raw, rules=(rule,)).kind.code == "NotImplemented"
    else:
        assert admitted(raw, rules=(rule,)).target.name == target


def test_a_list_that_rules_on_keys_route_has_one_prefix() -> None:
    """Ceph reads the last, AWS the first: the target would list keys that are elsewhere."""
    rules = (Rule(1, 1, "b-b", "generic", keys=("raw/*",)),)
    error = refused(get("/b-b?list-type=2&prefix=raw/&%70refix="), rules=rules)
    assert error.kind.code == "InvalidArgument"
    assert admitted(get("/b-b?list-type=2&prefix=raw/"), rules=rules).target.name == "generic"
    assert admitted(get("/b-b?list-type=2&prefix=raw/&prefix=")).target.name == "first"
