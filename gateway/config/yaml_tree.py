"""Turns YAML text into trees: plain data, and the place of every key and value.

A value stays the text that was written until the schema says what is expected there. So
`sigv2: off` is the word `off`, an access key of digits is text, and the booleans of YAML 1.1
(`yes`, `on`, `no`) stay words.

Rules: a syntax error's message holds nothing of the text, which may be a secret; depth and size are
limited before anything recurses; only the tags of plain data are accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from gateway.config import yaml_composer
from gateway.config.problems import Path, Place, Problem, Problems, format_path
from gateway.config.yaml_composer import CORE, MAPPING, MERGE, NULL, SEQUENCE, Node, place_of

# The targets that exist without being configured, and may stand at the top of the file.
BUILT_IN_TARGETS = ("lakefs", "s3")
DEFAULT_TARGET = "s3"

MAX_DEPTH = 64  # the schema is 7 deep; what builds values recurses
MAX_NODES = 1_000_000  # aliases unfold: ten lines of them can stand for a billion values

_SCALAR_TAGS = frozenset(
    CORE + kind for kind in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")
)


class Scalar(str):
    """A scalar's text; `plain` if it had no quotes."""

    __slots__ = ("plain",)

    plain: bool

    def __new__(cls, text: str, plain: bool = True) -> Scalar:
        scalar = super().__new__(cls, text)
        scalar.plain = plain
        return scalar


Value: TypeAlias = "Scalar | list[Value] | dict[str, Value] | None"


@dataclass(slots=True)
class Tree:
    """Data, with the places of values (`values`) and of mapping keys (`keys`) by path.

    `broken` are values that were reported already. `short` are the targets that the file names
    `lakefs` or `s3`, without `targets.` in front.
    """

    data: dict[str, Value] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    broken: set[Path] = field(default_factory=set)
    short: set[str] = field(default_factory=lambda: set(BUILT_IN_TARGETS))

    def get(self, path: Path) -> Value:
        """Returns the value at a path, None if there is none."""
        node: Value = self.data
        for step in path:
            if isinstance(step, int):
                node = node[step] if isinstance(node, list) and step < len(node) else None
            else:
                node = node.get(step) if isinstance(node, dict) else None
        return node

    def place(self, path: Path, *, key: bool = False) -> Place | None:
        """Returns the place of a value or its key; an absent value has that of its parent's key."""
        if key and path in self.keys:
            return self.keys[path]
        if path in self.values:
            return self.values[path]
        for length in range(len(path) - 1, 0, -1):
            parent = path[:length]
            found = self.keys.get(parent) or self.values.get(parent)
            if found is not None:
                return found
        return None


def read_documents(text: str, source: str, problems: Problems) -> list[Tree]:
    """Returns every document of a YAML text; an empty list if it is no YAML."""
    try:
        nodes = yaml_composer.compose(text, source, MAX_DEPTH)
    except yaml_composer.TooDeep as fault:
        message = f"nested deeper than {MAX_DEPTH} levels"
        problems.add(Problem(fault.place, "syntax", message))
        return []
    except yaml.reader.ReaderError as error:
        place = _place_of_offset(text, source, error.position)
        message = f"control character #x{ord_of(error.character):02x} is not allowed"
        problems.add(Problem(place, "syntax", message))
        return []
    except yaml.MarkedYAMLError as error:
        problems.add(_syntax_problem(error, source, text.count("\n")))
        return []
    builders = [_Builder(source, problems) for _ in nodes]
    return [builder.build(node) for builder, node in zip(builders, nodes, strict=True)]


def ord_of(character: object) -> int:
    """Returns a character's number; PyYAML's parsers give it as text or as a number."""
    return ord(character) if isinstance(character, str) else int(str(character))


def _place_of_offset(text: str, source: str, offset: int) -> Place:
    before = text[:offset]
    return Place(source, before.count("\n") + 1, offset - before.rfind("\n"))


# libyaml reads ahead of the depth that is looked at here, and newer ones have a limit of their own.
_TOO_DEEP = "exceeded maximum nesting depth"

_REMEDIES = {
    "found character that cannot start any token": "a tab cannot indent, and a value that starts "
    "with @, ` or % needs quotes",
    "mapping values are not allowed in this context": "a value that contains ': ' needs quotes",
    "found undefined alias": "a value that starts with * needs quotes",
    "did not find expected key": "check the indentation of this line",
    "found unknown escape character": "a backslash is literal in 'single quotes'",
}


def _syntax_problem(error: yaml.MarkedYAMLError, source: str, last_line: int) -> Problem:
    mark = error.problem_mark or error.context_mark
    if mark is not None and mark.line >= last_line and error.context_mark is not None:
        mark = error.context_mark  # what was opened and never closed, not the end of the file
    place = place_of(mark, source)
    if error.problem == _TOO_DEEP:
        return Problem(place, "syntax", f"nested deeper than {MAX_DEPTH} levels")
    message = str(error.problem or "not YAML")
    context = f" {error.context}" if error.context and "next token" not in error.context else ""
    return Problem(place, "syntax", message + context, _REMEDIES.get(message, ""))


class _Builder:
    """Turns the nodes of one document into a tree."""

    def __init__(self, source: str, problems: Problems) -> None:
        self._source = source
        self._problems = problems
        self._tree = Tree()
        # The ids of the collections that are being built: an alias to one of them is a loop.
        self._open: set[int] = set()
        self._budget = MAX_NODES
        self._scalars: dict[tuple[str, bool], Scalar] = {}  # large files say the same often
        self._words: dict[str, str] = {}

    def build(self, node: Node) -> Tree:
        root = self._value(node, ())
        if isinstance(root, dict):
            self._tree.data = root
        elif root is not None:
            kind = "a list" if isinstance(root, list) else "text"
            self._report(node, (), f"must be a mapping, not {kind}", "start with router:, s3: ...")
        return self._tree

    def _report(self, node: Node, path: Path, message: str, suggestion: str = "") -> None:
        where = format_path(path) or "file"
        self._problems.add(Problem(node.place, where, message, suggestion))

    def _value(self, node: Node, path: Path) -> Value:
        self._tree.values[path] = node.place
        self._budget -= 1
        if self._budget == 0:
            self._report(node, path, f"more than {MAX_NODES} values")
        if self._budget <= 0:
            return None
        if node.members is None:
            return self._scalar(node, path)
        if id(node) in self._open:
            self._report(node, path, "an alias that contains itself")
            self._tree.broken.add(path)
            return None
        self._open.add(id(node))
        try:
            if node.mapping and node.tag == MAPPING:
                return self._mapping(node, path)
            if node.tag == SEQUENCE and not node.mapping:
                members = enumerate(node.members)
                return [self._value(item, (*path, index)) for index, item in members]
            self._report(node, path, "a YAML tag is not taken here", "write the plain value")
            self._tree.broken.add(path)
            return None
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: Node, path: Path) -> Value:
        if node.tag not in _SCALAR_TAGS:
            self._report(node, path, "a YAML tag is not taken here", "write the plain value")
            self._tree.broken.add(path)
            return None
        if node.plain and node.tag == NULL:
            return None
        known = self._scalars.get((node.text, node.plain))
        if known is None:
            known = self._scalars[node.text, node.plain] = Scalar(node.text, node.plain)
        return known

    def _mapping(self, node: Node, path: Path) -> dict[str, Value]:
        result: dict[str, Value] = {}
        merged: list[Node] = []
        members = iter(node.members or ())
        for key_node, value_node in zip(members, members, strict=True):
            if key_node.members is not None:
                self._report(key_node, path, "a key must be a word")
                continue
            if key_node.tag == MERGE and key_node.plain:
                merged.append(value_node)
                continue
            key = self._words.setdefault(key_node.text, key_node.text)
            place = (*path, key)
            if key in result:
                first = self._tree.keys[place].line
                self._report(key_node, place, f"duplicate key, first given on line {first}")
                continue
            self._tree.keys[place] = key_node.place
            result[key] = self._value(value_node, place)
        for source in self._merge_sources(merged, path):
            self._merge(source, path, result)
        return result

    def _merge_sources(self, nodes: list[Node], path: Path) -> Iterator[Node]:
        for node in nodes:
            alone = node.mapping or node.members is None
            for member in [node] if alone else node.members or ():
                if member.mapping and id(member) not in self._open:
                    yield member
                else:
                    self._report(member, (*path, "<<"), "must be a mapping or a list of mappings")

    def _merge(self, source: Node, path: Path, into: dict[str, Value]) -> None:
        """Merges a mapping of `<<`: written keys win, and earlier sources win over later ones."""
        scratch = _Builder(self._source, self._problems)
        scratch._budget = self._budget
        scratch._open = self._open
        for key, value in scratch._mapping(source, path).items():
            if key in into:
                continue
            into[key] = value
            inner = (*path, key)
            for theirs, ours in (
                (scratch._tree.keys, self._tree.keys),
                (scratch._tree.values, self._tree.values),
            ):
                ours.update(
                    {at: where for at, where in theirs.items() if at[: len(inner)] == inner}
                )
        self._budget = scratch._budget
