"""Adds the errors of keys that the gateway refused to the target's response to a DeleteObjects.

Rules: streaming: the end of the document is kept until it is complete; every other byte stays as it
is, and so does a response that is no DeleteResult (an error in a 200).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastpath.dialects.translation import ClientRequest, Translation
from fastpath.http.head import ResponseHead
from fastpath.payload.delete_batch import DeleteBatch, RefusedKey
from fastpath.response.filters import Step
from fastpath.response.own_answer import OwnAnswer
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element

_END_BYTES = 4096  # more than the last tag, or a whole document without entries
_END = re.compile(rb"</(?:[\w.-]+:)?DeleteResult\s*>\s*\Z")
_EMPTY = re.compile(rb"<((?:[\w.-]+:)?DeleteResult)(\s[^<>]*?)?/>\s*\Z")


def error_entries(refused: Sequence[RefusedKey]) -> str:
    """Write the Error elements of a DeleteResult."""
    return "".join(
        "<Error>"
        + element("Key", key)
        + (element("VersionId", version) if version else "")
        + element("Code", error.kind.code)
        + element("Message", error.message)
        + "</Error>"
        for key, version, error in refused
    )


def refused_answer(refused: Sequence[RefusedKey]) -> OwnAnswer:
    """Write the response to a request of which every key was refused."""
    inner = error_entries(refused)
    document = f'{DECLARATION}<DeleteResult xmlns="{NAMESPACE}">{inner}</DeleteResult>'
    return OwnAnswer(200, (), document.encode())


class MergedAnswer:
    """A BodyRewriter that adds errors at the end of the target's DeleteResult."""

    def __init__(self, refused: Sequence[RefusedKey]) -> None:
        self.status: int | None = None
        self._errors = error_entries(refused).encode()
        self._kept = b""

    def feed(self, data: bytes) -> bytes:
        """Return all but the end."""
        self._kept += data
        passed, self._kept = self._kept[:-_END_BYTES], self._kept[-_END_BYTES:]
        return passed

    def finish(self) -> bytes:
        """Return the end, with the errors in it."""
        kept = self._kept
        if (end := _END.search(kept)) is not None:
            return kept[: end.start()] + self._errors + kept[end.start() :]
        if (empty := _EMPTY.search(kept)) is not None:
            tag, rest = empty[1], empty[2] or b""
            opened = b"<%b%b>%b</%b>" % (tag, rest, self._errors, tag)
            return kept[: empty.start()] + opened
        return kept


class DeleteObjects(Translation):
    """A DeleteObjects to a target without a dialect."""

    def __init__(self, _: ClientRequest) -> None:
        self.batch = DeleteBatch()

    def answer(self, head: ResponseHead) -> Step:
        if head.status != 200 or self.batch is None or not self.batch.refused:
            return None
        return MergedAnswer(self.batch.refused)
