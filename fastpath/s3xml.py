"""The XML of an error answer.

Rules: AWS's shape to the byte: declaration, newline, `<Error>` without a namespace, Code, Message,
extras, RequestId, HostId, no white space between; no `Resource` element. The result is well-formed
whatever a client sent: text is escaped, and characters that XML cannot hold are replaced.

Not here: which error it is (`errors`), status line and headers (`reply`).
"""

from __future__ import annotations

import re

from fastpath.errors import S3Error

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>'

# XML 1.0 section 2.2: what is no Char.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A bare CR would be read back as LF (XML 1.0 section 2.11).
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})


def error_document(error: S3Error, request_id: str, host_id: str) -> bytes:
    """The body of the answer to a request that failed with `error`."""
    parts = [_HEAD, error.kind.code, "</Code><Message>", escaped(error.message), "</Message>"]
    for name, value in error.extras:
        parts.append(f"<{name}>{escaped(value)}</{name}>")
    parts.append(f"<RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>")
    return "".join(parts).encode()


def escaped(value: str) -> str:
    """Text as it may stand between two tags."""
    return _FORBIDDEN.sub("\ufffd", value).translate(_ESCAPES)
