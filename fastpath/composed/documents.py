"""Reads the documents that targets answer to an operation's requests."""

from __future__ import annotations

from fastpath.s3.xml_reader import Unexpected, XmlError, XmlReader


def read_fields(document: bytes, root: str) -> dict[str, str]:
    """Return the texts below the root by name, the last of each; none: it is another document."""
    found: dict[str, str] = {}

    def started(name: str, depth: int) -> None:
        if depth == 1 and name != root:
            raise Unexpected

    def ended(name: str, depth: int, text: str) -> None:
        if depth == 2:
            found[name] = text.strip()

    reader = XmlReader(ended, started)
    try:
        reader.finish(document)
    except XmlError:
        return {}
    return found
