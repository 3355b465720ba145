"""DeleteObject: only a branch has objects that can be deleted.

Rules: a ref of another form (a tag with a dot, an expression) is refused as S3 refuses what cannot
be done to an object, not with lakeFS's internal error; whether a branch exists is lakeFS's to say.

Not here: batches (`payload.deletions`).
"""

from __future__ import annotations

import re

from fastpath.dialects.translation import Asked, Translation
from fastpath.operations import MethodRefused

_BRANCH = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_-]*")  # as lakeFS names them


class DeleteObject(Translation):
    """The deletion of one object."""

    def __init__(self, asked: Asked) -> None:
        ref = asked.key.partition(b"/")[0]
        if not _BRANCH.fullmatch(ref):
            raise MethodRefused(b"DELETE", "OBJECT", "GET, HEAD")
