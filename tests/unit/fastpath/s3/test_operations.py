"""`fastpath.s3.operations` against botocore's S3 model, and the refusals AWS makes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import botocore.session
import pytest
from botocore.model import OperationModel, Shape
from botocore.serialize import create_serializer

from fastpath.errors import S3Error
from fastpath.http.query import parse_query
from fastpath.s3.addressing import Address
from fastpath.s3.operations import (
    ACTIONS,
    ALIASES,
    OPERATIONS,
    MethodNotAllowed,
    Operation,
    classify,
    expand,
)

SERVICE = botocore.session.get_session().get_service_model("s3")
SERIALIZER = create_serializer("rest-xml", include_validation=False)

BUCKET = Address(b"bucket", b"", True, b"/bucket")
OBJECT = Address(b"bucket", b"key", True, b"/bucket/key")
ROOT = Address(b"", b"", True, b"/")


def sample(shape: Shape) -> Any:
    """The smallest value of a shape."""
    if shape.type_name == "structure":
        return {name: sample(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member)]
    if shape.type_name == "map":
        return {}
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "sample"
    plain = {"boolean": True, "timestamp": 0, "blob": b""}
    return plain.get(shape.type_name, 1)


def serialised(name: str, **more: Any) -> Operation:
    """What classify says about the request that botocore makes of an operation."""
    model: OperationModel = SERVICE.operation_model(name)
    parameters = {} if model.input_shape is None else sample(model.input_shape)
    request = SERIALIZER.serialize_to_request(parameters | more, model)
    path, _, query = request["url_path"].partition("?")
    pairs = [f"{quote(k)}={quote(str(v))}" for k, v in request["query_string"].items()]
    raw_query = "&".join(filter(None, [query, *pairs])).encode()
    bucket, _, key = path[1:].partition("/")
    address = Address(bucket.encode(), key.encode(), True, path.encode())
    fields = {
        name.lower().encode(): str(value).encode() for name, value in request["headers"].items()
    }
    return classify(request["method"].encode(), address, parse_query(raw_query), fields)


@pytest.mark.parametrize("name", SERVICE.operation_names)
def test_every_operation_of_botocore(name: str) -> None:
    """Names that share one request with another are in ALIASES; everything else is told apart."""
    assert serialised(name) is OPERATIONS[name]
    assert OPERATIONS[name].name == ALIASES.get(name, name)


def query_members() -> list[tuple[str, str]]:
    """Every operation with each member of its input that travels in the query."""
    return [
        (name, member)
        for name in SERVICE.operation_names
        if (shape := SERVICE.operation_model(name).input_shape) is not None
        for member, of in shape.members.items()
        if of.serialization.get("location") == "querystring"
    ]


@pytest.mark.parametrize(("name", "member"), query_members())
def test_every_query_name_of_botocore_leaves_the_operation_as_it_is(name: str, member: str) -> None:
    """C12: what S3 has for an operation never makes it another one, or an unclassified one."""
    shape = SERVICE.operation_model(name).input_shape
    assert shape is not None
    assert serialised(name, **{member: sample(shape.members[member])}) is OPERATIONS[name]


def test_names_of_the_query_that_refine_a_list_of_annotations() -> None:
    """C12: `?annotation` with what botocore's model names."""
    query = parse_query(b"annotation&annotation-prefix=a&max-annotation-results=2")
    assert classify(b"GET", OBJECT, query, {}).name == "ListObjectAnnotations"


def test_the_list_is_closed() -> None:
    ours = {"PostObject", "Preflight", "Unclassified"}
    assert set(OPERATIONS) == set(SERVICE.operation_names) | ours


def test_rules_match_an_operation_by_the_method_it_travels_by_but_for_two() -> None:
    different = {
        name
        for name in SERVICE.operation_names
        if OPERATIONS[name].method != SERVICE.operation_model(name).http["method"]
    }
    assert different == {"DeleteObjects", "SelectObjectContent"}
    assert OPERATIONS["DeleteObjects"].method == "DELETE"
    assert OPERATIONS["SelectObjectContent"].method == "GET"


def test_operations_that_only_a_parameter_tells_apart() -> None:
    assert classify(b"GET", OBJECT, [(b"annotation", b"")], {}).name == "ListObjectAnnotations"
    for sub in (b"analytics", b"intelligent-tiering", b"inventory", b"metrics"):
        one = classify(b"GET", BUCKET, [(b"id", b"1"), (sub, b"")], {}).name
        every = classify(b"GET", BUCKET, [(sub, b"")], {}).name
        assert (one[:3], every[:4]) == ("Get", "List")
        assert every == "List" + one[3:] + "s"
    for name in (b"annotationName", b"id", b"list-type"):
        assert classify(b"GET", OBJECT, [(name, b"x")], {}).name == "GetObject"


@pytest.mark.parametrize(
    ("pairs", "name"),
    [
        ([(b"list-type", b"2")], "ListObjectsV2"),
        ([(b"list-type", b"1")], "ListObjects"),
        ([(b"list-type", b"")], "ListObjects"),
        ([(b"list-type", b"2"), (b"list-type", b"1")], "ListObjectsV2"),
        ([(b"list-type", b"1"), (b"list-type", b"2")], "ListObjects"),
        ([(b"list-type", b"2"), (b"acl", b"")], "GetBucketAcl"),
        ([(b"acl", b""), (b"acl", b"x")], "GetBucketAcl"),
        ([(b"X-Amz-Signature", b"x"), (b"x-id", b"y"), (b"X-Other", b"")], "ListObjects"),
        ([(b"AWSAccessKeyId", b"x"), (b"Signature", b"y"), (b"Expires", b"1")], "ListObjects"),
        ([(b"", b"")], "Unclassified"),
        ([(b"neverseen", b"")], "Unclassified"),
        ([(b"neverseen", b"1"), (b"acl", b"")], "Unclassified"),
        ([(b"Acl", b"")], "Unclassified"),
        ([(b"X-Amz-Copy-Source-Range", b"x")], "Unclassified"),
    ],
)
def test_parameters_of_a_bucket(pairs: list[tuple[bytes, bytes]], name: str) -> None:
    assert classify(b"GET", BUCKET, pairs, {}).name == name


def test_unknown_sub_resources_are_of_class_admin_whatever_the_method() -> None:
    for method in (b"GET", b"HEAD", b"PUT", b"POST", b"DELETE"):
        for address in (ROOT, BUCKET, OBJECT):
            operation = classify(method, address, [(b"neverseen", b"")], {})
            assert (operation.name, operation.action) == ("Unclassified", "admin")


def test_a_copy_source_makes_a_copy_of_a_put_only() -> None:
    copy = {b"x-amz-copy-source": b"/other/key"}
    part = [(b"partNumber", b"1"), (b"uploadId", b"u")]
    assert classify(b"PUT", OBJECT, (), copy).name == "CopyObject"
    assert classify(b"PUT", OBJECT, part, copy).name == "UploadPartCopy"
    assert classify(b"PUT", OBJECT, [(b"acl", b"")], copy).name == "PutObjectAcl"
    assert classify(b"PUT", BUCKET, (), copy).name == "CreateBucket"
    assert classify(b"GET", OBJECT, (), copy).name == "GetObject"


def test_everything_of_a_multipart_upload_is_routed_as_its_beginning() -> None:
    create = OPERATIONS["CreateMultipartUpload"]
    routed = {name for name, operation in OPERATIONS.items() if operation.routed_as is create}
    assert routed == {
        "CreateMultipartUpload",
        "UploadPart",
        "UploadPartCopy",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
        "ListParts",
        "ListMultipartUploads",
    }
    for name, operation in OPERATIONS.items():
        assert name in routed or operation.routed_as is operation


def refusal(method: bytes, address: Address, query: bytes = b"", **fields: bytes) -> S3Error:
    named = {name.encode(): value for name, value in fields.items()}
    with pytest.raises(S3Error) as caught:
        classify(method, address, parse_query(query), named)
    return caught.value


def test_two_sub_resources() -> None:
    """aws-auth-errors 4.41."""
    error = refusal(b"GET", BUCKET, b"versioning&acl&prefix=x")
    assert error.message == "Conflicting query string parameters: acl, versioning"
    assert error.extras == (("ArgumentName", "ResourceType"), ("ArgumentValue", "acl"))
    assert refusal(b"PUT", OBJECT, b"uploadId=1&acl").kind.code == "InvalidArgument"


@pytest.mark.parametrize(
    ("method", "address", "query", "resource", "allow"),
    [
        (b"POST", ROOT, b"", "SERVICE", "GET"),
        (b"HEAD", ROOT, b"", "SERVICE", "GET"),
        (b"POST", OBJECT, b"", "OBJECT", "DELETE, GET, HEAD, PUT"),
        (b"PUT", OBJECT, b"uploadId=1", "UPLOAD", "DELETE, GET, POST"),
        (b"HEAD", OBJECT, b"acl", "ACL", "GET, PUT"),
        (b"POST", OBJECT, b"tagging", "OBJECT_TAGGING", "DELETE, GET, PUT"),
        (b"POST", BUCKET, b"tagging", "TAGGING", "DELETE, GET, PUT"),
        (b"POST", BUCKET, b"publicAccessBlock", "PUBLIC_ACCESS_BLOCK", "DELETE, GET, PUT"),
        (b"POST", BUCKET, b"uploads", "UPLOADS", "GET"),
    ],
)
def test_methods_that_a_resource_does_not_have(
    method: bytes, address: Address, query: bytes, resource: str, allow: str
) -> None:
    """aws-auth-errors 4.40; Allow as RFC 9110 section 15.5.6 demands."""
    error = refusal(method, address, query)
    assert isinstance(error, MethodNotAllowed)
    assert error.kind.status == 405
    assert error.extras == (("Method", method.decode()), ("ResourceType", resource))
    assert error.allow == allow


def test_parts_of_nothing() -> None:
    """aws-auth-errors 4.27."""
    error = refusal(b"PUT", OBJECT, b"partNumber=1")
    assert error.message == "This operation does not accept partNumber without uploadId"
    assert classify(b"GET", OBJECT, [(b"partNumber", b"1")], {}).name == "GetObject"


def test_sub_resources_that_a_key_does_not_have() -> None:
    """aws-auth-errors 4.42."""
    error = refusal(b"GET", OBJECT, b"versions")
    assert error.message == "There is no such thing as the ?versions sub-resource for a key"
    error = refusal(b"GET", OBJECT, b"uploads")
    assert error.message == "Key is not expected for the GET method ?uploads subresource"


@pytest.mark.parametrize("method", [b"PATCH", b"TRACE", b"get", b"FROB", b"\xff"])
def test_methods_that_s3_does_not_have(method: bytes) -> None:
    """aws-auth-errors 4.43."""
    error = refusal(method, OBJECT)
    assert (error.kind.status, error.kind.code) == (400, "BadRequest")
    assert error.message == "An error occurred when parsing the HTTP request."


def test_preflight() -> None:
    """aws-auth-errors 4.44."""
    for address in (ROOT, BUCKET, OBJECT):
        assert classify(b"OPTIONS", address, (), {b"origin": b"x"}).name == "Preflight"
    error = refusal(b"OPTIONS", OBJECT)
    assert error.message == "Insufficient information. Origin request header needed."


def test_expand() -> None:
    assert expand("GetObject") == {"GetObject"}
    assert expand("PutBucketLifecycle") == {"PutBucketLifecycleConfiguration"}
    assert expand("delete") == {"DeleteObject", "DeleteObjects"}
    assert expand("HEAD") == {"HeadBucket", "HeadObject"}
    assert "DeleteObjects" in expand("DELETE")
    assert "DeleteObjects" not in expand("POST")
    assert "Unclassified" in expand("admin")
    for word in ("", "PATCH", "get", "Read", "getobject", "*", "SERVICE"):
        with pytest.raises(KeyError):
            expand(word)


def test_the_classes_share_out_all_operations() -> None:
    names = {operation.name for operation in OPERATIONS.values()}
    assert frozenset().union(*map(expand, ACTIONS)) == names
    assert sum(len(expand(action)) for action in ACTIONS) == len(names)


def test_nothing_that_changes_a_store_is_called_reading() -> None:
    for operation in OPERATIONS.values():
        if operation.action in ("read", "list"):
            assert operation.method in ("GET", "HEAD", "OPTIONS"), operation
