"""Reads the settings of the custom router, and has its class imported in a process of its own.

Rules: the operator's code never runs in this process; nothing is imported while the configuration
has another error, nor for a text that was accepted before; the class gets the configuration as it
is written, without secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

from gateway.config.problems import Path, suggest
from gateway.config.reading import Reader
from gateway.config.schema import Routing
from gateway.config.secrets import Files
from gateway.config.yaml_tree import BUILT_IN_TARGETS, Scalar, Value
from gateway.router.check import check
from gateway.router.definition import Definition

CUSTOM: Final[Path] = ("routing", "custom")

# Settings whose values no code of the operator's gets; a test holds that these are all.
SECRET_SETTINGS: Final = frozenset(("secret_access_key", "token"))

_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}\Z")
_DECIMAL: Final = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?\Z"
)
_WORDS: Final = {
    word: value
    for words, value in ((("true", "True", "TRUE"), True), (("false", "False", "FALSE"), False))
    for word in words
}


def nameable_targets(reader: Reader) -> Iterable[str]:
    """Returns the targets that a custom router may name: every one that is configured.

    Of those that always exist, these are the ones that the file or a variable gives.
    """
    for name in reader.members(("targets",)):
        path: Path = ("targets", name)
        given = path in reader.tree.keys or (*path, "endpoint") in reader.tree.values
        if name not in BUILT_IN_TARGETS or given:
            yield name


def read_custom(
    reader: Reader, files: Files, routing: Routing, targets: Collection[str]
) -> Definition | None:
    """Returns what the router is made from, not imported yet; None without one."""
    if routing.custom is None:
        for name in sorted(routing.model_fields_set):
            if name.startswith("custom_"):
                reader.error(("routing", name), "is of no use without routing.custom", key=True)
        return None
    for index, name in enumerate(routing.custom_reads):
        if name not in targets:
            at: Path = ("routing", "custom_reads")
            listed = isinstance(reader.tree.get(at), list)
            path = (*at, index) if listed else at
            reader.error(path, f"{name!r} is no target", suggest(name, targets))
    module, _, kind = routing.custom.partition(":")
    return Definition(
        module=module,
        name=kind,
        path=_directories(reader, files, routing.custom_path),
        memory_mb=routing.custom_memory_mb,
        config=json.dumps(_plain_mapping(reader.tree.data), separators=(",", ":")),
    )


def _directories(reader: Reader, files: Files, names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the directories; without `custom_path`, the one of the configuration."""
    found = []
    for index, name in enumerate(names or (".",)):
        directory = files.resolve(name).absolute()
        if names and not directory.is_dir():
            at: Path = ("routing", "custom_path")
            listed = isinstance(reader.tree.get(at), list)
            path = (*at, index) if listed else at
            reader.error(path, f"{name!r} is no directory", "name the one of the module")
        found.append(str(directory))
    return tuple(found)


def checked(reader: Reader, definition: Definition, environ: Mapping[str, str]) -> Definition:
    """Has the class imported; a fault is a problem at `routing.custom`."""
    outcome = check(definition, environ)
    if outcome.fault:
        reader.error(CUSTOM, outcome.fault, outcome.remedy)
    return replace(definition, stamp=outcome.stamp)


def _plain_mapping(data: dict[str, Value]) -> dict[str, object]:
    return {name: _plain(value) for name, value in data.items() if name not in SECRET_SETTINGS}


def _plain(value: Value) -> object:
    """Returns a value as a YAML 1.2 reader has it: numbers and booleans are such."""
    if isinstance(value, dict):
        return _plain_mapping(value)
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if value is None or not isinstance(value, Scalar) or not value.plain:
        return None if value is None else str(value)
    if value in _WORDS:
        return _WORDS[value]
    if _INTEGER.match(value):
        return int(value)
    return float(value) if _DECIMAL.match(value) else str(value)
