"""Owns the list of parsers that are fuzzed, each as a function of bytes.

Rules: a harness returns when its parser took the bytes or refused them as it may (`REFUSALS`), and
lets every other exception through; where bytes may come in pieces, it also reads them in pieces,
and AssertionError says that something else came of that. A new parser is one line of `HARNESSES`,
and a directory of inputs below `tests/corpus/fuzz`.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from fastpath.composed.delete_results import failure_of, read_rows, rows_of, write_result
from fastpath.custom.answer import RouterFailed, read_answer
from fastpath.custom.messages import MessageFault, MessageReader
from fastpath.dialects.lakefs.list_answers import ListAnswer
from fastpath.dialects.lakefs.list_requests import read_listing
from fastpath.errors import S3Error
from fastpath.forms.policy import check_policy
from fastpath.forms.reader import FormReader
from fastpath.http.forwarded_for import TrustedProxies
from fastpath.http.framing import ChunkedReader
from fastpath.http.head import HeadBuffer, ResponseFault, parse_request_head, parse_response_head
from fastpath.http.query import parse_query, presigned_headers, upstream_query
from fastpath.limits import Limits
from fastpath.payload.body_checks import Check
from fastpath.payload.chunks import ChunkParser
from fastpath.payload.completed_parts import CompletedParts
from fastpath.payload.delete_batch import DeleteBatch
from fastpath.payload.delete_keys import DeleteKeysCheck
from fastpath.payload.filters import StreamedBody
from fastpath.payload.framers import PlainFramer
from fastpath.payload.trailers import Trailers
from fastpath.renaming.answers import RenamedDocument, RenamedDocuments
from fastpath.renaming.members import DOCUMENTS
from fastpath.renaming.names import Names
from fastpath.renaming.queries import upstream_query as renamed_query
from fastpath.response.filters import Buffer
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.sealed_ids import Sealer
from fastpath.s3.addressing import locate
from fastpath.s3.error_documents import read_error
from fastpath.s3.operations import classify
from fastpath.s3.xml_writer import error_document
from fastpath.signing.authentication import Accepted, Sigv2, authenticate
from fastpath.signing.sigv4.identity import Identity
from tests.corpus import signatures, sigv2
from tests.fuzz import connections

Harness = Callable[[bytes], object]

REFUSALS = (S3Error, ResponseFault, MessageFault, RouterFailed)
SECONDS = 5.0  # one input must not take longer, on a busy machine
GIANT = 12_000  # bytes
NOON = 1_756_744_908.25  # 2025-09-01T16:41:48Z: signed inputs are of this time
CORPUS = Path(__file__).parents[1] / "corpus"
IDENTITIES = {
    key.encode(): Identity("fuzz", key.encode(), secret.encode())
    for key, secret in (
        (signatures.ACCESS_KEY_ID, signatures.SECRET),
        (sigv2.ACCESS_KEY_ID, sigv2.SECRET),
    )
}
_SEAL_KEYS = (b"fuzz" * 8, b"older")
_PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8::/32"])
_DOMAINS = (b"s3.example.com", sigv2.DOMAIN.encode())


def directories(name: str) -> list[Path]:
    """Where the inputs of a harness are."""
    own = CORPUS / "fuzz" / name
    if name in ("request", "head", "client"):
        return [own, CORPUS / "requests" / "valid", CORPUS / "requests" / "invalid"]
    return [own]


def inputs(name: str) -> list[Path]:
    """The known inputs of a harness; giants, which tell nothing more, are left out."""
    found = [path for directory in directories(name) for path in sorted(directory.iterdir())]
    return [path for path in found if path.suffix in ("", ".http") and path.stat().st_size < GIANT]


def outcome(read: Harness, data: bytes) -> object:
    """What came of reading, a refusal included."""
    try:
        return read(data)
    except REFUSALS as refusal:
        return str(refusal)


def _pieces(data: bytes) -> Iterator[bytes]:
    """The same bytes in pieces of 1 to 7."""
    at, size = 0, 1
    while at < len(data):
        yield data[at : at + size]
        at, size = at + size, size % 7 + 1


def _request(data: bytes) -> None:
    """A head as it comes, and all that is read of it: address, query, operation, signature."""
    buffer = HeadBuffer(Limits())
    raw = buffer.feed(data)
    if raw is None:
        return
    head = parse_request_head(raw, Limits())
    query = parse_query(head.query)
    address = locate(head, _DOMAINS)
    presigned = presigned_headers(query)
    upstream_query(head.query, [name for name, _ in presigned])
    classify(head.method, address, query, head.fields | dict(presigned))


def _head(data: bytes) -> object:
    """What a head is, and where it ends, does not depend on how it is cut. Limits are near."""
    near = Limits(request_line_bytes=200, header_section_bytes=300, header_count=8)

    def gather(pieces: Iterator[bytes]) -> object:
        buffer = HeadBuffer(near)
        for piece in pieces:
            raw = buffer.feed(piece)
            if raw is not None:
                return parse_request_head(raw, near)
        return None

    whole = outcome(lambda _: gather(iter([data])), data)
    assert whole == outcome(lambda _: gather(_pieces(data)), data)
    return whole


def _query(data: bytes) -> None:
    """No signature of the client's is left, and what is left means what it meant."""
    pairs = parse_query(data)
    presigned = [name for name, _ in presigned_headers(pairs)]
    left = parse_query(upstream_query(data, presigned))
    assert not {name.lower() for name, _ in left} & {b"x-amz-signature", *presigned}
    kept = iter(pairs)
    assert all(pair in kept for pair in left)


def _signature(data: bytes) -> None:
    """Who signed a head, by SigV4 or SigV2, in its header or its query."""
    head = parse_request_head(data, Limits())
    address = locate(head, _DOMAINS)
    authenticate(head, parse_query(head.query), address, IDENTITIES, Accepted(Sigv2.ALL), NOON)


class _Receiver:
    """Writes down what a framing holds."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def chunk_begins(self, size: int, signature: bytes) -> None:
        self.told.append((size, signature))

    def chunk_data(self, data: bytes) -> None:
        if self.told and isinstance(self.told[-1], bytearray):
            self.told[-1] += data
        else:
            self.told.append(bytearray(data))

    def chunk_ends(self) -> None:
        self.told.append("end")


def _chunks(data: bytes, *, signed: bool) -> None:
    def read(pieces: Iterator[bytes]) -> object:
        receiver = _Receiver()
        parser = ChunkParser(receiver, signed=signed)
        for piece in pieces:
            parser.feed(piece)
        return parser.finish(), receiver.told

    whole = outcome(lambda _: read(iter([data])), data)
    assert whole == outcome(lambda _: read(_pieces(data)), data)


def _upload(data: bytes) -> None:
    """An unsigned upload whose first line is its trailer's name, its second the decoded length."""
    declared, _, rest = data.partition(b"\n")
    length, _, body = rest.partition(b"\n")
    decoded = int(length[:18]) if length[:18].isdigit() else 5
    trailers = Trailers(declared or None, allowed=True, signed=False)
    checks = [trailers.check] if trailers.check is not None else []
    reader = StreamedBody(decoded, False, None, trailers, checks, PlainFramer(decoded))
    early = reader.feed(body[: len(body) // 2], False)
    whole = early + reader.feed(body[len(body) // 2 :], True)
    assert len(whole) == decoded


def _http_chunks(data: bytes) -> None:
    reader = ChunkedReader()
    for piece in _pieces(data):
        reader.feed(piece)


def _batch(data: bytes) -> None:
    """What is left of a batch is read as the same keys, and none of it is refused."""
    batch = DeleteBatch()
    left = batch.feed(data, True)
    if batch.refused and left:
        again = DeleteBatch()
        again.feed(left, True)
        assert not again.refused


def _document(new_check: Callable[[], Check], data: bytes) -> None:
    def judge(pieces: Iterator[bytes]) -> None:
        check = new_check()
        for piece in pieces:
            check.update(piece)
        check.confirm()

    whole = outcome(lambda _: judge(iter([data])), data)
    assert whole == outcome(lambda _: judge(_pieces(data)), data)


def _listing(data: bytes) -> None:
    """The first line is the query of a list, the rest what lakeFS answered."""
    query, _, document = data.partition(b"\n")
    listing = read_listing(parse_query(query), b"repo", is_v2=b"list-type=2" in query)

    def render(pieces: Iterator[bytes]) -> bytes:
        answer = ListAnswer(listing)
        return b"".join([answer.feed(piece) for piece in pieces]) + answer.finish()

    whole = outcome(lambda _: render(iter([document])), document)
    assert whole == outcome(lambda _: render(_pieces(document)), document)


class _UploadIds:
    """Says what an id was sealed with."""

    def seal(self, upload_id: bytes, client_key: bytes, /) -> bytes:
        return b"%b for %b" % (upload_id.hex().encode(), client_key.hex().encode())


_REWRITE = Rewrite(b"bucket-2", b"a&/", b"s ")
_NAMES = Names(b"bucket", b"s k", b"bucket-2", b"a&/k", _REWRITE, _UploadIds(), b"id", b"id-2")


def _renamed(data: bytes) -> None:
    """The first line is an operation, or none for an error; the rest what its target answered."""
    first, _, document = data.partition(b"\n")
    operation = first.decode("latin-1")
    status = b"200" if operation in DOCUMENTS else b"404"
    head = parse_response_head(b"HTTP/1.1 %b X\r\nTransfer-Encoding: chunked\r\n\r\n" % status)

    def render(pieces: Iterator[bytes]) -> bytes:
        documents = RenamedDocuments(operation, _NAMES, (), ())
        step = documents.head(head)
        if isinstance(step, Buffer):
            step = documents.whole(b"", complete=False)
        assert isinstance(step, RenamedDocument)
        return b"".join([step.feed(piece) for piece in pieces]) + step.finish()

    whole = outcome(lambda _: render(iter([document])), document)
    assert whole == outcome(lambda _: render(_pieces(document)), document)


def _delete_result(data: bytes) -> None:
    """What a target says of two versions of a key can be said again, once of each."""
    entries = [{"Key": "k"}, {"Key": "k", "VersionId": "v"}]
    found = [row for row in rows_of(entries, read_rows(data)) if row is not None]
    outcomes = [failure_of(row) if row.failed else row for row in found]
    written = write_result(entries[: len(found)], outcomes, quiet=False)
    assert len(read_rows(written)) == len(found)


def _renamed_query(data: bytes) -> None:
    """No prefix that goes up is outside the target's, and each goes once."""
    for operation in ("ListObjects", "ListMultipartUploads", "ListParts"):
        raw, query = renamed_query(data, parse_query(data), operation, _NAMES)
        assert parse_query(raw) == list(query)
        prefixes = [value for name, value in query if name == b"prefix"]
        assert len(prefixes) < 2
        assert operation == "ListParts" or prefixes[0].startswith(_REWRITE.key_prefix)


def _form(data: bytes) -> None:
    def read(pieces: list[bytes]) -> object:
        reader = FormReader(b"b")
        for number, piece in enumerate(pieces, 1):
            rest = reader.feed(piece, number == len(pieces))
            if rest is not None:
                return reader.fields, reader.filename, rest + b"".join(pieces[number:])
        return None

    whole = outcome(lambda _: read([data]), data)
    assert whole == outcome(lambda _: read([*_pieces(data)] or [b""]), data)


def _policy(data: bytes) -> None:
    check_policy(base64.b64encode(data), {b"key": b"k", b"policy": b""}, b"bucket", NOON)


def _router_answer(data: bytes) -> None:
    """The bytes are the JSON of what a custom router returned."""
    (value,) = MessageReader().feed(struct.pack("!I", len(data)) + data)
    read_answer(value, ("s3", "lakefs"))


def _error(data: bytes) -> None:
    """What a target says in an error document can be said again in one of the gateway's."""
    extras = [(f"E{number}", text) for number, text in enumerate(read_error(data).values())]
    try:
        _request(data)
    except S3Error as error:
        extras += [("Detail", error.message)]
        read = read_error(error_document(S3Error(error.kind, *extras), "R", "H"))
        assert read["RequestId"] == "R"


def _sealed_id(data: bytes) -> None:
    opened = Sealer(_SEAL_KEYS).open(data, b"bucket", b"key")
    if opened is not None:
        texts = [Sealer((own,)).seal(*opened, b"bucket", b"key") for own in _SEAL_KEYS]
        assert data in texts, "another text opens to the same id"


HARNESSES: dict[str, Harness] = {
    "request": _request,
    "head": _head,
    "response": parse_response_head,
    "query": _query,
    "signature": _signature,
    "chunks": lambda data: _chunks(data, signed=False),
    "signed-chunks": lambda data: _chunks(data, signed=True),
    "upload": _upload,
    "http-chunks": _http_chunks,
    "error-xml": _error,
    "batch": _batch,
    "delete-result": _delete_result,
    "delete-xml": lambda data: _document(DeleteKeysCheck, data),
    "completion-xml": lambda data: _document(CompletedParts, data),
    "list-xml": _listing,
    "renamed-xml": _renamed,
    "renamed-query": _renamed_query,
    "form": _form,
    "policy": _policy,
    "sealed-id": _sealed_id,
    "router-answer": _router_answer,
    "forwarded-for": lambda data: _PROXIES.client("10.0.0.1:1", data),
    "client": connections.client,
    "target": connections.target,
}
