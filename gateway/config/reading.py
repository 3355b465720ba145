"""Reads the sections of a tree and turns pydantic's errors into located problems.

Identities, targets and rules are read one by one, so that one broken entry does not hide what is
wrong with the others, nor what checks across entries would find.

Rules: one `read` for each mapping that can stand alone; a problem stands at the value, at the key
if the key itself is wrong, or at the parent if something is missing.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.config.problems import (
    Path,
    Place,
    Problem,
    Problems,
    Severity,
    did_you_mean,
    format_path,
    one_of,
)
from gateway.config.schema import Apart, Rule, Section
from gateway.config.value_types import is_later
from gateway.config.yaml_tree import Tree

Model = TypeVar("Model", bound=Section | Rule)


class Reader:
    """Reads a tree, and reports its problems with paths as the user wrote them."""

    def __init__(self, tree: Tree, problems: Problems, *, source: str) -> None:
        self.tree = tree
        self.problems = problems
        self._source = source  # stands in for what is written nowhere
        self.broken = tree.broken
        self.variables: set[str] = set()  # that `${VAR}`s name

    def shown(self, path: Path) -> str:
        """Formats a path as the user wrote it."""
        if len(path) > 1 and path[0] == "targets" and path[1] in self.tree.short:
            path = path[1:]
        return format_path(path)

    def place(self, path: Path, *, key: bool = False) -> Place:
        return self.tree.place(path, key=key) or Place(self._source)

    def error(self, path: Path, message: str, suggestion: str = "", *, key: bool = False) -> None:
        """Reports an error at a path."""
        self.error_at(self.place(path, key=key), path, message, suggestion)

    def error_at(self, place: Place, path: Path, message: str, suggestion: str = "") -> None:
        """Reports an error about an absent path at the place that needs it."""
        self.problems.add(Problem(place, self.shown(path), message, suggestion))

    def warn(
        self, path: Path, message: str, suggestion: str = "", *, tolerated: bool = False
    ) -> None:
        """Reports a warning at a path."""
        where, shown = self.place(path, key=True), self.shown(path)
        self.problems.add(Problem(where, shown, message, suggestion, Severity.WARNING, tolerated))

    def read(self, model: type[Model], path: Path) -> Model | None:
        """Validates the mapping at `path` (nothing is an empty one); None if it has errors.

        Fields that are marked as `Apart` are left out.
        """
        data = self.tree.get(path)
        kind: Any = model  # a pydantic model, or a pydantic dataclass
        if data is None:
            data = {}
        elif isinstance(data, dict) and (apart := _apart(kind)):
            data = {key: value for key, value in data.items() if key not in apart}
        try:
            made: Model = kind.__pydantic_validator__.validate_python(data)
            return made
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                self._report(kind, path, detail)
            return None

    def members(self, path: Path) -> Mapping[str, object]:
        """Returns the mapping at `path`, empty if there is none; reports anything else."""
        data = self.tree.get(path)
        if data is None:
            return {}
        if not isinstance(data, dict):
            self.error(path, "must be a mapping")
            return {}
        return data

    def items(self, path: Path) -> range:
        """Returns the indexes of the list at `path`; reports anything but a list."""
        data = self.tree.get(path)
        if data is None:
            if self.tree.place(path) is not None and path in self.tree.values:
                self.error(path, "must not be empty", "leave the key out")
            return range(0)
        if not isinstance(data, list):
            self.error(path, "must be a list")
            return range(0)
        return range(len(data))

    def _report(self, model: type[Section | Rule], base: Path, detail: ErrorDetails) -> None:
        location = tuple(step for step in detail["loc"] if step != "[key]")
        path = self._existing(base, location)
        if any(path[: len(broken)] == broken for broken in self.broken):
            return
        kind = detail["type"]
        if kind in ("extra_forbidden", "unexpected_keyword_argument"):
            known = sorted(_fields_at(model, location[:-1]))
            hint = did_you_mean(str(location[-1]), known)
            self.error(path, "unknown key", hint or f"known: {one_of(known)}", key=True)
        elif kind == "missing":
            self.error(path, "is required")
        elif kind == "config":
            context = detail.get("ctx", {})
            self.error(path, str(context["message"]), str(context["hint"]))
        elif kind in ("model_type", "dict_type", "dataclass_type"):
            self.error(path, "must be a mapping")
        elif kind in ("list_type", "tuple_type"):
            self.error(path, "must be a list")
        elif kind == "string_type":
            self.error(path, "must be text")
        else:
            self.error(path, detail["msg"].lower())

    def _existing(self, base: Path, location: Path) -> Path:
        """Returns the path in the tree: pydantic's also has indexes of values that are no lists."""
        path = base
        for index, step in enumerate(location):
            node = self.tree.get(path)
            known = isinstance(node, dict) and (step in node or index == len(location) - 1)
            if known or (isinstance(node, list) and isinstance(step, int)):
                path = (*path, step)
        return path


@lru_cache
def _apart(model: type[Section | Rule]) -> frozenset[str]:
    """Returns the fields whose members are read one by one."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if any(isinstance(mark, Apart) for mark in field.metadata)
    )


def _fields_at(model: type[Section | Rule], location: Path) -> set[str]:
    """Returns the keys of the section at `location`, seen from `model`."""
    for step in location:
        field = model.model_fields.get(str(step))
        model = _section_in(field.annotation if field else None) or model
    return {name for name, field in model.model_fields.items() if not is_later(field.metadata)}


def _section_in(annotation: object) -> type[Section] | None:
    """Returns the section class inside an annotation (optional, tuple, mapping)."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for argument in typing.get_args(annotation):
        found = _section_in(argument)
        if found is not None:
            return found
    return None
