"""XML as Go's encoder writes it, and the two documents that clients send.

Rules: control characters become U+FFFD; only four documents carry a namespace.
"""

from __future__ import annotations

from xml.etree import ElementTree

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
VERSIONING = f'<VersioningConfiguration xmlns="{NAMESPACE}"/>'.encode()

_ESCAPES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&#34;",
    "'": "&#39;",
    "\t": "&#x9;",
    "\n": "&#xA;",
    "\r": "&#xD;",
}


def escape(value: str) -> str:
    return "".join(
        _ESCAPES.get(sign) or (sign if _is_allowed(sign) else "\ufffd") for sign in value
    )


def _is_allowed(sign: str) -> bool:
    """XML 1.0, production [2]; surrogates (bytes that are no UTF-8) are not."""
    return "\x20" <= sign <= "\ud7ff" or "\ue000" <= sign <= "\ufffd" or sign >= "\U00010000"


def element(name: str, *content: str | bytes, namespace: bool = False) -> bytes:
    inner = b"".join(part if isinstance(part, bytes) else escape(part).encode() for part in content)
    opening = f'{name} xmlns="{NAMESPACE}"' if namespace else name
    return f"<{opening}>".encode() + inner + f"</{name}>".encode()


def parse(body: bytes, root: str = "") -> ElementTree.Element:
    """The document, names without namespaces. Raises ValueError if it is none or another one."""
    try:
        tree = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error
    for node in tree.iter():
        node.tag = node.tag.rpartition("}")[2]
    if root and tree.tag != root:
        raise ValueError(tree.tag)
    return tree
