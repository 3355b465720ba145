"""Other documents, errors and header lines come down with the client's names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.errors import NO_SUCH_KEY, NO_SUCH_UPLOAD, S3Error
from fastpath.http.head import parse_response_head
from fastpath.renaming.answers import (
    RenamedDocument,
    RenamedDocuments,
    RenamedHeaders,
    error_for_client,
)
from fastpath.renaming.names import Source
from fastpath.response.filters import Buffer, HeadChange
from fastpath.routing.rewrite import Rewrite
from fastpath.s3.operations import METHODS, MethodNotAllowed
from fastpath.s3.xml_writer import DECLARATION, element
from tests.unit.fastpath.renaming.sides import (
    HOSTILE,
    MOVED,
    NEW,
    OLD,
    REWRITE,
    Ids,
    Side,
    client_side,
    names_of,
    rename,
    rewriter,
    root,
    target_side,
)

UPLOAD = (b"client's&id", b"target's<id")


def created(side: Side, key: str) -> bytes:
    return root(
        "InitiateMultipartUploadResult",
        element("Bucket", side.bucket),
        side.key("Key", key),
        element("UploadId", side.upload_id("new", key)),
    )


def parts(side: Side, key: str) -> bytes:
    upload_id = UPLOAD[0] if side.bucket == OLD.decode() else UPLOAD[1]
    return root(
        "ListPartsResult",
        element("Bucket", side.bucket),
        side.key("Key", key),
        element("UploadId", upload_id.decode()),
        "<Part><PartNumber>1</PartNumber></Part>",
    )


def completed(side: Side, key: str) -> bytes:
    return root(
        "CompleteMultipartUploadResult",
        "<Location>http://main/lakefs-new</Location>",
        element("Bucket", side.bucket),
        side.key("Key", key),
        '<ETag>"1-1"</ETag>',
    )


def deleted(side: Side, key: str) -> bytes:
    inner = side.key("Key", key) + element("VersionId", "main/v")
    return root(
        "DeleteResult",
        f"<Deleted>{inner}</Deleted>",
        f"<Error>{inner}<Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    )


def annotated(side: Side, key: str) -> bytes:
    return root("ListObjectAnnotationsResult", element("Bucket", side.bucket), side.key("Key", key))


WRITERS: dict[str, Callable[[Side, str], bytes]] = {
    "CreateMultipartUpload": created,
    "ListParts": parts,
    "CompleteMultipartUpload": completed,
    "DeleteObjects": deleted,
    "ListObjectAnnotations": annotated,
}


@pytest.mark.parametrize("rewrite", [REWRITE, MOVED, Rewrite(NEW)])
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("operation", WRITERS)
def test_every_name_in_a_document_is_the_clients(
    operation: str, name: str, rewrite: Rewrite
) -> None:
    key = rewrite.strip_prefix.decode() + name
    names = names_of(key.encode(), rewrite, UPLOAD)
    write = WRITERS[operation]
    renamed = rename(write(target_side(rewrite), key), operation, names)
    assert renamed == write(client_side(), key)


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "ListParts"])
def test_an_upload_has_the_clients_id_where_no_name_is_rewritten(operation: str) -> None:
    names = names_of(b"k", Rewrite(), UPLOAD)
    write = WRITERS[operation]
    target = write(replace(target_side(Rewrite()), bucket="b"), "k")
    client = write(client_side(), "k").replace(OLD, b"b")
    assert rename(target, operation, names) == client


@pytest.mark.parametrize(
    ("operation", "status"),
    [("GetObject", 200), ("UploadPart", 200), ("HeadObject", 404), ("GetObject", 304)],
)
def test_a_body_without_names_is_relayed(operation: str, status: int) -> None:
    """So that it can be spliced."""
    assert rewriter(operation, names_of(b"k"), status=status) is None


@pytest.mark.parametrize("operation", ["CopyObject", "CompleteMultipartUpload", "ListObjectsV2"])
def test_without_a_rewrite_only_uploads_are_read(operation: str) -> None:
    assert rewriter(operation, names_of(b"k", Rewrite())) is None
    assert rewriter(operation, names_of(b"k", Rewrite()), status=404) is None
    read = rewriter("CompleteMultipartUpload", names_of(b"k", Rewrite(), UPLOAD))
    assert read is not None


def test_a_response_without_a_body_is_not_read() -> None:
    head = parse_response_head(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    assert RenamedDocuments("GetObject", names_of(b"k"), (), ()).head(head) is None


# --- white space before a slow document ---


def test_the_declaration_of_a_slow_document_is_sent_though_it_comes_in_pieces() -> None:
    step = rewriter("CompleteMultipartUpload", names_of(b"k"))
    assert step is not None
    sent = [step.feed(piece) for piece in (b"\n", b"<", b"?xml version=", b"'1.0'?>", b" ", b"<a/")]
    assert sent == [b"\n", b"", b"", b"<?xml version='1.0'?>", b" ", b""]


@given(st.data())
def test_what_stands_before_a_slow_document_is_sent_at_once(data: st.DataObject) -> None:
    """A target keeps the connection open with it; the document after it comes whole."""
    names = names_of(b"k")
    step = rewriter("CompleteMultipartUpload", names)
    assert step is not None
    blank = data.draw(st.text(" \n\r", max_size=4)).encode()
    prolog = data.draw(st.sampled_from([b"", DECLARATION.encode()])) + blank
    whole = prolog + completed(target_side(REWRITE), "k").removeprefix(DECLARATION.encode())
    out = b""
    rest = whole
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        out += step.feed(rest[:size])
        rest = rest[size:]
        fed = len(whole) - len(rest)
        if fed == len(prolog):
            assert out == prolog
        assert len(out) <= len(prolog)
    out += step.finish()
    expected = completed(client_side(), "k").removeprefix(DECLARATION.encode())
    assert out == prolog + expected


def test_nothing_of_another_document_is_sent_before_it_is_whole() -> None:
    step = rewriter("ListObjectsV2", names_of())
    assert step is not None
    assert step.feed(DECLARATION.encode()) == b""


# --- errors ---


def error(*inner: str, declaration: str = DECLARATION) -> bytes:
    return f"{declaration}<Error><Code>C</Code>{''.join(inner)}<HostId>h</HostId></Error>".encode()


@pytest.mark.parametrize(
    ("target", "client"),
    [
        (element("Key", "main/a&b"), element("Key", "a&b")),
        (element("Key", "main/source"), element("Key", "from")),
        (element("Key", "main/another"), element("Key", "another")),
        (element("Key", "elsewhere"), element("Key", "a&b")),
        (element("BucketName", "lakefs-new"), element("BucketName", "old-bucket")),
        (element("Bucket", "lakefs-other"), element("Bucket", "old-bucket")),
        (element("Bucket", "lakefs-source"), element("Bucket", "source-bucket")),
        (element("UploadId", "target's<id"), element("UploadId", "client's&id")),
        (element("Prefix", "main/p"), element("Prefix", "p")),
        (element("Resource", "/lakefs-new/main/a&b"), element("Resource", "/old-bucket/a&b")),
        (element("Resource", "/lakefs-new/main/a%26b"), element("Resource", "/old-bucket/a%26b")),
        (
            element("Resource", "/lakefs-source/main/source"),
            element("Resource", "/source-bucket/from"),
        ),
        (element("Resource", "/lakefs-new"), element("Resource", "/old-bucket")),
        (element("Resource", "/main/a&b"), element("Resource", "/a&b")),
        (element("Resource", "x/lakefs-new?"), element("Resource", "/old-bucket/a&b")),
        (
            element("ArgumentValue", "lakefs-new/main/a&b"),
            element("ArgumentValue", "old-bucket/a&b"),
        ),
        (element("ArgumentValue", "main/p"), element("ArgumentValue", "p")),
        (element("Endpoint", "lakefs-new.s3.eu"), element("Endpoint", "old-bucket.s3.eu")),
        (
            element("Message", 'on resource: "arn:aws:s3:::lakefs-new/main/a&b" because'),
            element("Message", 'on resource: "arn:aws:s3:::old-bucket/a&b" because'),
        ),
        (element("Message", "no 'lakefs-new'"), element("Message", "no 'old-bucket'")),
        (element("Message", "upload target's<id"), element("Message", "upload client's&id")),
        (element("Region", "main/"), element("Region", "main/")),
        ("<Size>1</Size><Key/>", "<Size>1</Size><Key/>"),
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_an_error_has_the_clients_names(target: str, client: str, status: int) -> None:
    names = replace(
        names_of(b"a&b", upload=UPLOAD),
        source=Source(b"source-bucket", b"from", b"lakefs-source", b"main/source"),
    )
    query, upstream = [(b"prefix", b"p")], [(b"prefix", b"main/p")]
    for declaration in ("", DECLARATION, "\n\n"):
        renamed = rename(
            error(target, declaration=declaration), "CopyObject", names, query, upstream, status
        )
        assert renamed == error(client, declaration=declaration)


def test_an_error_keeps_what_it_says_of_the_client() -> None:
    names = replace(names_of(b"a"), source=Source(b"s", b"from", b"t", b"main/from"))
    for key in ("a", "from"):
        document = error(element("Key", key))
        assert rename(document, "GetObject", names, status=404) == document


def test_errors_of_other_services_are_renamed_too() -> None:
    document = b"<ErrorResponse><Error><Key>main/a</Key></Error></ErrorResponse>"
    renamed = rename(document, "GetObject", names_of(b"a"), status=403)
    assert renamed == b"<ErrorResponse><Error><Key>a</Key></Error></ErrorResponse>"


@pytest.mark.parametrize("document", [b'{"Code": "C"}', b"<html><p>nginx", b"", b" "])
def test_an_error_that_is_no_document_of_s3_passes_if_it_names_nothing(document: bytes) -> None:
    assert rename(document, "GetObject", names_of(b"a"), status=502) == document


@pytest.mark.parametrize(
    "document",
    [
        b'{"Key": "main/a"}',
        b'{"Bucket": "lakefs-new"}',
        b"<Error><Key>main/a</Key>",
        b"<!DOCTYPE x><Error><Key>main/a</Key></Error>",
        b"<html><p>no /lakefs-new/main/a</p></html>",
        "<Error><Key>main/a</Key></Error>".encode("utf-16"),
    ],
)
def test_an_error_that_names_the_targets_in_another_form_is_refused(document: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        rename(document, "GetObject", names_of(b"a"), status=404)
    assert caught.value.kind.status == 503
    assert "main/" not in caught.value.note


@pytest.mark.parametrize(
    ("message", "renamed"),
    [
        ("cannot delete lakefs-new/main/a", "cannot delete old-bucket/a"),
        ("no 'lakefs-new': main/a", "no 'old-bucket': a"),
        ("Access Denied", "Access Denied"),
    ],
)
def test_a_message_about_one_key_of_a_batch_is_renamed(message: str, renamed: str) -> None:
    def document(key: str, text: str) -> bytes:
        names = element("Key", key), element("Code", "C"), element("Message", text)
        return root("DeleteResult", "<Error>", *names, "</Error>")

    found = rename(document("main/a", message), "DeleteObjects", names_of())
    assert found == document("a", renamed)


def test_errors_of_keys_without_a_name_are_added_to_a_batch() -> None:
    entry = "<Error><Key>x</Key></Error>"
    for document, renamed in (
        ("<DeleteResult/>", f"<DeleteResult>{entry}</DeleteResult>"),
        ('<DeleteResult a="&gt;" />\n', f'<DeleteResult a="&gt;" >{entry}</DeleteResult>\n'),
        (
            "<s:DeleteResult xmlns:s='u'><Deleted><Key>main/a</Key></Deleted>"
            "</s:DeleteResult ><!--</-->",
            "<s:DeleteResult xmlns:s='u'><Deleted><Key>a</Key></Deleted>"
            f"{entry}</s:DeleteResult ><!--</-->",
        ),
    ):
        step = rewriter("DeleteObjects", names_of(), more_errors=lambda: entry)
        assert step is not None
        assert step.feed(document.encode()) == b""
        assert step.finish().decode() == renamed


def test_an_error_made_below_gets_the_clients_names() -> None:
    names = names_of(b"a", upload=UPLOAD)
    for made, extras in (
        (S3Error(NO_SUCH_KEY, ("Key", "main/a")), (("Key", "a"),)),
        (S3Error(NO_SUCH_KEY, ("Key", "other")), (("Key", "other"),)),
        (S3Error(NO_SUCH_UPLOAD, ("UploadId", "target's<id")), (("UploadId", "client's&id"),)),
        (S3Error(NO_SUCH_KEY, ("BucketName", "lakefs-new")), (("BucketName", "old-bucket"),)),
        (S3Error(NO_SUCH_KEY, ("Size", "main/a")), (("Size", "main/a"),)),
    ):
        assert error_for_client(made, names) is made
        assert made.extras == extras
    moved = error_for_client(MethodNotAllowed(b"PUT", "OBJECT", "GET"), names)
    assert isinstance(moved, MethodNotAllowed)
    assert b"PUT" in METHODS


# --- header lines ---


@pytest.mark.parametrize(
    ("status", "line", "renamed"),
    [
        (200, b"Location: /lakefs-new", b"/old-bucket"),
        (200, b"Location: /lakefs-new/", b"/old-bucket"),
        (200, b"Location: /another", None),
        (200, b"x-amz-bucket-arn: arn:aws:s3:::lakefs-new", b"arn:aws:s3:::old-bucket"),
        (200, b"x-amz-bucket-arn: arn:aws:s3express:r:1:bucket/x", None),
        (307, b"Location: https://lakefs-new.s3.eu/main/a", None),
    ],
)
def test_a_header_names_the_clients_bucket_or_is_dropped(
    status: int, line: bytes, renamed: bytes | None
) -> None:
    head = parse_response_head(
        b"HTTP/1.1 %d OK\r\n%b\r\nContent-Length: 0\r\n\r\n" % (status, line)
    )
    change = RenamedHeaders(names_of()).head(head)
    assert isinstance(change, HeadChange)
    name = line.partition(b":")[0]
    assert list(change.drop) == [name.lower()]
    assert list(change.add) == ([(name, renamed)] if renamed else [])


@pytest.mark.parametrize("line", [b"Location: http://gateway/old-bucket", b"ETag: x"])
def test_other_headers_stay(line: bytes) -> None:
    head = parse_response_head(b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: 0\r\n\r\n" % line)
    assert RenamedHeaders(names_of()).head(head) is None


def test_without_a_rewrite_every_header_stays() -> None:
    head = parse_response_head(b"HTTP/1.1 200 OK\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")
    names = replace(names_of(rewrite=Rewrite()), upload_ids=Ids())
    assert RenamedHeaders(names).head(head) is None


def test_an_error_without_a_name_of_the_targets_passes_as_it_came() -> None:
    head = parse_response_head(
        b"HTTP/1.1 404 No\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n"
    )
    documents = RenamedDocuments("GetObject", names_of(b"k"), (), ())
    assert isinstance(documents.head(head), Buffer)
    assert documents.whole(b"<html>no</html>", complete=True) is None
    renamed = documents.whole(b"<Error><Key>main/k</Key></Error>", complete=True)
    assert isinstance(renamed, RenamedDocument)


def test_the_marker_of_a_list_of_uploads_is_that_of_the_row_with_its_id() -> None:
    """SeaweedFS may leave NextKeyMarker out."""
    document = (
        b"<ListMultipartUploadsResult><Upload><Key>main/a</Key><UploadId>one</UploadId></Upload>"
        b"<NextUploadIdMarker>one</NextUploadIdMarker></ListMultipartUploadsResult>"
    )
    found = rename(document, "ListMultipartUploads", names_of())
    assert found.count(Ids().seal(b"one", b"a")) == 2
