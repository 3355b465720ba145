"""Decides whether a target has certainly read all of a request whose answer is complete.

A server may answer without reading the body (most do when they refuse) and then takes the unread
bytes for the next request: the next client would get the answer to them.
"""

from __future__ import annotations

# Operations whose success proves that the target read the body: it stored it, or answered each
# member of it.
_READ_TO_THE_END = frozenset(
    {"PutObject", "UploadPart", "DeleteObjects", "CompleteMultipartUpload"}
)


def was_read(operation: str, status: int, *, body_taken: bool, answered_early: bool) -> bool:
    """Whether no byte of the request can wait at the target.

    `body_taken`: bytes of a body went up. `answered_early`: the answer came before the last one.
    """
    if not body_taken:
        return True
    return operation in _READ_TO_THE_END and 200 <= status < 300 and not answered_early
