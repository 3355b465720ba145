"""A raw `+`: what it means in each place that S3 decodes, and that it never goes up as it is."""

from __future__ import annotations

import hashlib
import hmac
import time

import pytest

from fastpath.errors import S3Error
from fastpath.http.head import RequestHead, parse_request_head
from fastpath.http.query import parse_query
from fastpath.limits import Limits
from fastpath.request.admitted import Admitted
from fastpath.request.upstream_head import upstream_head
from fastpath.routing.snapshot import load_snapshot
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.verify import authenticate
from tests.corpus import sigv2
from tests.doubles.admitted import admitted_of
from tests.doubles.rules import Rewriting, Rule
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import KEY, TARGET_KEY, document

HOST = "gateway.test:8080"
TARGET = Identity("target", TARGET_KEY[0].encode(), TARGET_KEY[1].encode())


def signed(target: str, canonical: str, *, method: str = "GET", **headers: str) -> bytes:
    """A request for `target`, signed with SigV4 over the canonical path and query given."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    fields = {"host": HOST, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": stamp}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    names = ";".join(sorted(fields))
    lines = "".join(f"{name}:{fields[name]}\n" for name in sorted(fields))
    path, _, query = canonical.partition("?")
    text = f"{method}\n{path}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(text.encode()).hexdigest()
    key = b"AWS4" + KEY[1].encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"):
        key = hmac.digest(key, part.encode(), "sha256")
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={KEY[0]}/{scope},SignedHeaders={names},Signature={key.hex()}"
    )
    sent = {**fields, "authorization": authorization, "content-length": "0"}
    head = "\r\n".join(f"{name}: {value}" for name, value in sent.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n\r\n".encode()


def forwarded(raw: bytes, **options: object) -> tuple[Admitted, RequestHead]:
    """What is decided, and the head as the target gets it; its signature is good there."""
    snapshot = load_snapshot(1, document(**{"mode": "sigv4", **options}))  # type: ignore[arg-type]
    head, now = parse_request_head(raw, Limits()), time.time()
    admitted = admitted_of(head, snapshot, now)
    sent = parse_request_head(upstream_head(raw, head, admitted, b"rig", now), Limits())
    # Nothing goes up that a target could read in two ways.
    assert b"+" not in sent.target
    authenticate(sent, parse_query(sent.query), {TARGET.access_key_id: TARGET}, now)
    return admitted, sent


def refusal(raw: bytes) -> S3Error:
    with pytest.raises(S3Error) as caught:
        forwarded(raw)
    return caught.value


LIST = "/b-b?list-type=2&prefix=my+folder%2F"


def test_in_a_query_it_is_a_space() -> None:
    """C2: as clients that encode like forms sign it, and as S3 reads it."""
    _, sent = forwarded(signed(LIST, "/b-b?list-type=2&prefix=my%20folder%2F"))
    assert sent.query == b"list-type=2&prefix=my%20folder%2F"


def test_in_a_query_it_is_no_plus() -> None:
    """C3: 403 for the client, instead of a refusal by the store that looks like the gateway's."""
    error = refusal(signed(LIST, "/b-b?list-type=2&prefix=my%2Bfolder%2F"))
    assert (error.kind.status, error.kind.code) == (403, "SignatureDoesNotMatch")


def test_an_escaped_plus_in_a_query_stays() -> None:
    """C2: `%2B` means a plus everywhere."""
    _, sent = forwarded(signed("/b-b?prefix=a%2Bb", "/b-b?prefix=a%2Bb"))
    assert sent.query == b"prefix=a%2Bb"


@pytest.mark.parametrize(
    ("target", "canonical", "key", "path"),
    [
        ("/b-b/a+b", "/b-b/a%2Bb", b"a+b", b"/b-b/a%2Bb"),
        ("/b-b/a+b", "/b-b/a%20b", b"a b", b"/b-b/a%20b"),
        ("/b-b/a+b%2Bc", "/b-b/a%2Bb%2Bc", b"a+b+c", b"/b-b/a%2Bb%2Bc"),
        ("/b-b/a+b%2Bc", "/b-b/a%20b%2Bc", b"a b+c", b"/b-b/a%20b%2Bc"),
        ("/b-b/a%2Bb", "/b-b/a%2Bb", b"a+b", b"/b-b/a%2Bb"),
    ],
)
def test_in_a_path_it_is_what_was_signed(
    target: str, canonical: str, key: bytes, path: bytes
) -> None:
    """C2: the reading that verifies is the key that is decided about, logged and sent up."""
    admitted, sent = forwarded(signed(target, canonical))
    assert (admitted.address.key, sent.path) == (key, path)


@pytest.mark.parametrize("canonical", ["/b-b/a%20b+c", "/b-b/a%20b%2Bc", "/b-b/other"])
def test_one_reading_for_a_whole_path(canonical: str) -> None:
    """C2: each plus of a path means the same; anything else is a bad signature."""
    assert refusal(signed("/b-b/a+b+c", canonical)).kind.code == "SignatureDoesNotMatch"


def test_in_a_path_of_a_bucket_s_own_host() -> None:
    """C2: the same."""
    raw = signed("/a+b", "/a%20b", host="b-b.gateway.test")
    _, sent = forwarded(raw, domains=["gateway.test"], virtual=True)
    assert (sent.path, sent.fields[b"host"]) == (b"/a%20b", b"b-b.first.test:9000")


def test_in_a_path_that_nobody_signed() -> None:
    """C2: a plus, and it goes up escaped."""
    raw = b"GET /b-b/a+b?prefix=c+d HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
    admitted, sent = forwarded(raw, mode="open")
    assert admitted.address.key == b"a+b"
    assert sent.target == b"/b-b/a%2Bb?prefix=c%20d"


def test_in_a_path_signed_with_sigv2() -> None:
    """C2: SigV2 signs the path as it is, so that it does not tell; a plus."""
    recipe = sigv2.Recipe(path="/b-b/a+b", resource="/b-b/a+b", access_key_id=KEY[0], secret=KEY[1])
    raw = sigv2.Case("", "", recipe, {}).render(HOST, time.time())[0]
    admitted, sent = forwarded(raw)
    assert (admitted.address.key, sent.path) == (b"a+b", b"/b-b/a%2Bb")


@pytest.mark.parametrize(
    ("source", "up"),
    [
        ("/b-b/a+b", b"/b-b/a%20b"),
        ("b-b/a+b%2Bc?versionId=x+y", b"b-b/a%20b%2Bc?versionId=x+y"),
        ("b-b/a%2Bb", b"b-b/a%2Bb"),
    ],
)
@pytest.mark.parametrize("target", ["/b-b/k", with_sealed_id("/b-b/k?partNumber=1&uploadId=u")])
def test_in_a_copy_source_it_is_a_space(source: str, up: bytes, target: str) -> None:
    """C2: as S3 reads it (rclone escapes a plus for that reason); the line goes up once."""
    raw = signed(target, target, method="PUT", x_amz_copy_source=source)
    _, sent = forwarded(raw)
    assert [value for name, value in sent.headers if name == b"x-amz-copy-source"] == [up]


@pytest.mark.parametrize(
    ("rewrite", "up"),
    [(Rewriting("new-b", "p/"), b"/new-b/p/a%20b?versionId=a+b"), (Rewriting("b-b"), None)],
)
def test_in_a_copy_source_that_is_renamed(rewrite: Rewriting, up: bytes | None) -> None:
    """A target that read it as a plus would copy another object."""
    source = "/b-b/a+b?versionId=a+b"
    raw = signed("/b-b/k", "/b-b/k", method="PUT", x_amz_copy_source=source)
    _, sent = forwarded(raw, rules=(Rule(1, 1, "b-b", "first", rewrite=rewrite),))
    values = [value for name, value in sent.headers if name == b"x-amz-copy-source"]
    assert values == [up or b"/b-b/a%20b?versionId=a+b"]


def test_in_a_copy_source_for_lakefs() -> None:
    """C2: what the dialect sees is what every other target gets."""
    raw = signed("/b-b/main/k", "/b-b/main/k", method="PUT", x_amz_copy_source="/b-b/main/a+b")
    _, sent = forwarded(raw, profile="lakefs")
    values = [value for name, value in sent.headers if name == b"x-amz-copy-source"]
    assert values == [b"/b-b/main/a%20b"]


def test_two_copy_sources_stay_refused() -> None:
    """C2: however they are written."""
    line = b"x-amz-copy-source: b-b/a+b\r\n"
    raw = b"PUT /b-b/k HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n" + line * 2 + b"\r\n"
    with pytest.raises(S3Error) as caught:
        forwarded(raw, mode="open")
    assert caught.value.kind.code == "InvalidArgument"
