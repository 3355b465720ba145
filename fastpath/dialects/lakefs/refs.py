"""Whether there is a ref: asked with a list below it, which is a bad request if there is none.

Rules: pure; lakeFS says 500 of a read below `main^2` without a second parent, or `v1@` of a tag, as
of its own faults; it is asked only about a ref that is more than a name.

Not here: refs that can be none by their form (`names`).
"""

from __future__ import annotations

import re
from urllib.parse import quote_from_bytes

from fastpath.dialects.translation import Question, Reply
from fastpath.s3.error_documents import read_error

_EXPRESSION = re.compile(rb"[^/]*[~^@$]")


def has_expression(key: bytes) -> bool:
    """Whether the ref of a key is more than a name: lakeFS alone knows whether it is there."""
    return _EXPRESSION.match(key) is not None


def ask_ref(bucket: bytes, key: bytes) -> Question:
    """Whether there is the ref of this key."""
    ref = quote_from_bytes(key.partition(b"/")[0], safe="")
    return Question(b"/" + bucket, f"list-type=2&prefix={ref}%2F&max-keys=1".encode())


def is_unknown(reply: Reply) -> bool:
    """Whether the reply says that there is not."""
    return reply.status == 400 and read_error(reply.body).get("Code") == "BadRequest"
