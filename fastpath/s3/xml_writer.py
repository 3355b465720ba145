"""Writes XML as S3 does: error documents, and the elements of other documents.

Rules: AWS's shape to the byte: declaration, newline, no white space between elements; `<Error>` has
no namespace, then Code, Message, extras, RequestId, HostId, no `Resource`; quotation marks stay as
they are in it (clients look for `["eq", "$key", "value"]`), in other documents they are `&quot;`.
The result is well-formed whatever a client sent: text is escaped, and characters that XML cannot
hold are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote_plus

from fastpath.errors import S3Error

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

# What is no Char of XML 1.0 section 2.2.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\ufffd"
# A bare CR would be read back as LF (XML 1.0 section 2.11).
_ERROR_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ESCAPES = _ERROR_ESCAPES | {ord('"'): "&quot;"}


def error_document(error: S3Error, request_id: str, host_id: str) -> bytes:
    """Return the body of the response to a request that failed with `error`."""
    texts = (("Code", error.kind.code), ("Message", error.message), *error.extras)
    parts = [DECLARATION, "<Error>"]
    parts += [_element(name, text, _ERROR_ESCAPES) for name, text in texts]
    parts.append(f"<RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>")
    return "".join(parts).encode()


def without_declaration(document: bytes) -> bytes:
    """Return a document without its XML declaration, to follow one that was sent before."""
    if not document.startswith(b"<?xml"):
        return document
    return document[document.index(b"?>") + 2 :].lstrip()


def element(name: str, text: str) -> str:
    """Return one element that holds text."""
    return _element(name, text, _ESCAPES)


def escaped(text: str) -> str:
    """Return text as it stands in an element."""
    return _FORBIDDEN.sub(_REPLACEMENT, text).translate(_ESCAPES)


def _element(name: str, text: str, escapes: Mapping[int, str]) -> str:
    return f"<{name}>{_FORBIDDEN.sub(_REPLACEMENT, text).translate(escapes)}</{name}>"


def url_encoded(text: str | bytes) -> str:
    """Encode a name for a list with `encoding-type=url`: as in a form, but `/` and `*` stay.

    The result is printable ASCII, so that XML can hold every character.
    """
    return quote_plus(text, safe="/*").replace("~", "%7E")
