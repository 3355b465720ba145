"""Whatever is asked of lakeFS: it is refused with an error of S3, or goes up unambiguous."""

from __future__ import annotations

import re
from urllib.parse import quote_from_bytes, unquote_plus, unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st

from fastpath.dialects.lakefs import OPERATIONS, translate
from fastpath.dialects.translation import ClientRequest, Translation
from fastpath.errors import S3Error
from fastpath.routing.profiles import PROFILES
from fastpath.s3.addressing import Address, locate_copy_source

ALLOWED = PROFILES["lakefs"].operations or frozenset()
NAMES = (
    b"uploads uploadId partNumber prefix marker max-keys delimiter continuation-token start-after "
    b"response-expires response-content-type x-id versionId location versioning delete"
).split()
LINES = (
    b"range if-range if-match if-none-match if-modified-since user-agent x-forwarded-for "
    b"x-amz-acl x-amz-meta-a x-amz-metadata-directive content-type content-encoding"
).split()

# Signs that mean something in a URL, in a form, or to lakeFS.
texts = st.text("ab1+ %;&=?/~.\n\u00e9", max_size=12).map(str.encode)
keys = st.tuples(st.sampled_from([b"main/k", b"main/", b"dev/", b"", b"v1.0/"]), texts).map(
    b"".join
)
queries = st.lists(st.tuples(st.sampled_from(NAMES), texts | st.just(b"1")), max_size=6)
headers = st.lists(
    st.tuples(st.sampled_from(LINES), st.text(" -~é", max_size=20).map(str.encode)), max_size=6
)


def asked(
    operation: str,
    bucket: bytes,
    key: bytes,
    query: list[tuple[bytes, bytes]],
    lines: list[tuple[bytes, bytes]],
) -> ClientRequest:
    fields: dict[bytes, bytes] = {}
    for name, value in lines:
        fields[name] = fields[name] + b"," + value if name in fields else value
    upstream = Address(bucket, key, True, quote_from_bytes(b"/" + bucket + b"/" + key).encode())
    return ClientRequest(operation, bucket, key, upstream, query, fields, lines, b"us-east-1")


def translated(one: ClientRequest) -> Translation | None:
    try:
        return translate(one)
    except S3Error:
        return None


@given(st.sampled_from(sorted(ALLOWED)), texts, keys, queries, headers)
def test_a_request_goes_up_unambiguous(
    operation: str,
    upload: bytes,
    key: bytes,
    query: list[tuple[bytes, bytes]],
    lines: list[tuple[bytes, bytes]],
) -> None:
    source = [(b"x-amz-copy-source", b"/repo/main/k")] if "Copy" in operation else []
    query = [*query, (b"uploadId", upload)]
    found = translated(asked(operation, b"repo", key, query, [*lines, *source]))
    if found is None:
        return
    assert found.query is not None
    assert re.fullmatch(rb"[A-Za-z0-9._~=&%-]*", found.query)
    names = [pair.partition(b"=")[0] for pair in found.query.split(b"&") if pair]
    assert len(set(names)) == len(names)
    exchanged = {name for name, _ in found.add}
    assert not (set(found.drop) - exchanged) & {b"content-type", b"content-length", b"host"}
    assert not exchanged & {b"content-length", b"host"}
    assert len({name for name, _ in found.add}) == len(found.add)


@given(texts | st.binary(max_size=20), st.booleans())
def test_a_copy_source_means_to_lakefs_what_it_meant(path: bytes, raw: bool) -> None:
    """lakeFS decodes it as a form: the other way round than S3 for a `+`."""
    sent = b"/repo/main/" + (path if raw else quote_from_bytes(path, safe="+/").encode())
    one = asked("CopyObject", b"repo", b"main/to", [], [(b"x-amz-copy-source", sent)])
    found = translated(one)
    if found is None:
        return
    ((_, up),) = found.add
    bucket, key = locate_copy_source(sent)
    read = unquote_plus(up.decode("ascii"), errors="surrogateescape")
    assert read.encode("utf-8", "surrogateescape") == b"/" + bucket + b"/" + key
    assert unquote_to_bytes(up) == b"/" + bucket + b"/" + key


def test_every_operation_that_lakefs_has_is_translated() -> None:
    assert set(OPERATIONS) <= ALLOWED
    assert {"GetBucketLocation", "GetBucketVersioning"} == ALLOWED - set(OPERATIONS)
