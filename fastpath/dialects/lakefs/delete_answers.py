"""Translates the DeleteResult of lakeFS: the error codes of keys that were not deleted.

Rules: streaming, one row is kept at a time; a code that only lakeFS has becomes the one that a
DeleteObject of this key would get (`error_translation`).
"""

from __future__ import annotations

from collections.abc import Sequence

from fastpath.dialects.delete_objects import error_entries
from fastpath.dialects.lakefs.document_reader import DocumentReader, Row, unreadable_response
from fastpath.dialects.lakefs.error_translation import translate_batch_error
from fastpath.payload.delete_batch import RefusedKey
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element

_ROOT = "DeleteResult"
_CODE, _MESSAGE = "Code", "Message"


class DeletedAnswer:
    """Rewrites the response to one DeleteObjects."""

    def __init__(self, refused: Sequence[RefusedKey] = ()) -> None:
        """`refused`: keys that were not sent."""
        self._refused = refused
        self.status: int | None = None
        self._reader = DocumentReader(_ROOT, [("Deleted",), ("Error",)])
        self._opening = f'{DECLARATION}<{_ROOT} xmlns="{NAMESPACE}">'

    def feed(self, data: bytes) -> bytes:
        """Translate a piece. Raises S3Error ServiceUnavailable."""
        rows = [event for event in self._reader.feed(data) if isinstance(event, Row)]
        return self._with_opening("".join([_row(row) for row in rows])) if rows else b""

    def finish(self) -> bytes:
        """Return the end. Raises S3Error ServiceUnavailable."""
        self._reader.finish()
        return self._with_opening(f"{error_entries(self._refused)}</{_ROOT}>")

    def _with_opening(self, text: str) -> bytes:
        opening, self._opening = self._opening, ""
        return (opening + text).encode()


def _row(row: Row) -> str:
    fields = dict(row.fields)
    if "Key" not in fields:
        raise unreadable_response()
    if row.name == "Error":
        code, message = fields.get(_CODE, ""), fields.get(_MESSAGE, "")
        fields[_CODE], fields[_MESSAGE] = translate_batch_error(code, message)
    inner = "".join([element(name, text) for name, text in fields.items()])
    return f"<{row.name}>{inner}</{row.name}>"
