"""Reads parts of a tree with the schema's models; pydantic's errors become located problems.

Lists and maps of things (identities, targets, rules) are read one by one, so that one broken entry
does not hide what is wrong with the others, nor what checks across entries would find.

Rules: one `read` per mapping that can stand alone; the place of a problem is the value's, the key's
when the key itself is wrong, or the parent's when something is missing.

Not here: the models (`schema`), the checks across settings (`checks`).
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.config.nodes import Tree
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
from gateway.config.schema import File, Section
from gateway.config.words import is_later

Model = TypeVar("Model", bound=Section)


class Reader:
    """A tree, the problems found in it, and how its paths are shown to people."""

    def __init__(self, tree: Tree, problems: Problems, *, source: str) -> None:
        self.tree = tree
        self.problems = problems
        self._source = source  # stands in for what is written nowhere
        self.broken = tree.broken
        self.variables: set[str] = set()  # that `${VAR}`s name

    def shown(self, path: Path) -> str:
        """A path as the user wrote it."""
        if len(path) > 1 and path[0] == "targets" and path[1] in self.tree.short:
            path = path[1:]
        return format_path(path)

    def place(self, path: Path, *, key: bool = False) -> Place:
        return self.tree.place(path, key=key) or Place(self._source)

    def error(self, path: Path, message: str, suggestion: str = "", *, key: bool = False) -> None:
        """Report an error at a path."""
        self.error_at(self.place(path, key=key), path, message, suggestion)

    def error_at(self, place: Place, path: Path, message: str, suggestion: str = "") -> None:
        """Report an error about a path that stands nowhere, at the place that needs it."""
        self.problems.add(Problem(place, self.shown(path), message, suggestion))

    def warn(
        self, path: Path, message: str, suggestion: str = "", *, tolerated: bool = False
    ) -> None:
        """Report a warning at a path."""
        where, shown = self.place(path, key=True), self.shown(path)
        self.problems.add(Problem(where, shown, message, suggestion, Severity.WARNING, tolerated))

    def read(self, model: type[Model], path: Path, *, without: Iterable[str] = ()) -> Model | None:
        """The mapping at `path` as a model (nothing there: all defaults), or None if it is wrong.

        `without` names the members that are read one by one.
        """
        data = self.tree.get(path)
        if data is None:
            data = {}
        elif isinstance(data, dict) and without:
            data = {key: value for key, value in data.items() if key not in without}
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                self._report(model, path, detail)
            return None

    def members(self, path: Path) -> Mapping[str, object]:
        """The mapping at `path`, empty if there is none; anything else is reported."""
        data = self.tree.get(path)
        if data is None:
            return {}
        if not isinstance(data, dict):
            self.error(path, "must be a mapping")
            return {}
        return data

    def items(self, path: Path) -> range:
        """The indexes of the list at `path`; anything but a list is reported."""
        data = self.tree.get(path)
        if data is None:
            if self.tree.place(path) is not None and path in self.tree.values:
                self.error(path, "must not be empty", "leave the key out")
            return range(0)
        if not isinstance(data, list):
            self.error(path, "must be a list")
            return range(0)
        return range(len(data))

    def _report(self, model: type[BaseModel], base: Path, detail: ErrorDetails) -> None:
        location = tuple(step for step in detail["loc"] if step != "[key]")
        path = self._existing(base, location)
        if any(path[: len(broken)] == broken for broken in self.broken):
            return
        kind = detail["type"]
        if kind == "extra_forbidden":
            known = sorted(_fields_at(model, location[:-1]))
            hint = did_you_mean(str(location[-1]), known)
            self.error(path, "unknown key", hint or f"known: {one_of(known)}", key=True)
        elif kind == "missing":
            self.error(path, "is required")
        elif kind == "config":
            context = detail.get("ctx", {})
            self.error(path, str(context["message"]), str(context["hint"]))
        elif kind in ("model_type", "dict_type", "model_attributes_type"):
            self.error(path, "must be a mapping")
        elif kind == "list_type":
            self.error(path, "must be a list")
        elif kind == "string_type":
            self.error(path, "must be text")
        else:
            self.error(path, detail["msg"].lower())

    def _existing(self, base: Path, location: Path) -> Path:
        """The path in the tree: pydantic also names union members and indexes of lone values."""
        path = base
        for index, step in enumerate(location):
            node = self.tree.get(path)
            known = isinstance(node, dict) and (step in node or index == len(location) - 1)
            if known or (isinstance(node, list) and isinstance(step, int)):
                path = (*path, step)
        return path


def _fields_at(model: Any, location: Path) -> set[str]:
    """The keys of the section that `location` leads to, starting at `model`."""
    for step in location:
        fields = getattr(model, "model_fields", {})
        annotation = fields[step].annotation if step in fields else None
        found = _section_in(annotation)
        if found is not None:
            model = found
    names = {name for name, field in model.model_fields.items() if not is_later(field.metadata)}
    return names - {"lakefs", "s3"} | {"lakefs", "s3"} if model is File else names


def _section_in(annotation: object) -> type[Section] | None:
    """The section class inside an annotation (optional, list, mapping)."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_args(annotation):
        for argument in typing.get_args(annotation):
            found = _section_in(argument)
            if found is not None:
                return found
    return None
