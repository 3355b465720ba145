"""Answers of lakeFS about parts -> those of S3: ListParts, and the result of UploadPartCopy.

Rules: streaming, one part is kept at a time; what stands above the parts is written in S3's order,
from lakeFS's fields and the request.

Not here: what may be asked (`part_requests`), reading XML (`documents`).
"""

from __future__ import annotations

from fastpath.dialects.lakefs.documents import DocumentReader, Field, Row, unreadable
from fastpath.dialects.lakefs.list_answers import OWNER
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element

_COUNTS = ("PartNumberMarker", "NextPartNumberMarker", "MaxParts")
_OF_A_COPY = ("LastModified", "ETag")


class PartsAnswer:
    """Rewrites the answer to one ListParts."""

    def __init__(self, bucket: str, key: str, upload_id: str) -> None:
        self.status: int | None = None
        self._place = (("Bucket", bucket), ("Key", key), ("UploadId", upload_id))
        self._reader = DocumentReader("ListPartsResult", [("Part",)])
        self._fields: dict[str, str] = {}
        self._head_is_out = False

    def feed(self, data: bytes) -> bytes:
        """Translate a piece. Raises S3Error ServiceUnavailable."""
        out = []
        for event in self._reader.feed(data):
            if isinstance(event, Row):
                if not self._head_is_out:
                    out.append(self._head())
                out.append(self._part(event.fields))
            else:
                self._fields[event.name] = event.text
        return "".join(out).encode()

    def finish(self) -> bytes:
        """The end. Raises S3Error ServiceUnavailable."""
        self._reader.finish()
        out = "" if self._head_is_out else self._head()
        return (out + "</ListPartsResult>").encode()

    def _head(self) -> str:
        self._head_is_out = True
        fields = self._fields
        if fields.get("IsTruncated") not in ("true", "false"):
            raise unreadable()
        parts = [DECLARATION, f'<ListPartsResult xmlns="{NAMESPACE}">']
        parts += [element(name, text) for name, text in self._place]
        parts.append(f"<Initiator>{OWNER}</Initiator><Owner>{OWNER}</Owner>")
        parts.append(element("StorageClass", "STANDARD"))
        parts += [element(name, fields[name]) for name in _COUNTS if fields.get(name)]
        parts.append(element("IsTruncated", fields["IsTruncated"]))
        return "".join(parts)

    def _part(self, fields: dict[str, str]) -> str:
        if "PartNumber" not in fields or "ETag" not in fields:
            raise unreadable()
        return f"<Part>{_fields(fields)}</Part>"


class CopiedPartAnswer:
    """Rewrites the answer to one UploadPartCopy: S3 calls it by another name."""

    def __init__(self) -> None:
        self.status: int | None = None
        self._reader = DocumentReader("CopyObjectResult", ())
        self._fields: dict[str, str] = {}

    def feed(self, data: bytes) -> bytes:
        """Take in a piece; the answer is of two fields. Raises S3Error ServiceUnavailable."""
        for event in self._reader.feed(data):
            if isinstance(event, Field) and event.name in _OF_A_COPY:
                self._fields[event.name] = event.text
        return b""

    def finish(self) -> bytes:
        """The whole answer. Raises S3Error ServiceUnavailable."""
        self._reader.finish()
        if "ETag" not in self._fields:
            raise unreadable()
        opening = f'{DECLARATION}<CopyPartResult xmlns="{NAMESPACE}">'
        return f"{opening}{_fields(self._fields)}</CopyPartResult>".encode()


def _fields(fields: dict[str, str]) -> str:
    """The fields of a part, its ETag in the quotes that belong to it."""
    quoted = {**fields, "ETag": f'"{fields["ETag"].strip(chr(34))}"'}
    return "".join(element(name, text) for name, text in quoted.items())
