"""What a header implies: the table against botocore's model, and who is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest

from fastpath.request.implied_operations import implied
from fastpath.s3.operations import OPERATIONS, expand
from tests.corpus import signatures
from tests.doubles import forms
from tests.doubles.http1 import ok
from tests.doubles.rules import Rewriting, Rule
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import KEY, Rig
from tests.unit.fastpath.clients import one
from tests.unit.fastpath.request.test_admission import admitted, allowed, refused, signed
from tests.unit.fastpath.s3.test_operations import SERVICE

# Headers of the model that need no right besides the operation's own, and why.
CONDITIONS = "only ever makes the operation not happen"
DESCRIPTION = "is part of the object or the result that the operation makes or tells of"
INTEGRITY = "says what the body is"
ENCRYPTION = (
    "how the store keeps the object; AWS asks for rights to the key, of the store's account"
)
ITSELF = "belongs to an operation of class admin that does nothing else"
NOTHING_IMPLIED = {
    "cache-control": DESCRIPTION,
    "content-disposition": DESCRIPTION,
    "content-encoding": DESCRIPTION,
    "content-language": DESCRIPTION,
    "content-length": INTEGRITY,
    "content-md5": INTEGRITY,
    "content-type": DESCRIPTION,
    "expires": DESCRIPTION,
    "if-match": CONDITIONS,
    "if-modified-since": CONDITIONS,
    "if-none-match": CONDITIONS,
    "if-unmodified-since": CONDITIONS,
    "range": DESCRIPTION,
    "x-amz-bucket-namespace": "a name of the bucket that is created",
    "x-amz-bucket-object-lock-token": ITSELF,
    "x-amz-checksum-*": INTEGRITY,
    "x-amz-client-token": CONDITIONS,
    "x-amz-confirm-remove-self-bucket-access": ITSELF,
    "x-amz-copy-source": "the source's bucket counts: admission looks at it",
    "x-amz-copy-source-*": CONDITIONS,
    "x-amz-create-session-mode": ITSELF,
    "x-amz-expected-bucket-owner": CONDITIONS,
    "x-amz-fwd-*": ITSELF,
    "x-amz-if-match-*": CONDITIONS,
    "x-amz-max-parts": DESCRIPTION,
    "x-amz-meta-": DESCRIPTION,
    "x-amz-metadata-directive": DESCRIPTION,
    "x-amz-mfa": "a second factor, never less than without it",
    "x-amz-mp-object-size": CONDITIONS,
    "x-amz-object-attributes": DESCRIPTION,
    "x-amz-object-if-match": CONDITIONS,
    "x-amz-optional-object-attributes": DESCRIPTION,
    "x-amz-part-number-marker": DESCRIPTION,
    "x-amz-rename-source-*": CONDITIONS,
    "x-amz-request-payer": "who pays; AWS has no action for it",
    "x-amz-request-route": ITSELF,
    "x-amz-request-token": ITSELF,
    "x-amz-sdk-checksum-algorithm": INTEGRITY,
    "x-amz-server-side-encryption": ENCRYPTION,
    "x-amz-server-side-encryption-*": ENCRYPTION,
    "x-amz-skip-destination-validation": ITSELF,
    "x-amz-source-expected-bucket-owner": CONDITIONS,
    "x-amz-storage-class": "what the object costs; AWS has no action for it, only a condition key",
    "x-amz-tagging-directive": DESCRIPTION,
    "x-amz-transition-default-minimum-object-size": ITSELF,
    "x-amz-website-redirect-location": "AWS has no action for it: part of PutObject",
    "x-amz-write-offset-bytes": "an append, which is a PutObject on AWS too",
}


def headers_of_botocore() -> list[tuple[str, str]]:
    """Every operation with each header of its input, in lower case."""
    return [
        (name, member.serialization.get("name", "").lower())
        for name in SERVICE.operation_names
        if (shape := SERVICE.operation_model(name).input_shape) is not None
        for member in shape.members.values()
        if member.serialization.get("location") in ("header", "headers")
    ]


def is_listed(header: str) -> bool:
    if header in NOTHING_IMPLIED:
        return True
    prefixes = (name[:-1] for name in NOTHING_IMPLIED if name.endswith("*"))
    return any(header.startswith(prefix) for prefix in prefixes)


def test_every_header_of_botocore_implies_an_operation_or_nothing() -> None:
    """B1, B2: a header that a new botocore knows must be judged before it is let through."""
    open_questions = {
        (name, header)
        for name, header in headers_of_botocore()
        if not is_listed(header)
        and not implied(OPERATIONS[name], {header.encode(): b"x"}, ())
        # It is the operation's own business.
        and OPERATIONS[name].name not in {"PutObjectAcl", "PutBucketAcl", "PutObjectRetention"}
    }
    assert open_questions == set()


PUT = ("PUT", "/b-b/k")
UNKNOWN_DATE = "2030-01-01T00:00:00Z"
IMPLIED = [
    ("DELETE", "/b-b/k?versionId=1", "x-amz-bypass-governance-retention", "true", "delete"),
    ("DELETE", "/b-b/k?versionId=1", "x-amz-bypass-governance-retention", "True", "delete"),
    ("POST", "/b-b?delete", "x-amz-bypass-governance-retention", "true", "delete"),
    (*PUT, "x-amz-object-lock-legal-hold", "ON", "write"),
    (*PUT, "x-amz-object-lock-legal-hold", "OFF", "write"),
    (*PUT, "x-amz-object-lock-mode", "GOVERNANCE", "write"),
    (*PUT, "x-amz-object-lock-retain-until-date", UNKNOWN_DATE, "write"),
    (*PUT, "x-amz-object-lock-event-hold", "ON", "write"),
    (*PUT, "x-amz-acl", "public-read", "write"),
    (*PUT, "x-amz-acl", "bucket-owner-full-control", "write"),
    (*PUT, "x-amz-acl", "Private", "write"),
    (*PUT, "x-amz-grant-read", 'uri="http://acs.amazonaws.com/groups/global/AllUsers"', "write"),
    (*PUT, "x-amz-grant-full-control", "id=1", "write"),
    (*PUT, "x-amz-grant-write-acp", "id=1", "write"),
    ("POST", "/b-b/k?uploads", "x-amz-acl", "public-read", "write"),
    ("POST", "/b-b/k?uploads", "x-amz-object-lock-mode", "COMPLIANCE", "write"),
    # No operation of the model, but a store may read it there all the same.
    ("PUT", with_sealed_id("/b-b/k?partNumber=1&uploadId=u"), "x-amz-acl", "public-read", "write"),
    ("PUT", "/b-b/k?tagging", "x-amz-acl", "public-read", "write"),
    (*PUT, "x-amz-rename-source", "/b-b/old", "write"),
    ("PUT", "/b-b/k?renameObject", "x-amz-rename-source", "/b-b/old", "write"),
    (*PUT, "x-amz-tagging", "a=b", "PutObject"),
    ("PUT", "/b-b", "x-amz-acl", "public-read", "CreateBucket"),
    ("PUT", "/b-b", "x-amz-grant-write", "id=1", "CreateBucket"),
    ("PUT", "/b-b", "x-amz-bucket-object-lock-enabled", "true", "CreateBucket"),
    ("PUT", "/b-b", "x-amz-object-ownership", "ObjectWriter", "CreateBucket"),
]


def granted(*operations: str) -> dict[str, Any]:
    names = sorted(set().union(*map(expand, operations)))
    return allowed({"buckets": ["b-*"], "operations": names})


@pytest.mark.parametrize(("method", "path", "header", "value", "right"), IMPLIED)
def test_what_a_header_implies_needs_its_right(
    method: str, path: str, header: str, value: str, right: str
) -> None:
    """B1, B2: 403 with the right to the plain operation alone; done with the other right too."""
    plain, raw = signed(method, path), signed(method, path, {header: value})
    assert admitted(plain, **granted(right, "RenameObject")).signer is not None
    error = refused(raw, **granted(right, "RenameObject"))
    assert (error.kind.status, error.kind.code) == (403, "AccessDenied")
    (name,) = {operation.name for operation in [admitted(plain).operation] if operation}
    others = implied(OPERATIONS[name], {header.encode(): value.encode()}, ())
    assert admitted(raw, **granted(right, "RenameObject", *others)).signer is not None


@pytest.mark.parametrize(
    ("method", "path", "header", "value", "right"),
    [
        (*PUT, "x-amz-acl", "private", "write"),
        ("PUT", "/b-b", "x-amz-acl", "private", "CreateBucket"),
        ("PUT", "/b-b", "x-amz-bucket-object-lock-enabled", "false", "CreateBucket"),
        ("DELETE", "/b-b/k", "x-amz-bypass-governance-retention", "false", "delete"),
        (*PUT, "x-amz-tagging", "a=b", "write"),
        (*PUT, "x-amz-storage-class", "GLACIER", "write"),
        (*PUT, "x-amz-website-redirect-location", "/other", "write"),
        ("GET", "/b-b/k", "x-amz-acl", "public-read", "read"),
        ("PUT", "/b-b/k?acl", "x-amz-acl", "public-read", "PutObjectAcl"),
        ("PUT", "/b-b?acl", "x-amz-acl", "public-read", "PutBucketAcl"),
        ("PUT", "/b-b/k?retention", "x-amz-bypass-governance-retention", "1", "PutObjectRetention"),
    ],
)
def test_what_needs_no_right_besides(
    method: str, path: str, header: str, value: str, right: str
) -> None:
    """B1, B2: what changes nothing (rclone's `x-amz-acl: private`), or is the operation itself."""
    raw = signed(method, path, {header: value})
    assert admitted(raw, **granted(right)).signer is not None


@pytest.mark.parametrize(
    "path", ["/b-b/k?x-amz-acl=public-read", "/b-b/k?X-Amz-Grant-Read=id%3D1", "/b-b/k?%78-amz-acl"]
)
def test_a_parameter_of_such_a_name_needs_the_right_too(path: str) -> None:
    """B2: a store may take it for the header, though S3 does so for presigned requests only."""
    assert refused(signed("PUT", path), **granted("write")).kind.code == "AccessDenied"
    assert admitted(signed("PUT", path), **granted("write", "PutObjectAcl")).signer is not None


def test_a_presigned_parameter_needs_the_right_as_the_header_does() -> None:
    """B2, C6: the header that a presigner moved into the query."""
    recipe = signatures.Recipe(form="query", method="PUT", path="/b-b/k", query="x-amz-acl=a")
    raw = signatures.Case("", "", recipe, {}).render("gateway.test:8080", time.time(), *KEY).raw
    assert refused(raw, **granted("write")).kind.code == "AccessDenied"
    assert admitted(raw, **granted("write", "PutObjectAcl")).signer is not None


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("acl", "public-read", 403),
        ("x-amz-acl", "public-read", 403),
        ("x-amz-grant-read", "id=1", 403),
        ("x-amz-object-lock-legal-hold", "ON", 403),
        ("x-amz-object-lock-mode", "GOVERNANCE", 403),
        ("acl", "private", 204),
        ("tagging", "<Tagging><TagSet/></Tagging>", 204),
    ],
)
def test_fields_of_a_form(name: str, value: str, status: int) -> None:
    """B2: a form's field becomes the header, and needs what the header needs."""
    options = granted("write")
    rig = Rig(**options)
    conditions = [{"bucket": "b-b"}, {"key": "k"}, {name: value}]
    client = rig.connect()
    client.says(
        forms.request(forms.body(forms.signed(KEY, {"key": "k", name: value}, conditions), b"x"))
    )
    if status == 204:
        rig.target.says(ok())
    assert one(client).status == status


def test_nobody_s_request_is_the_target_s_to_judge() -> None:
    """B2: an unsigned request that is forwarded goes up with no rights of the gateway."""
    raw = b"PUT /b-b/k HTTP/1.1\r\nHost: gateway.test\r\nx-amz-acl: public-read\r\n\r\n"
    assert admitted(raw, mode="sigv4", anonymous="forward").signer is not None


@pytest.mark.parametrize(
    "source", ["/other-b/old", "other-b/old", "old", "/b-b/../other-b/old", "/b-b/", ""]
)
@pytest.mark.parametrize("path", ["/b-b/k?renameObject", "/b-b/k"])
def test_a_rename_stays_in_its_bucket(path: str, source: str) -> None:
    """B2: the source of a rename is held to the rules of a copy's."""
    raw = signed("PUT", path, {"x-amz-rename-source": source})
    assert refused(raw, mode="sigv4").kind.status == 400


@pytest.mark.parametrize(
    ("rewrite", "source", "code"),
    [
        (None, "raw/a", ""),
        (None, "a", "NotImplemented"),
        (Rewriting(key_prefix="main/"), "raw/a", ""),
        (Rewriting(key_prefix="main/"), "a", "NotImplemented"),
    ],
)
def test_a_rename_stays_in_its_place(rewrite: Rewriting | None, source: str, code: str) -> None:
    """Elsewhere, the target would rename another object of the same name."""
    other = "first" if rewrite else "generic"
    rules = (Rule(1, 1, "b-b", other, keys=("raw/*",), rewrite=rewrite),)
    raw = signed("PUT", "/b-b/raw/k?renameObject", {"x-amz-rename-source": f"/b-b/{source}"})
    if code:
        assert refused(raw, mode="sigv4", rules=rules).kind.code == code
    else:
        assert admitted(raw, mode="sigv4", rules=rules).target.name == other


def test_a_request_has_one_source() -> None:
    """Targets differ in which one they use."""
    both = {"x-amz-rename-source": "/b-b/a", "x-amz-copy-source": "/b-b/a"}
    raw = signed("PUT", "/b-b/k?renameObject", both)
    assert refused(raw, mode="sigv4").kind.code == "InvalidArgument"


def test_a_rename_source_in_the_query_is_unclassified() -> None:
    """B2: as a copy source is; presigned, it is the header again."""
    found = admitted(signed("PUT", "/b-b/k?x-amz-rename-source=%2Fb-b%2Fold"), mode="sigv4")
    assert found.operation is OPERATIONS["Unclassified"]
