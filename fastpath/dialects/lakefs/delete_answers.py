"""The result of a DeleteObjects of lakeFS -> S3's: the codes of keys that were not deleted.

Rules: streaming, one row is kept at a time; a code of lakeFS's own becomes the one that a request
for this key alone would get (`faults`).

Not here: which keys may be deleted (`payload.delete_keys`).
"""

from __future__ import annotations

from collections.abc import Sequence

from fastpath.dialects.deletion import error_entries
from fastpath.dialects.lakefs.documents import DocumentReader, Row, unreadable
from fastpath.dialects.lakefs.faults import in_a_batch
from fastpath.payload.delete_batch import RefusedKey
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element

_ROOT = "DeleteResult"
_CODE, _MESSAGE = "Code", "Message"


class DeletedAnswer:
    """Rewrites the answer to one DeleteObjects."""

    def __init__(self, refused: Sequence[RefusedKey] = ()) -> None:
        """`refused`: keys that did not go up."""
        self._refused = refused
        self.status: int | None = None
        self._reader = DocumentReader(_ROOT, [("Deleted",), ("Error",)])
        self._opening = f'{DECLARATION}<{_ROOT} xmlns="{NAMESPACE}">'

    def feed(self, data: bytes) -> bytes:
        """Translate a piece. Raises S3Error ServiceUnavailable."""
        rows = [event for event in self._reader.feed(data) if isinstance(event, Row)]
        return self._opened("".join([_row(row) for row in rows])) if rows else b""

    def finish(self) -> bytes:
        """The end. Raises S3Error ServiceUnavailable."""
        self._reader.finish()
        return self._opened(f"{error_entries(self._refused)}</{_ROOT}>")

    def _opened(self, text: str) -> bytes:
        opening, self._opening = self._opening, ""
        return (opening + text).encode()


def _row(row: Row) -> str:
    fields = dict(row.fields)
    if "Key" not in fields:
        raise unreadable()
    if row.name == "Error":
        code, message = fields.get(_CODE, ""), fields.get(_MESSAGE, "")
        fields[_CODE], fields[_MESSAGE] = in_a_batch(code, message)
    inner = "".join([element(name, text) for name, text in fields.items()])
    return f"<{row.name}>{inner}</{row.name}>"
