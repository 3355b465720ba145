"""Reads the chart's values with the comments that describe them.

Rules: a comment `# -- TEXT` above a key describes it, `# @schema {...}` says what it may be; a key
without a description is a section, whose own keys have one. Nothing else is a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "s3gateway"


@dataclass(frozen=True)
class Value:
    """One value, by its dotted path."""

    path: tuple[str, ...]
    default: Any
    description: str
    schema: Any  # as it is written; None: the default shows it

    @property
    def name(self) -> str:
        return ".".join(self.path)


class UndescribedError(Exception):
    """A value has neither a description nor keys."""


def read(chart: Path = CHART) -> list[Value]:
    """Returns the values in the order of the file."""
    text = (chart / "values.yaml").read_text()
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    return list(_values(node, (), text.splitlines()))


def _values(node: yaml.MappingNode, above: tuple[str, ...], lines: list[str]) -> Iterator[Value]:
    for key, value in node.value:
        path = (*above, key.value)
        description, schema = _comment(lines, key.start_mark.line)
        if description:
            yield Value(path, _plain(value), description, schema)
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _values(value, path, lines)
        else:
            raise UndescribedError(f"values.yaml:{key.start_mark.line + 1}: {'.'.join(path)}")


def _plain(node: yaml.Node) -> Any:
    return yaml.safe_load(yaml.serialize(node))


def _comment(lines: list[str], line: int) -> tuple[str, Any]:
    """Returns the description and the schema in the comment that ends above a line."""
    first = line
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    words = [text.strip().lstrip("#").strip() for text in lines[first:line]]
    described = [index for index, text in enumerate(words) if text.startswith("-- ")]
    if not described:
        return "", None
    words = words[described[-1] :]
    schema = None
    if found := next((text for text in words if text.startswith("@schema ")), None):
        words.remove(found)
        schema = yaml.safe_load(found.removeprefix("@schema "))
    return re.sub(r"\s+", " ", " ".join(words).removeprefix("-- ")), schema
