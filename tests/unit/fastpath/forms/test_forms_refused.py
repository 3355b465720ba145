"""What a browser's form is refused for: code and text, and no byte of it reaches a target."""

from __future__ import annotations

import base64
import json

import pytest

from tests.doubles import forms
from tests.doubles.forms import BOUNDARY, field
from tests.doubles.wire import KEY
from tests.unit.fastpath.forms.test_forms import (
    CONDITIONS,
    DATA,
    fields,
    post,
    refused,
    started,
    upstream,
)

GOOD = forms.body(fields(), DATA)
MALFORMED = (
    "400 MalformedPOSTRequest: The body of your POST request is not well-formed "
    "multipart/form-data."
)


def _head(content_type: str, content: bytes = GOOD) -> bytes:
    head = f"POST /b-b HTTP/1.1\r\nHost: h\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Content-Type: {content_type}\r\n\r\n".encode() + content


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (_head("application/x-www-form-urlencoded"), "412 PreconditionFailed"),
        (_head("multipart/form-datax; boundary=a"), "412 PreconditionFailed"),
        (_head("multipart/form-data"), MALFORMED),
        (_head("multipart/form-data; boundary="), MALFORMED),
        (_head(f"multipart/form-data; boundary={'b' * 71}"), MALFORMED),
        (_head(f"multipart/form-data; boundary={BOUNDARY}x"), MALFORMED),
        (
            post(b"x" + forms.body({}, DATA)),  # a boundary inside a line is none
            "400 InvalidArgument: POST requires exactly one file upload per request.",
        ),
        (post(GOOD.replace(b"\r\n\r\n", b"\n\n", 1)), MALFORMED),
        (post(GOOD[:-4]), MALFORMED),
        (post(GOOD[:-60]), MALFORMED),
        (post(GOOD.replace(b'; name="key"', b"", 1)), MALFORMED),
        (post(GOOD.replace(b"form-data", b"attachment", 1)), MALFORMED),
        (post(GOOD.replace(b"Content-Disposition", b"Content Disposition", 1)), MALFORMED),
        (post(field("key", b"1") + GOOD), "400 InvalidArgument: A field of a POST form may be"),
        (
            post(field("key", b"k") + b"--" + BOUNDARY.encode() + b"--\r\n"),
            "400 InvalidArgument: POST requires exactly one file upload per request.",
        ),
        (
            post(forms.body(fields(), DATA, behind=field("file", b"2"))),
            "400 InvalidArgument: POST requires exactly one file upload per request.",
        ),
        (
            post(field("x-ignore-a", b"x" * 20480) + GOOD),
            "400 MaxPostPreDataLengthExceeded: Your POST request fields preceeding",
        ),
        (b"POST /b-b HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=a\r\n\r\n",
         "411 MissingContentLength"),
        (b"POST /b-b HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=a\r\n"
         b"Transfer-Encoding: chunked\r\n\r\n", "501 NotImplemented"),
    ],
)  # fmt: skip
def test_bad_forms(request_: bytes, error: str) -> None:
    assert refused(request_).startswith(error)


def _without(name: str) -> dict[str, str]:
    found = fields()
    del found[name]
    return found


FIELD = "400 InvalidArgument: Bucket POST must contain a field named"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (_without("key"), f"{FIELD} 'key'.  If it is specified, please check the order of the"),
        (_without("policy"), f"{FIELD} 'policy'."),
        (_without("x-amz-algorithm"), f"{FIELD} 'X-Amz-Algorithm'."),
        (_without("x-amz-credential"), f"{FIELD} 'X-Amz-Credential'."),
        (_without("x-amz-date"), f"{FIELD} 'X-Amz-Date'."),
        (_without("x-amz-signature"), f"{FIELD} 'X-Amz-Signature'."),
        ({"key": "k", "signature": "s"}, f"{FIELD} 'AWSAccessKeyId'."),
        ({"key": "k", "AWSAccessKeyId": "a"}, f"{FIELD} 'policy'."),
        ({"key": "k", "AWSAccessKeyId": "a", "policy": ""}, f"{FIELD} 'signature'."),
        (fields() | {"key": ""}, "400 InvalidArgument: User key must have"),
        (fields() | {"key": "k/../../other"}, "400 InvalidURI"),
        (fields() | {"key": "k" * 1025}, "400 KeyTooLongError"),
        (
            fields() | {"x-amz-algorithm": "AWS4-HMAC-SHA1"},
            "400 InvalidArgument: Only AWS4-HMAC-SHA256 is supported",
        ),
        (
            fields() | {"x-amz-date": "2026-01-01T00:00:00Z"},
            "400 InvalidArgument: X-Amz-Date must be formated via ISO8601 Long format",
        ),
        (
            fields() | {"x-amz-credential": "a/b"},
            "400 InvalidArgument: the Credential is mal-formed; expecting",
        ),
        (
            fields() | {"x-amz-credential": "AKIDCLIENT/20260101/us-east-1/sqs/aws4_request"},
            '400 InvalidArgument: incorrect service "sqs". This endpoint belongs to',
        ),
        (
            fields() | {"x-amz-credential": "AKIDCLIENT/20200101/us-east-1/s3/aws4_request"},
            "400 InvalidArgument: Invalid credential date.",
        ),
        (
            fields() | {"x-amz-signature": "0" * 64},
            "403 SignatureDoesNotMatch: The request signature we calculated",
        ),
        (fields(version=2) | {"signature": "AAAA"}, "403 SignatureDoesNotMatch"),
        (fields() | {"policy": forms.policy([])}, "403 SignatureDoesNotMatch"),
        (forms.signed(("NOBODY", "x"), {"key": "k"}, CONDITIONS), "403 InvalidAccessKeyId"),
        (fields() | {"signature": "x"}, "400 InvalidArgument: Only one auth mechanism allowed"),
        (fields({"x-amz-security-token": "t"}), "400 InvalidToken"),
        (
            fields(seconds=-1),
            "403 AccessDenied: Invalid according to Policy: Policy expired.",
        ),
        (
            fields(at=1_700_000_000),
            "403 AccessDenied: Invalid according to Policy: Policy expired.",
        ),
        (
            fields() | {"key": "other"},
            "403 AccessDenied: Invalid according to Policy: Policy Condition failed: "
            '["starts-with", "$key", "k"]',
        ),
        (
            fields() | {"acl": "public-read"},
            "403 AccessDenied: Invalid according to Policy: Extra input fields: acl",
        ),
        (
            forms.signed(KEY, {"key": "k"}, CONDITIONS[1:]),
            "403 AccessDenied: Invalid according to Policy: Extra input fields: bucket",
        ),
        (
            forms.signed(KEY, {"key": "k"}, [{"bucket": "c-c"}, *CONDITIONS[1:]]),
            "403 AccessDenied: Invalid according to Policy: Policy Condition failed: "
            '["eq", "$bucket", "c-c"]',
        ),
        (fields({"x-amz-copy-source": "c-c/k"}), "501 NotImplemented"),
        (fields({"x-amz-rename-source": "c-c/k"}), "501 NotImplemented"),
        (fields({"x-amz-meta-a": "1\r\nx-amz-acl: public"}), "400 InvalidArgument"),
        (fields({"tagging": "<Tagging"}), "400 MalformedXML"),
        (fields({"tagging": "<!DOCTYPE a><Tagging/>"}), "400 MalformedXML"),
    ],
)
def test_refused_fields(form: dict[str, str], error: str) -> None:
    assert refused(post(forms.body(form, DATA))).startswith(error)


def test_sigv2_forms_can_be_off() -> None:
    form = post(forms.body(fields(version=2), DATA))
    assert refused(form, sigv2="off").startswith("400 InvalidRequest")


def _documented(document: object) -> dict[str, str]:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return {"key": "k", **forms.sigv2_fields(KEY, base64.b64encode(text).decode())}


_END = "2999-01-01T00:00:00Z"


def _with(*conditions: object) -> dict[str, str]:
    return _documented({"expiration": _END, "conditions": list(conditions)})


INVALID = "400 InvalidPolicyDocument: Invalid Policy: "


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"key": "k", **forms.sigv2_fields(KEY, "%%%")}, "Invalid JSON."),
        (_documented(b"{"), "Invalid JSON."),
        (_documented(b"\xff"), "Invalid JSON."),
        (_documented(b"[" * 9000), "Invalid JSON."),
        (_documented([]), "Invalid JSON."),
        (_documented(b'{"expiration": "\\ud800", "conditions": [1]}'), "Invalid JSON."),
        (_documented({"conditions": [1]}), "Policy missing expiration."),
        (_documented({"Expiration": _END, "conditions": [1]}), "Policy missing expiration."),
        (_documented({"expiration": _END}), "Policy missing conditions."),
        (_with(), "Policy missing conditions."),
        (
            _documented({"expiration": "soon", "conditions": [1]}),
            "Invalid 'expiration' value: 'soon'",
        ),
        (
            _documented({"expiration": "2026-02-30T00:00:00Z", "conditions": [1]}),
            "Invalid 'expiration' value: '2026-02-30T00:00:00Z'",
        ),
        (_with(["eq", "$key"]), "Invalid Eq: wrong number of arguments."),
        (_with(["starts-with", "$key"]), "Invalid starts-with: wrong number of arguments."),
        (
            _with(["content-length-range", 1]),
            "Invalid content-length-range: wrong number of arguments.",
        ),
        (_with(["like", "$key", "k"]), "Invalid Condition: unknown operation 'like'."),
        (_with([]), "Invalid Condition: unknown operation ''."),
        (_with("key"), "Invalid condition test: must be a List or Object."),
        (_with({}), "Invalid Simple-Condition: Simple-Conditions must have exactly one property"),
        (_with({"key": 5}), "Invalid Simple-Condition: value must be a string."),
    ],
)
def test_policies_that_are_none(form: dict[str, str], error: str) -> None:
    assert refused(post(forms.body(form, DATA))).startswith(INVALID + error)


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        (b"image/png", True),
        (b"image/png,image/jpeg", True),
        (b"image/png, image/jpeg", True),
        (b"image/png,text/html", False),
        (b"text/html,image/png", False),
        (b"image/png,", False),
        (b",image/png", False),
        (b"image/png,\timage/jpeg;a=b,c", False),
    ],
)
def test_every_member_of_a_list_of_types_must_begin_as_the_policy_says(
    given: bytes, allowed: bool
) -> None:
    """B5: AWS, "Creating a POST policy": a comma makes a list of a starts-with on Content-Type."""
    condition = ["starts-with", "$Content-Type", "image/"]
    form = forms.signed(KEY, {"key": "k", "content-type": given.decode()}, [*CONDITIONS, condition])
    request_ = post(forms.body(form, DATA))
    if allowed:
        rig, client = started()
        client.says(request_)
        assert upstream(rig)[1]["content-type"] == given.decode()
    else:
        assert refused(request_).startswith("403 AccessDenied: Invalid according to Policy")


@pytest.mark.parametrize("value", ["a,b", "a,c"])
def test_only_the_type_is_a_list(value: str) -> None:
    """B5: other fields are compared whole."""
    condition = ["starts-with", "$x-amz-meta-tag", "a,"]
    form = forms.signed(KEY, {"key": "k", "x-amz-meta-tag": value}, [*CONDITIONS, condition])
    rig, client = started()
    client.says(post(forms.body(form, DATA)))
    assert upstream(rig)[1]["x-amz-meta-tag"] == value


@pytest.mark.parametrize("bounds", [[-1, 0], [-5, -1], ["-1", "0"], [5, 0], [0, 0]])
def test_a_range_that_no_file_fits(bounds: list[object]) -> None:
    """P6: a negative bound is a number (ceph s3-tests: 400, where a word is 403)."""
    form = _with({"bucket": "b-b"}, {"key": "k"}, ["content-length-range", *bounds])
    assert refused(post(forms.body(form, DATA))).startswith("400 EntityTooLarge")


@pytest.mark.parametrize("bounds", [[-1, 10**6], [-(10**20), 10**20]])
def test_a_range_beyond_every_size(bounds: list[object]) -> None:
    """P6: such a bound allows what it says."""
    form = _with({"bucket": "b-b"}, {"key": "k"}, ["content-length-range", *bounds])
    rig, client = started()
    client.says(post(forms.body(form, DATA)))
    assert upstream(rig)[2] == DATA


@pytest.mark.parametrize("bounds", [["a", 5], [0, None], [True, 5], [1.5, 5], ["--1", 5], ["", 5]])
def test_a_range_without_numbers_fails(bounds: list[object]) -> None:
    form = _with({"bucket": "b-b"}, {"key": "k"}, ["content-length-range", *bounds])
    answer = refused(post(forms.body(form, DATA)))
    assert answer.startswith("403 AccessDenied: Invalid according to Policy: Policy Condition")


def test_names_and_operators_have_no_case() -> None:
    form = _with({"BUCKET": "b-b"}, ["StArTs-WiTh", "$KeY", "k"])
    form["kEy"] = form.pop("key")
    rig, client = started()
    client.says(post(forms.body(form, DATA)))
    assert upstream(rig)[0] == "PUT /b-b/k HTTP/1.1"


def test_a_form_signed_for_another_region() -> None:
    """P5: AWS errors 5.9."""
    form = fields()
    answer = refused(post(forms.body(form, DATA)), regions=["eu-west-1", "eu-central-1"])
    assert answer == ("400 InvalidArgument: the region 'us-east-1' is wrong; expecting 'eu-west-1'")
    rig, client = started(regions=["eu-west-1", "us-east-1"])
    client.says(post(forms.body(form, DATA)))
    assert upstream(rig)[2] == DATA
