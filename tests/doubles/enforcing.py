"""Owns a store on loopback that holds uploads to their checksums, as AWS, versitygw and MinIO do.

    form      what it takes of a body in aws-chunked frames
    header    the frames, if Content-Encoding names them; it takes the word off (AWS)
    kept      the frames, whatever Content-Encoding says, and keeps that (SeaweedFS, versitygw)
    none      nothing: 501

Rules: each part must carry a checksum of the algorithm that its upload was begun with, and none if
it was begun without ("Checksum Type mismatch occurred"); each value, and each signature of a frame,
must be right; a CompleteMultipartUpload must name what was uploaded.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.doubles.aws_chunked import CHECKSUMS, MODES, checksum, read
from tests.doubles.recording import Recorded, RecordingStore

FORMS = ("header", "kept", "none")
_FULL_OBJECT = ("crc64nvme",)  # what is of the whole object unless it is said otherwise
_DIGEST = re.compile("[0-9a-f]{64}")
_TAG = re.compile(r"\{.*\}")


class Refused(Exception):
    """An error of S3: status, code and message."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Stored:
    """An object, or a part of one."""

    data: bytes
    encoding: str = ""
    checksums: dict[str, str] = field(default_factory=dict)  # header -> value
    parts: int = 0

    @property
    def etag(self) -> str:
        digest = hashlib.md5(self.data, usedforsecurity=False).hexdigest()
        return f'"{digest}-{self.parts}"' if self.parts else f'"{digest}"'


@dataclass
class Upload:
    """One that was begun."""

    algorithm: str  # empty: none
    kind: str
    encoding: str
    parts: dict[int, Stored] = field(default_factory=dict)


class EnforcingStore(RecordingStore):
    """The store; every bucket exists. `answered` are status, code and message of each error."""

    def __init__(self, secret: str, form: str, algorithms: Iterable[str] = CHECKSUMS) -> None:
        super().__init__()
        self.secret = secret
        self.form = form
        self.algorithms = frozenset(algorithms)
        self.kept: dict[str, Stored] = {}
        self.uploads: dict[str, Upload] = {}
        self.refused: list[tuple[int, str, str]] = []

    def answer(self, request: Recorded) -> bytes:
        with self.lock:
            self.requests.append(request)
            try:
                return self._answer(request)
            except Refused as refusal:
                self.refused.append((refusal.status, refusal.code, refusal.message))
                text = f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message>"
                return _response(refusal.status, {}, f"{text}</Error>".encode())

    def _answer(self, request: Recorded) -> bytes:
        method, key = request.method.decode(), unquote(request.path.decode())
        query = request.target.partition(b"?")[2].decode()
        asked = {name: values[0] for name, values in parse_qs(query, True).items()}
        if key.count("/") < 2 or (key.endswith("/") and key.count("/") == 2):
            return self._bucket(method, key, asked)
        if "uploads" in asked:
            return self._begin(request, key)
        if "uploadId" in asked:
            return self._of_upload(request, method, key, asked)
        return self._of_object(request, method, key)

    def _of_upload(
        self, request: Recorded, method: str, key: str, asked: Mapping[str, str]
    ) -> bytes:
        if method == "POST":
            return self._complete(request, key, asked["uploadId"])
        if method == "PUT":
            return self._part(request, asked)
        if method == "GET":
            algorithm = self._upload(asked["uploadId"]).algorithm.upper()
            member = f"<ChecksumAlgorithm>{algorithm}</ChecksumAlgorithm>" if algorithm else ""
            return _response(200, {}, f"<ListPartsResult>{member}</ListPartsResult>".encode())
        self.uploads.pop(asked["uploadId"], None)
        return _response(204, {})

    def _of_object(self, request: Recorded, method: str, key: str) -> bytes:
        if method == "PUT":
            self.kept[key] = stored = self._body(request)
            return _response(200, {"etag": stored.etag, **stored.checksums})
        if method == "DELETE":
            self.kept.pop(key, None)
            return _response(204, {})
        if key not in self.kept:
            raise Refused(404, "NoSuchKey")
        stored = self.kept[key]
        fields = {"etag": stored.etag, "last-modified": "Sun, 29 Nov 2026 00:00:00 GMT"}
        if stored.encoding:
            fields["content-encoding"] = stored.encoding
        if request.value(b"x-amz-checksum-mode"):
            fields |= stored.checksums
        return _response(200, fields, stored.data, head=method == "HEAD")

    def _bucket(self, method: str, path: str, asked: Mapping[str, str]) -> bytes:
        if method != "GET":
            return _response(200, {})
        prefix = path.strip("/") + "/" + asked.get("prefix", "")
        keys = sorted(key[1:] for key in self.kept if key[1:].startswith(prefix))
        if "versions" in asked:
            keys = []
        entries = "".join(
            f"<Contents><Key>{escape(key.partition('/')[2])}</Key></Contents>" for key in keys
        )
        return _response(200, {}, f"<ListBucketResult>{entries}</ListBucketResult>".encode())

    # --- bodies ---

    def _body(self, request: Recorded) -> Stored:
        """What an upload holds, if it is what its headers and trailers say."""
        payload = (request.value(b"x-amz-content-sha256") or b"").decode()
        encoding = (request.value(b"content-encoding") or b"").decode()
        data, lines = request.body, list[str]()
        if payload in MODES:
            data, lines, encoding = self._unframed(request, encoding)
        elif _DIGEST.fullmatch(payload) and hashlib.sha256(data).hexdigest() != payload:
            raise Refused(400, "XAmzContentSHA256Mismatch")
        sent = dict(line.split(":", 1) for line in lines)
        for name in CHECKSUMS:
            value = request.value(f"x-amz-checksum-{name}".encode())
            if value is not None:
                sent[f"x-amz-checksum-{name}"] = value.decode()
        for name, value in sent.items():
            algorithm = name.removeprefix("x-amz-checksum-")
            if algorithm not in self.algorithms:
                raise Refused(400, "InvalidRequest", f"{name} is not known")
            if checksum(algorithm, data) != value:
                raise Refused(400, "BadDigest", f"{name} is wrong")
        return Stored(data, encoding, sent)

    def _unframed(self, request: Recorded, encoding: str) -> tuple[bytes, list[str], str]:
        if self.form == "none":
            raise Refused(501, "NotImplemented", "aws-chunked")
        codings = [coding.strip() for coding in encoding.split(",")]
        if self.form == "header":
            if "aws-chunked" not in codings:
                raise Refused(400, "InvalidRequest", "Content-Encoding does not say aws-chunked")
            encoding = ",".join(coding for coding in codings if coding != "aws-chunked")
        try:
            data, lines = read(request.head, request.body, self.secret)
        except (AssertionError, ValueError) as fault:
            raise Refused(403, "SignatureDoesNotMatch", repr(fault)) from fault
        return data, lines, encoding

    # --- uploads in parts ---

    def _begin(self, request: Recorded, key: str) -> bytes:
        algorithm = (request.value(b"x-amz-checksum-algorithm") or b"").decode().lower()
        if algorithm and algorithm not in self.algorithms:
            raise Refused(400, "InvalidRequest", "Checksum algorithm provided is unsupported.")
        default = "FULL_OBJECT" if algorithm in _FULL_OBJECT else "COMPOSITE"
        kind = (request.value(b"x-amz-checksum-type") or default.encode()).decode()
        encoding = (request.value(b"content-encoding") or b"").decode()
        name = f"upload-{len(self.requests)}"
        self.uploads[name] = Upload(algorithm, kind if algorithm else "", encoding)
        bucket, _, rest = key[1:].partition("/")
        body = f"<Bucket>{bucket}</Bucket><Key>{escape(rest)}</Key><UploadId>{name}</UploadId>"
        fields = {"x-amz-checksum-algorithm": algorithm.upper()} if algorithm else {}
        root = "InitiateMultipartUploadResult"
        return _response(200, fields, f"<{root}>{body}</{root}>".encode())

    def _part(self, request: Recorded, asked: Mapping[str, str]) -> bytes:
        upload = self._upload(asked["uploadId"])
        part = self._body(request)
        sent = [name.removeprefix("x-amz-checksum-") for name in part.checksums] or ["null"]
        if sent != [upload.algorithm or "null"]:
            raise Refused(
                400,
                "InvalidRequest",
                "Checksum Type mismatch occurred, expected checksum Type: "
                f"{upload.algorithm or 'null'}, actual checksum Type: {sent[0]}",
            )
        upload.parts[int(asked["partNumber"])] = part
        return _response(200, {"etag": part.etag, **part.checksums})

    def _upload(self, name: str) -> Upload:
        if name not in self.uploads:
            raise Refused(404, "NoSuchUpload")
        return self.uploads[name]

    def _complete(self, request: Recorded, key: str, name: str) -> bytes:
        upload = self._upload(name)
        parts = [self._named(part, upload) for part in ElementTree.fromstring(request.body)]
        whole = Stored(b"".join(part.data for part in parts), upload.encoding, parts=len(parts))
        member = ""
        if upload.algorithm:
            value = self._of_parts(upload, parts, whole.data)
            header = f"x-amz-checksum-{upload.algorithm}"
            whole.checksums = {header: value, "x-amz-checksum-type": upload.kind}
            tag = f"Checksum{upload.algorithm.upper()}"
            member = f"<{tag}>{value}</{tag}><ChecksumType>{upload.kind}</ChecksumType>"
        for algorithm in [*CHECKSUMS, "type"]:
            sent = request.value(f"x-amz-checksum-{algorithm}".encode())
            known = whole.checksums.get(f"x-amz-checksum-{algorithm}")
            if sent is not None and sent.decode() != known:
                raise Refused(400, "BadDigest", f"{algorithm} of the whole object")
        self.kept[key] = whole
        del self.uploads[name]
        bucket, _, rest = key[1:].partition("/")
        body = (
            f"<Bucket>{bucket}</Bucket><Key>{escape(rest)}</Key><ETag>{whole.etag}</ETag>{member}"
        )
        root = "CompleteMultipartUploadResult"
        return _response(200, {}, f"<{root}>{body}</{root}>".encode())

    def _named(self, entry: ElementTree.Element, upload: Upload) -> Stored:
        """The part that an entry of the list means, if it says of it what is true."""
        said = {_TAG.sub("", node.tag): (node.text or "").strip() for node in entry}
        part = upload.parts.get(int(said["PartNumber"]))
        if part is None or said["ETag"].strip('"') != part.etag.strip('"'):
            raise Refused(400, "InvalidPart")
        claimed = {name: value for name, value in said.items() if name.startswith("Checksum")}
        true = {
            f"Checksum{header.removeprefix('x-amz-checksum-').upper()}": value
            for header, value in part.checksums.items()
        }
        if claimed != true and (claimed or upload.kind == "COMPOSITE"):
            raise Refused(400, "InvalidPart", f"{claimed} is not {true}")
        return part

    def _of_parts(self, upload: Upload, parts: list[Stored], whole: bytes) -> str:
        if upload.kind == "FULL_OBJECT":
            return checksum(upload.algorithm, whole)
        raw = b"".join(CHECKSUMS[upload.algorithm](part.data) for part in parts)
        value = base64.b64encode(CHECKSUMS[upload.algorithm](raw)).decode()
        return f"{value}-{len(parts)}"


def _response(
    status: int, fields: Mapping[str, str], body: bytes = b"", *, head: bool = False
) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in fields.items())]
    if status != 204:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if head else body)


@contextmanager
def enforcing_store(
    secret: str, form: str, algorithms: Iterable[str] = CHECKSUMS
) -> Iterator[EnforcingStore]:
    """Run a store in a thread for the time of the block."""
    with EnforcingStore(secret, form, algorithms) as store:
        thread = threading.Thread(target=store.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield store
        finally:
            store.shutdown()
            thread.join()
