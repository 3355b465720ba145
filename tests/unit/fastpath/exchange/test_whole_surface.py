"""Every operation of botocore's S3 model, and some that nobody has invented, reach their target.

Rules: on the rig, to a target of profile `s3` and one of `generic`; what goes up is compared with
what botocore made.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.doubles.http1 import ok, read_answers, read_requests
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import Rig
from tests.unit.fastpath.s3.test_operations import SERIALIZER, SERVICE, sample

BUCKETS = {"s3": "b-b", "generic": "g-b"}
UNKNOWN = ("neverseen", "neverseen=1", "never-seen&acl", "x-id=NeverSeen&neverseen=a%2Fb")


def sent(rig: Rig, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    """What the target hears of a request that it answers with 200."""
    lines = [f"{method} {target} HTTP/1.1", "Host: gateway.test", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    client = rig.connect()
    client.says("\r\n".join([*lines, "", ""]).encode() + body)
    heard = rig.target.heard
    rig.target.says(ok())
    (answer,) = read_answers(client.heard, [method.encode()])
    assert answer.status == 200, answer.body
    return heard


def made(name: str, bucket: str) -> dict[str, Any]:
    """The request that botocore makes of an operation, in this bucket."""
    model = SERVICE.operation_model(name)
    parameters = {} if model.input_shape is None else sample(model.input_shape)
    for member, value in (
        ("Bucket", bucket),
        ("CopySource", f"{bucket}/source"),
        ("RenameSource", f"{bucket}/source"),
    ):
        if member in parameters:
            parameters[member] = value
    return dict(SERIALIZER.serialize_to_request(parameters, model))


@pytest.mark.parametrize("name", SERVICE.operation_names)
def test_every_operation_goes_up_as_botocore_made_it(name: str) -> None:
    for bucket in BUCKETS.values():
        goes_up(name, bucket)


def goes_up(name: str, bucket: str) -> None:
    request = made(name, bucket)
    pairs = [f"{quote(k)}={quote(str(v), safe='')}" for k, v in request["query_string"].items()]
    path, _, query = request["url_path"].partition("?")
    target = path + ("?" if query or pairs else "") + "&".join(filter(None, [query, *pairs]))
    headers = {name: str(value) for name, value in request["headers"].items()}
    body = request["body"]
    body = body.encode() if isinstance(body, str) else bytes(body or b"")
    asked = with_sealed_id(target)
    rig = Rig(rules=()) if path == "/" else Rig()  # several targets answer a ListBuckets together
    heard = sent(rig, request["method"], asked, headers, body)
    ((head, found),) = read_requests(heard)
    first, *lines = head.decode().split("\r\n")
    method, up, version = first.split(" ")
    assert (method, version) == (request["method"], "HTTP/1.1")
    assert up == target or (asked != target and in_any_order(up) == in_any_order(target))
    assert found == body
    kept = {one.lower(): value for one, _, value in (line.partition(": ") for line in lines)}
    assert {header: kept.get(header.lower(), "") for header in headers} == headers


def in_any_order(target: str) -> tuple[str, list[str]]:
    """A request target to compare: a renamed upload id goes up behind the other parameters."""
    path, _, query = target.partition("?")
    return path, sorted(query.split("&"))


@pytest.mark.parametrize("query", UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
def test_a_sub_resource_not_yet_invented_goes_up(method: str, query: str) -> None:
    for bucket in BUCKETS.values():
        rig = Rig()
        target = f"/{bucket}/key?{query}"
        ((head, body),) = read_requests(sent(rig, method, target, {}, b"new"))
        assert head.startswith(f"{method} {target} HTTP/1.1\r\n".encode())
        assert body == (b"new" if method in ("PUT", "POST") else b"")
        (line,) = rig.lines("access")
        assert line["operation"] == "Unclassified"
