"""Asks lakeFS whether a ref exists, with a list below it: a BadRequest says that it does not.

Rules: lakeFS answers 500 to a read below `main^2` without a second parent, or `v1@` of a tag, as
for its own failures; it is asked only about a ref that is more than a name.
"""

from __future__ import annotations

import re
from urllib.parse import quote_from_bytes

from fastpath.response.filters import Question, Reply
from fastpath.s3.error_documents import read_error

_EXPRESSION = re.compile(rb"[^/]*[~^@$]")


def has_ref_expression(key: bytes) -> bool:
    """Whether the ref of a key is an expression, so that only lakeFS knows whether it exists."""
    return _EXPRESSION.match(key) is not None


def ref_question(bucket: bytes, key: bytes) -> Question:
    """Return the question whether the ref of this key exists."""
    ref = quote_from_bytes(key.partition(b"/")[0], safe="")
    return Question(b"/" + bucket, f"list-type=2&prefix={ref}%2F&max-keys=1".encode())


def is_ref_unknown(reply: Reply) -> bool:
    """Whether the reply says that the ref does not exist."""
    return reply.status == 400 and read_error(reply.body).get("Code") == "BadRequest"
