"""Targets on the rig that answer DeleteObjects, and what tests ask of the answers.

b-b    raw/*   -> generic           raw/1 is raw/1 there
       old/*   -> first, as `lake`  old/1 is main/1 there
       others  -> first             x is x there
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.doubles.http1 import ok, put, read_requests
from tests.doubles.rules import Rewriting, Rule
from tests.doubles.wire import Peer

RULES = (
    Rule(1, 1, "b-b", "generic", keys=("raw/*",)),
    Rule(2, 2, "b-b", "first", keys=("old/*",), rewrite=Rewriting("lake", "main/", "old/")),
)
_SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Received(NamedTuple):
    """A DeleteObjects that a target has got."""

    host: str
    bucket: str
    headers: Mapping[str, str]
    entries: Sequence[Mapping[str, str]]
    body: bytes

    @property
    def keys(self) -> list[str]:
        return [entry["Key"] for entry in self.entries]


def document(*entries: str | Mapping[str, str], quiet: str = "") -> bytes:
    """What a client sends; an entry is a key, or what an Object has."""
    objects = "".join(
        f"<Object>{_children({'Key': entry} if isinstance(entry, str) else entry)}</Object>"
        for entry in entries
    )
    return f"<Delete>{objects}{f'<Quiet>{quiet}</Quiet>' if quiet else ''}</Delete>".encode()


def request(body: bytes, *lines: str) -> bytes:
    """A client's request; `document` makes its body."""
    return put("/b-b?delete", body, *lines, method="POST")


def received(peer: Peer) -> Received:
    """The only request that a target has got since the last time."""
    ((head, body),) = read_requests(peer.take())
    line, *lines = head.decode().split("\r\n")
    assert line.split(" ")[0] == "POST"
    path, _, query = line.split(" ")[1].partition("?")
    assert query == "delete="
    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
    entries = [
        {child.tag.removeprefix(_SPACE): child.text or "" for child in entry}
        for entry in ElementTree.fromstring(body)
    ]
    assert all("Key" in entry for entry in entries)  # and nothing of it is quiet
    return Received(headers["host"].partition(".")[0], path[1:], headers, entries, body)


def result(*rows: tuple[str, Mapping[str, str]]) -> bytes:
    """The answer of a target: `Deleted` or `Error`, and what the row has."""
    inner = "".join(f"<{name}>{_children(texts)}</{name}>" for name, texts in rows)
    return ok(f'<DeleteResult xmlns="{_SPACE[1:-1]}">{inner}</DeleteResult>'.encode())


def deleted(keys: Iterable[str]) -> bytes:
    """The answer of a target that has deleted these."""
    return result(*[("Deleted", {"Key": key}) for key in keys])


def rows(body: bytes) -> list[tuple[str, dict[str, str]]]:
    """What a client gets, without the messages of S3Errors: name and children of each row."""
    tree = ElementTree.fromstring(body)
    assert tree.tag == f"{_SPACE}DeleteResult"
    return [
        (
            row.tag.removeprefix(_SPACE),
            {child.tag.removeprefix(_SPACE): child.text or "" for child in row},
        )
        for row in tree
    ]


def codes(body: bytes) -> list[tuple[str, str]]:
    """Key and code of each row; the code of what is deleted is empty."""
    return [(texts["Key"], texts.get("Code", "")) for _, texts in rows(body)]


def _children(texts: Mapping[str, str]) -> str:
    return "".join(
        f"<{name}>{escape(text, {chr(13): '&#13;'})}</{name}>" for name, text in texts.items()
    )
