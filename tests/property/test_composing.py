"""Light nodes against PyYAML's own composer: the same tags, texts and places of everything."""

from __future__ import annotations

from typing import TypeAlias

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.config import yaml_composer
from gateway.config.problems import Place
from gateway.config.yaml_composer import CORE, Node

# Pieces of YAML that go together in many ways, most of them wrong.
PIECES = st.sampled_from(
    [
        *("a: ", "b: ", "- ", "x", "12", "~", "null", "''", '"q"', "yes", "<<: ", "? ", ": "),
        *("&n ", "&m ", "*n", "*m ", "!!str ", "!!map ", "!!seq ", "! ", "!own ", "!!null "),
        *("{", "}", "[", "]", ", ", "\n", "\n", "\n  ", "\n    ", "\n---\n", "# é\n", "|\n  x\n"),
    ]
)
TEXTS = st.lists(PIECES, max_size=14).map("".join)

Shape: TypeAlias = tuple[object, ...]


def theirs(node: yaml.Node, open_: tuple[int, ...] = ()) -> Shape:
    at = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.ScalarNode):
        tag = node.tag
        # Of the tags that YAML 1.1 finds by itself only these mean something here.
        if tag.startswith(CORE) and tag not in (yaml_composer.NULL, yaml_composer.MERGE):
            tag = yaml_composer.TEXT
        return tag, at, node.value, not node.style
    if id(node) in open_:
        return node.tag, at
    members = node.value
    if isinstance(node, yaml.MappingNode):
        members = [one for pair in members for one in pair]
    inner = (*open_, id(node))
    kind = isinstance(node, yaml.MappingNode)
    return node.tag, at, kind, [theirs(one, inner) for one in members]


def ours(node: Node, open_: tuple[int, ...] = ()) -> Shape:
    at = node.place[1:]
    if node.members is None:
        tag = node.tag
        if tag.startswith(CORE) and tag not in (yaml_composer.NULL, yaml_composer.MERGE):
            tag = yaml_composer.TEXT
        return tag, at, node.text, node.plain
    if id(node) in open_:
        return node.tag, at
    return node.tag, at, node.mapping, [ours(one, (*open_, id(node))) for one in node.members]


def read_by_pyyaml(text: str) -> tuple[yaml.MarkedYAMLError | None, list[Shape]]:
    try:
        return None, [theirs(one) for one in yaml.compose_all(text, Loader=yaml.CSafeLoader)]
    except yaml.MarkedYAMLError as fault:
        return fault, []


@given(text=TEXTS)
@example(text="a: &n {k: 1}\nb: [*n, *n]\n---\nc: &n x\n")
@example(text="a: &n [*n]\n")
@example(text="a: &n 1\nb: &n 2\n")
@example(text="a: *n\n")
def test_the_nodes_are_those_of_pyyaml(text: str) -> None:
    fault, wanted = read_by_pyyaml(text)
    if fault is None:
        assert [ours(one) for one in yaml_composer.compose(text, "f", 64)] == wanted
        return
    with pytest.raises(type(fault)) as found:
        yaml_composer.compose(text, "f", 64)
    assert found.value.problem == fault.problem
    assert found.value.context == fault.context
    assert str(found.value.problem_mark) == str(fault.problem_mark)


@given(depth=st.integers(1, 12), deepest=st.integers(1, 12))
def test_too_deep_is_told_where(depth: int, deepest: int) -> None:
    text = "[" * depth + "]" * depth
    if depth <= deepest:
        assert len(yaml_composer.compose(text, "f", deepest)) == 1
        return
    with pytest.raises(yaml_composer.TooDeep) as found:
        yaml_composer.compose(text, "f", deepest)
    assert found.value.place == Place("f", 1, deepest + 1)
