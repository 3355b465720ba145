"""Browser forms over the wire: from the form to the PutObject and back, and every refusal."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from tests.doubles import forms
from tests.doubles.aws_chunked import checksum
from tests.doubles.forms import BOUNDARY, field
from tests.doubles.http1 import ok
from tests.doubles.rules import Rule
from tests.doubles.wire import KEY, Peer, Rig
from tests.unit.fastpath.clients import answers, one

DATA = b"the file\r\n--not the boundary\r\n"
CONDITIONS = [{"bucket": "b-b"}, ["starts-with", "$key", "k"]]
STORED = ok(b"", 'ETag: "abc"', "x-amz-version-id: v1")
BIG = bytes(range(256)) * 2048  # 512 KiB
STREAMED = {"limits": {"form_gather_bytes": 262144}}  # less than BIG


def started(**options: Any) -> tuple[Rig, Peer]:
    rig = Rig(**{"mode": "sigv4", **options})
    return rig, rig.connect()


def fields(extra: dict[str, str] | None = None, *conditions: object, **how: Any) -> dict[str, str]:
    named = [{name: value} for name, value in (extra or {}).items()]
    return forms.signed(
        KEY, {"key": "k/a b", **(extra or {})}, [*CONDITIONS, *named, *conditions], **how
    )


def post(content: bytes, **how: Any) -> bytes:
    return forms.request(content, **how)


def refused(request: bytes, **options: Any) -> str:
    """The code and the text a request is refused with; nothing reached a target."""
    rig, client = started(**options)
    client.says(request)
    answer = one(client, b"POST")
    assert answer.status >= 400
    assert all(not target.heard for target in rig.targets)
    assert not rig.defects
    text = answer.body.partition(b"<Message>")[2].partition(b"</Message>")[0].decode()
    return f"{answer.status} {answer.code}: {text}"


def upstream(rig: Rig) -> tuple[str, dict[str, str], bytes]:
    """Request line, headers and body that the target was sent."""
    head, _, body = rig.target.heard.partition(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    return line, dict(header.lower().split(": ", 1) for header in rest), body


# --- what goes up ---


@pytest.mark.parametrize("version", [2, 4])
def test_a_form_becomes_a_signed_put(version: int) -> None:
    rig, client = started()
    client.says(post(forms.body(fields(version=version), DATA)))
    line, headers, body = upstream(rig)
    assert line == "PUT /b-b/k/a%20b HTTP/1.1"
    assert headers["content-length"] == str(len(DATA))
    assert headers["authorization"].startswith("aws4-hmac-sha256 credential=akidtarget/")
    assert body == DATA
    assert KEY[0].lower() not in str(headers)
    rig.target.says(STORED)
    answer = one(client, b"POST")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.fields["etag"] == '"abc"'
    assert answer.fields["x-amz-version-id"] == "v1"
    assert answer.fields["location"] == "http://s3.test/b-b/k%2Fa%20b"
    (log,) = rig.lines("access")
    assert (log["method"], log["operation"], log["key"]) == ("POST", "PutObject", "k/a b")
    assert (log["identity"], log["status"]) == ("client", 204)
    assert not client.ended


def test_byte_by_byte() -> None:
    rig, client = started()
    whole = post(forms.body(fields(), DATA))
    client.says(*[whole[at : at + 1] for at in range(len(whole))])
    assert upstream(rig)[2] == DATA


@pytest.mark.parametrize("step", [1000, 65536, 10**7])
def test_a_long_file_streams_and_its_last_bytes_wait(step: int) -> None:
    rig, client = started(**STREAMED)
    whole = post(forms.body(fields(), BIG))
    pieces = [whole[at : at + step] for at in range(0, len(whole), step)]
    client.says(*pieces[:-1], pieces[-1][:-1])
    sent = upstream(rig)[2] if rig.targets and rig.target.heard else b""
    assert BIG.startswith(sent)
    assert len(sent) < len(BIG)
    if step < 10**6:
        assert len(sent) > len(BIG) - 2 * step - 100  # it streamed
    client.says(pieces[-1][-1:])
    assert upstream(rig)[1]["content-length"] == str(len(BIG))
    assert upstream(rig)[2] == BIG
    rig.target.says(STORED)
    assert one(client, b"POST").status == 204


def test_the_fields_become_headers_and_the_browser_s_own_do_not() -> None:
    tags = "<Tagging><TagSet><Tag><Key>a b</Key><Value>1&amp;2</Value></Tag></TagSet></Tagging>"
    named = {
        "Content-Type": "image/png",
        "Cache-Control": "no-cache",
        "acl": "public-read",
        "x-amz-meta-Colour": "blue",
        "x-amz-storage-class": "STANDARD_IA",
        "tagging": tags,
        "success_action_status": "200",
        "x-ignore-me": "1",
    }
    rig, client = started()
    lines = "x-amz-acl: public-read-write\r\nCookie: a=b\r\nOrigin: https://x\r\n"
    client.says(post(forms.body(fields(named), DATA), lines=lines))
    head = rig.target.heard.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert b"\r\nx-amz-acl: public-read\r\n" in head
    assert b"\r\nx-amz-tagging: a%20b=1%262\r\n" in head
    assert b"\r\nx-amz-meta-colour: blue\r\n" in head
    assert b"\r\ncontent-type: image/png\r\n" in head
    for word in (b"public-read-write", b"Cookie", b"Origin", b"multipart", b"ignore", b"policy"):
        assert word not in head
    signed = head.partition(b"SignedHeaders=")[2].partition(b",")[0].split(b";")
    assert {b"x-amz-acl", b"x-amz-tagging", b"x-amz-meta-colour"} <= set(signed)


def test_the_file_s_name_is_filled_in_without_its_directories() -> None:
    for name in ("photo.png", "dir/photo.png", "C:\\dir\\photo.png"):
        rig, client = started()
        form = fields({"x-amz-meta-name": "photo.png"})
        form |= {"key": "k/${filename}", "x-amz-meta-name": "${filename}"}
        client.says(post(forms.body(form, DATA, filename=name)))
        assert upstream(rig)[0] == "PUT /b-b/k/photo.png HTTP/1.1"
        assert upstream(rig)[1]["x-amz-meta-name"] == "photo.png"


@pytest.mark.parametrize("data", [DATA, BIG, BIG * 15], ids=["30 B", "512 KiB", "7.5 MiB"])
def test_what_follows_the_file_is_ignored(data: bytes) -> None:
    """P3: AWS's own example has its submit button behind the file."""
    rig, client = started()
    behind = field("submit", b"Upload") + field("key", b"other")
    whole = post(forms.body(fields(), data, behind=behind))
    client.says(*[whole[at : at + 250000] for at in range(0, len(whole), 250000)])
    assert upstream(rig)[0] == "PUT /b-b/k/a%20b HTTP/1.1"
    assert upstream(rig)[2] == data


EDGE = b"\r\n--" + BOUNDARY.encode()


@pytest.mark.parametrize(
    "end",
    [b"--", b"--\r\n", b"--\r\n\r\n", b"--\r\nan epilogue", b"-- \r\n", b"--" + EDGE + b"\r\nx"],
)
@pytest.mark.parametrize("data", [DATA, BIG], ids=["30 B", "512 KiB"])
def test_what_follows_the_last_boundary_is_ignored(data: bytes, end: bytes) -> None:
    """P3: RFC 2046 section 5.1.1: an epilogue is no part of the form."""
    rig, client = started()
    client.says(post(forms.body(fields(), data, end=end)))
    assert upstream(rig)[2] == data


@pytest.mark.parametrize("preamble", [b"\r\n", b"This is a form.\r\n", b"--no\r\n\r\n"])
def test_what_stands_before_the_first_boundary_is_ignored(preamble: bytes) -> None:
    """P3: RFC 2046 section 5.1.1: so is a preamble, however it is cut."""
    rig, client = started()
    whole = post(preamble + forms.body(fields(), DATA))
    client.says(*[whole[at : at + 7] for at in range(0, len(whole), 7)])
    assert upstream(rig)[2] == DATA


def test_forms_that_are_gathered_share_a_bound() -> None:
    """P3: what one worker holds of forms is bounded; one more is told to come again."""
    rig = Rig(mode="sigv4", limits={"forms_bytes": len(BIG) + 1000})
    first, second = rig.connect(), rig.connect()
    whole = post(forms.body(fields(), BIG))
    first.says(whole[:-100])
    second.says(whole)
    assert one(second, b"POST").code == "SlowDown"
    first.says(whole[-100:])
    rig.target.says(STORED)
    assert one(first, b"POST").status == 204
    third = rig.connect()
    third.says(whole)
    assert len(rig.targets) == 1
    rig.target.says(STORED)
    assert one(third, b"POST").status == 204


def test_an_empty_file() -> None:
    rig, client = started()
    client.says(post(forms.body(fields(), b"")))
    assert upstream(rig)[1]["content-length"] == "0"
    assert upstream(rig)[2] == b""
    rig.target.says(STORED)
    assert one(client, b"POST").status == 204


def test_a_form_to_a_bucket_s_own_host() -> None:
    rig, client = started(domains=["s3.test"])
    client.says(post(forms.body(fields(), DATA), path="/", host="b-b.s3.test"))
    assert upstream(rig)[0] == "PUT /b-b/k/a%20b HTTP/1.1"
    rig.target.says(STORED)
    assert one(client, b"POST").fields["location"] == "http://b-b.s3.test/k%2Fa%20b"


def test_100_continue_is_said_once() -> None:
    rig, client = started()
    head, _, content = post(forms.body(fields(), BIG), lines="Expect: 100-continue\r\n").partition(
        b"\r\n\r\n"
    )
    client.says(head + b"\r\n\r\n")
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.says(content)
    assert client.heard == b""
    rig.target.says(STORED)
    assert one(client, b"POST").status == 204


def test_the_next_request_on_the_connection_is_served() -> None:
    rig, client = started()
    form = post(forms.body(fields(), DATA))
    client.says(form + form)
    rig.target.says(STORED)
    rig.target.says(STORED)
    assert [answer.status for answer in answers(client, b"POST", b"POST")] == [204, 204]
    assert rig.target.heard.count(b"PUT ") == 2


# --- what the client is told ---


def test_201_has_a_document() -> None:
    rig, client = started()
    client.says(post(forms.body(fields({"success_action_status": "201"}), DATA)))
    rig.target.says(STORED)
    answer = one(client, b"POST")
    assert answer.status == 201
    assert answer.body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>'
        b"<Location>http://s3.test/b-b/k%2Fa%20b</Location><Bucket>b-b</Bucket><Key>k/a b</Key>"
        b"<ETag>&quot;abc&quot;</ETag></PostResponse>"
    )


@pytest.mark.parametrize(("value", "status"), [("200", 200), ("204", 204), ("404", 204), ("", 204)])
def test_other_states(value: str, status: int) -> None:
    rig, client = started()
    client.says(post(forms.body(fields({"success_action_status": value}), DATA)))
    rig.target.says(STORED)
    answer = one(client, b"POST")
    assert (answer.status, answer.body) == (status, b"")


@pytest.mark.parametrize("name", ["success_action_redirect", "redirect"])
@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://x.test/done", "http://x.test/done?"),
        ("https://x.test/done?a=b#part", "https://x.test/done?a=b&"),
    ],
)
def test_a_redirect(name: str, url: str, location: str) -> None:
    rig, client = started()
    client.says(post(forms.body(fields({name: url}), DATA)))
    rig.target.says(STORED)
    answer = one(client, b"POST")
    assert answer.status == 303
    tail = "#part" if "#" in url else ""
    query = "bucket=b-b&key=k%2Fa%20b&etag=%22abc%22"
    assert answer.fields["location"] == f"{location}{query}{tail}"


@pytest.mark.parametrize(
    "url", ["", "/done", "javascript:alert(1)", "http://", "http://x\r\nSet-Cookie: a", "http://ä/"]
)
def test_what_is_no_url_is_not_followed(url: str) -> None:
    rig, client = started()
    client.says(post(forms.body(fields({"success_action_redirect": url}), DATA)))
    rig.target.says(STORED)
    answer = one(client, b"POST")
    assert answer.status == 204
    assert "set-cookie" not in answer.fields


def test_an_error_of_the_target_is_passed_on_and_never_redirects() -> None:
    rig, client = started()
    named = {"success_action_redirect": "http://x.test/"}
    client.says(post(forms.body(fields(named), DATA)))
    rig.target.says(ok(b"<Error><Code>NoSuchBucket</Code></Error>", status="404 Not Found"))
    answer = one(client, b"POST")
    assert (answer.status, answer.code) == (404, "NoSuchBucket")


def test_where_the_bucket_is_does_not_matter_once_the_file_is_stored() -> None:
    rig, client = started()
    client.says(post(forms.body(fields(), DATA)))
    rig.target.says(ok(b"", 'ETag: "abc"', "x-amz-bucket-region: eu-west-1"))
    assert one(client, b"POST").status == 204


def test_a_document_behind_a_stored_file_is_not_passed_on() -> None:
    rig, client = started()
    form = post(forms.body(fields(), DATA))
    client.says(form)
    rig.target.says(ok(b"<Stored/>" * 20000, 'ETag: "abc"'))
    assert (one(client, b"POST").status, one(client, b"POST").body) == (204, b"")
    client.take()
    client.says(form)
    rig.target.says(STORED)
    assert one(client, b"POST").status == 204
    assert not rig.defects


def test_a_refusal_of_the_gateway_s_signature_is_hidden() -> None:
    rig, client = started()
    client.says(post(forms.body(fields(), DATA)))
    document = b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
    rig.target.says(ok(document, status="403 Forbidden"))
    assert one(client, b"POST").code == "ServiceUnavailable"


def test_a_target_that_says_stored_before_it_was_is_not_believed() -> None:
    rig, client = started(**STREAMED)
    whole = post(forms.body(fields(), BIG))
    client.says(whole[: len(whole) // 2])
    rig.target.says(STORED)
    assert one(client, b"POST").status == 503
    assert not rig.defects


# --- who may ---


def test_what_the_caller_may_not_do() -> None:
    identity = {
        "name": "client",
        "keys": [{"access_key_id": KEY[0], "secret_access_key": KEY[1]}],
        "targets": None,
        "allow": [{"buckets": ["b-*"], "operations": ["PostObject", "GetObject"]}],
        "credentials": {},
        "show_decisions": False,
    }
    request = post(forms.body(fields(), DATA))
    assert refused(request, identities=[identity]) == "403 AccessDenied: Access Denied"
    identity["allow"] = [{"buckets": ["b-*"], "operations": ["PutObject"]}]
    rig, client = started(identities=[identity])
    client.says(request)
    assert upstream(rig)[2] == DATA


def test_a_form_is_routed_as_the_put_that_it_means() -> None:
    rule = Rule(1, 1, "*", "generic", frozenset({"PutObject"}), ("client",))
    rig, client = started(rules=[rule])
    client.says(post(forms.body(fields(), DATA)))
    assert upstream(rig)[1]["host"] == "generic.test:9000"


def test_a_form_nobody_signed() -> None:
    form = post(forms.body({"key": "k"}, DATA))
    assert refused(form) == "403 AccessDenied: Access Denied"
    rig, client = started(anonymous="forward")
    client.says(form)
    assert upstream(rig)[2] == DATA
    assert "authorization" not in upstream(rig)[1]
    rig, client = started(mode="open")
    client.says(form)
    assert "authorization" in upstream(rig)[1]


def test_a_lakefs_target_takes_forms_but_not_nobody_s() -> None:
    rig, client = started(profile="lakefs")
    client.says(post(forms.body(fields(), DATA)))
    assert upstream(rig)[2] == DATA
    form = post(forms.body({"key": "k"}, DATA))
    assert refused(form, profile="lakefs", anonymous="forward").startswith("403 AccessDenied")


@pytest.mark.parametrize("lines", ["Authorization: Basic eDp5\r\n"])
def test_a_second_signature(lines: str) -> None:
    answer = refused(post(forms.body(fields(), DATA), lines=lines))
    assert answer.startswith("400 InvalidArgument: Only one auth mechanism allowed")
    answer = refused(post(forms.body(fields(), DATA), path="/b-b?X-Amz-Signature=a"))
    assert answer.startswith("400 InvalidArgument: Only one auth mechanism allowed")


# --- what is checked of the file ---


def test_checksums_in_the_form_are_verified() -> None:
    right = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"else").digest()).decode()
    for data in (DATA, BIG):
        right = base64.b64encode(hashlib.sha256(data).digest()).decode()
        rig, client = started(profile="generic")
        client.says(post(forms.body(fields({"x-amz-checksum-sha256": right}), data)))
        assert upstream(rig)[2] == data
    for name, value, code in (
        ("x-amz-checksum-sha256", wrong, "BadDigest"),
        ("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"),
        ("Content-MD5", "short", "InvalidDigest"),
    ):
        form = post(forms.body(fields({name: value}), DATA))
        assert refused(form, profile="generic").startswith(f"400 {code}")


def test_a_checksum_that_the_target_does_not_keep_is_verified_and_stays_here() -> None:
    """P1: of a form as of an upload."""
    rig, client = started(profile="seaweedfs")
    extra = {"x-amz-checksum-sha512": checksum("sha512", DATA)}
    client.says(post(forms.body(fields(extra), DATA)))
    _, headers, body = upstream(rig)
    assert (body, "x-amz-checksum-sha512" in headers) == (DATA, False)
    wrong = {"x-amz-checksum-sha512": checksum("sha512", b"other")}
    assert refused(post(forms.body(fields(wrong), DATA)), profile="seaweedfs").startswith(
        "400 BadDigest"
    )


def test_a_wrong_checksum_of_a_long_file_never_completes() -> None:
    wrong = base64.b64encode(hashlib.sha256(b"else").digest()).decode()
    rig, client = started(profile="generic")
    whole = post(forms.body(fields({"x-amz-checksum-sha256": wrong}), BIG))
    client.says(whole[:-400000], whole[-400000:])
    assert one(client, b"POST").code == "BadDigest"
    assert len(upstream(rig)[2]) < len(BIG)
    assert rig.target.aborted


BOUNDS = [
    (len(DATA), len(DATA), ""),
    (0, len(DATA) - 1, "400 EntityTooLarge: Your proposed upload exceeds the maximum allowed size"),
    (
        len(DATA) + 1,
        10**6,
        "400 EntityTooSmall: Your proposed upload is smaller than the minimum allowed size",
    ),
]


@pytest.mark.parametrize(("least", "most", "error"), BOUNDS)
def test_the_size(least: int, most: int, error: str) -> None:
    form = post(forms.body(fields(None, ["content-length-range", least, most]), DATA))
    if error:
        assert refused(form) == error
    else:
        rig, client = started()
        client.says(form)
        assert upstream(rig)[2] == DATA


def test_the_size_of_a_long_file_is_known_before_it_came() -> None:
    form = post(forms.body(fields(None, ["content-length-range", 0, 300000]), BIG))
    assert refused(form[:30000], **STREAMED).startswith("400 EntityTooLarge")


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole[:-2] + b"\r\r",
        lambda whole: whole[:-1] + b"-",
        lambda whole: whole.replace(b"\x00\x01\x02", b"\r\n--" + BOUNDARY.encode(), 1)[
            : len(whole)
        ],
        lambda whole: whole[:-10] + b"x" + whole[-9:],
    ],
    ids=["no-lf", "no-crlf", "boundary-inside", "torn-boundary"],
)
def test_a_long_form_that_does_not_end_as_it_must_never_completes(change: Any) -> None:
    content = change(forms.body(fields(), BIG))
    rig, client = started(**STREAMED)
    whole = post(content)
    client.says(*[whole[at : at + 50000] for at in range(0, len(whole), 50000)])
    answer = one(client, b"POST")
    assert (answer.status, answer.code) == (400, "MalformedPOSTRequest")
    assert len(upstream(rig)[2]) < len(BIG)
    assert rig.target.aborted
    assert not rig.defects


def test_a_field_behind_a_long_file_is_refused_and_not_stored() -> None:
    content = forms.body(fields(), BIG, behind=field("submit", b"Upload"))
    rig, client = started(**STREAMED)
    whole = post(content)
    client.says(*[whole[at : at + 50000] for at in range(0, len(whole), 50000)])
    assert b"the file must be the last field" in one(client, b"POST").body
    assert rig.target.aborted
