"""Translates lakeFS's documents about parts: ListParts, and the result of UploadPartCopy.

Rules: streaming, one part is kept at a time; what precedes the parts is written in S3's order, from
lakeFS's fields and the request.
"""

from __future__ import annotations

from fastpath.dialects.lakefs.document_reader import DocumentReader, Field, Row, unreadable_response
from fastpath.dialects.lakefs.list_answers import OWNER
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element

_COUNTS = ("PartNumberMarker", "NextPartNumberMarker", "MaxParts")
_OF_A_COPY = ("LastModified", "ETag")


class PartsAnswer:
    """Rewrites the response to one ListParts."""

    def __init__(self, bucket: str, key: str, upload_id: str) -> None:
        self.status: int | None = None
        self._upload_fields = (("Bucket", bucket), ("Key", key), ("UploadId", upload_id))
        self._reader = DocumentReader("ListPartsResult", [("Part",)])
        self._fields: dict[str, str] = {}
        self._head_is_written = False

    def feed(self, data: bytes) -> bytes:
        """Translate a piece. Raises S3Error ServiceUnavailable."""
        out = []
        for event in self._reader.feed(data):
            if isinstance(event, Row):
                if not self._head_is_written:
                    out.append(self._head())
                out.append(self._part(event.fields))
            else:
                self._fields[event.name] = event.text
        return "".join(out).encode()

    def finish(self) -> bytes:
        """Return the end. Raises S3Error ServiceUnavailable."""
        self._reader.finish()
        out = "" if self._head_is_written else self._head()
        return (out + "</ListPartsResult>").encode()

    def _head(self) -> str:
        self._head_is_written = True
        fields = self._fields
        if fields.get("IsTruncated") not in ("true", "false"):
            raise unreadable_response()
        parts = [DECLARATION, f'<ListPartsResult xmlns="{NAMESPACE}">']
        parts += [element(name, text) for name, text in self._upload_fields]
        parts.append(f"<Initiator>{OWNER}</Initiator><Owner>{OWNER}</Owner>")
        parts.append(element("StorageClass", "STANDARD"))
        parts += [element(name, fields[name]) for name in _COUNTS if fields.get(name)]
        parts.append(element("IsTruncated", fields["IsTruncated"]))
        return "".join(parts)

    def _part(self, fields: dict[str, str]) -> str:
        if "PartNumber" not in fields or "ETag" not in fields:
            raise unreadable_response()
        return f"<Part>{_fields(fields)}</Part>"


class CopiedPartAnswer:
    """Rewrites the response to one UploadPartCopy: S3 names the root element differently."""

    def __init__(self) -> None:
        self.status: int | None = None
        self._reader = DocumentReader("CopyObjectResult", ())
        self._fields: dict[str, str] = {}

    def feed(self, data: bytes) -> bytes:
        """Read a piece; nothing is returned yet. Raises S3Error ServiceUnavailable."""
        for event in self._reader.feed(data):
            if isinstance(event, Field) and event.name in _OF_A_COPY:
                self._fields[event.name] = event.text
        return b""

    def finish(self) -> bytes:
        """Return the whole document. Raises S3Error ServiceUnavailable."""
        self._reader.finish()
        if "ETag" not in self._fields:
            raise unreadable_response()
        opening = f'{DECLARATION}<CopyPartResult xmlns="{NAMESPACE}">'
        return f"{opening}{_fields(self._fields)}</CopyPartResult>".encode()


def _fields(fields: dict[str, str]) -> str:
    """Write the fields of a part, its ETag in quotes."""
    quoted = {**fields, "ETag": f'"{fields["ETag"].strip(chr(34))}"'}
    return "".join(element(name, text) for name, text in quoted.items())
