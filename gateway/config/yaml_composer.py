"""Composes YAML events into light nodes, in a quarter of the memory and time of PyYAML's composer.

Rules: depth is limited while events are read, before anything recurses; an alias is the node that
its anchor named; no message holds any of the text; each place is made once and shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

import yaml
from yaml.composer import ComposerError

from gateway.config.problems import Place

CORE: Final = "tag:yaml.org,2002:"
TEXT, NULL, MERGE = CORE + "str", CORE + "null", CORE + "merge"
MAPPING, SEQUENCE = CORE + "map", CORE + "seq"

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


class Mark(Protocol):
    """A position as both of PyYAML's parsers give it; counted from 0."""

    line: int
    column: int


class TooDeep(Exception):
    """Collections are nested deeper than allowed; `place` is that of the first one too deep."""

    def __init__(self, place: Place) -> None:
        super().__init__("nested too deep")
        self.place = place


class Node:
    """A scalar (`members` is None) or a collection; a mapping's members alternate keys and values.

    `tag` is the one that was written. Else it is what YAML makes of the text, if that is null or
    merge, or text.
    """

    __slots__ = ("mapping", "members", "place", "plain", "tag", "text")

    def __init__(self, tag: str, place: Place, text: str = "", plain: bool = False) -> None:
        self.tag = tag
        self.place = place
        self.text = text
        self.plain = plain
        self.members: list[Node] | None = None
        self.mapping = False


def place_of(mark: Mark | None, source: str) -> Place:
    """Returns the place of a mark, counted from 1."""
    if mark is None:
        return Place(source)
    # What `Place(...)` does, without its call of a Python function: a large file has millions.
    return tuple.__new__(Place, (source, mark.line + 1, mark.column + 1))


def compose(text: str, source: str, deepest: int) -> list[Node]:
    """Returns the root of every document.

    Raises yaml.MarkedYAMLError, yaml.reader.ReaderError and TooDeep.
    """
    roots: list[Node] = []
    opened: list[Node] = []
    anchors: dict[str, tuple[Node, Any]] = {}
    for event in _events(text):
        kind = type(event)
        if kind is yaml.ScalarEvent:
            node = _scalar(event, place_of(event.start_mark, source))
        elif kind is yaml.AliasEvent:
            if event.anchor not in anchors:
                raise ComposerError(None, None, "found undefined alias", event.start_mark)
            node = anchors[event.anchor][0]
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            place = place_of(event.start_mark, source)
            if len(opened) == deepest:
                raise TooDeep(place)
            node = _collection(event, place)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            opened.pop()
            continue
        else:  # the beginning or end of a document or of all
            anchors = {}
            continue
        if kind is not yaml.AliasEvent and event.anchor is not None:
            _name(anchors, event, node)
        (opened[-1].members if opened else roots).append(node)  # type: ignore[union-attr]
        if node.members is not None and kind is not yaml.AliasEvent:
            opened.append(node)
    return roots


def _events(text: str) -> Iterator[Any]:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


def _scalar(event: Any, place: Place) -> Node:
    value = event.value
    tag = event.tag
    if tag is None or tag == "!":
        tag = TEXT
        if event.implicit[0]:
            tag = NULL if value in _NULLS else MERGE if value == "<<" else TEXT
    # The style is None or "" for a plain one, depending on the parser.
    return Node(tag, place, value, not event.style)


def _collection(event: Any, place: Place) -> Node:
    mapping = type(event) is yaml.MappingStartEvent
    tag = event.tag
    if tag is None or tag == "!":
        tag = MAPPING if mapping else SEQUENCE
    node = Node(tag, place)
    node.mapping, node.members = mapping, []
    return node


def _name(anchors: dict[str, tuple[Node, Any]], event: Any, node: Node) -> None:
    if event.anchor in anchors:
        first = anchors[event.anchor][1]
        context = "found duplicate anchor; first occurrence"
        raise ComposerError(context, first, "second occurrence", event.start_mark)
    anchors[event.anchor] = (node, event.start_mark)
