"""Prints the configuration in effect as YAML: the dump of its sections, with secrets redacted.

Rules: no secret is printed, not even its length; the text is a valid configuration once the secrets
are put back; targets that no request can reach are left out, as they are for workers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, is_dataclass

from pydantic import SecretStr

from fastpath.routing.profiles import PROFILES
from gateway.config.addresses import Endpoint, Listen
from gateway.config.layers import KEY_SETTINGS
from gateway.config.problems import Path, format_path
from gateway.config.schema import Config, ProfileOverrides, Routing, Rule, Section, Target
from gateway.config.yaml_tree import Tree

REDACTED = "<redacted>"

# Settings that are printed before those of the keys, which their sections inherit.
_FIRST = frozenset(
    ("name", "profile", "endpoint", "region", "addressing", "forgets", "profile_overrides")
)
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*\Z")
_AMBIGUOUS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


def effective(model: Config) -> dict[str, object]:
    """Returns the configuration in the form of its file."""
    named = tuple(identity for identity in model.identities if not identity.implicit)
    shown = model.model_copy(update={"auth": model.auth.model_copy(update={"identities": named})})
    return _settings(shown)


def _settings(section: Section) -> dict[str, object]:
    """Returns the settings of a section that have a value."""
    names = sorted(type(section).model_fields, key=lambda name: name not in _FIRST)
    if isinstance(section, Target) and PROFILES[str(section.profile)].dialect is None:
        names.remove("forgets")
    if isinstance(section, Routing) and section.custom is None:
        names = [name for name in names if not name.startswith("custom")]
    if isinstance(section, Routing) and not section.has_fallbacks:
        names.remove("fallback_on")
    return _dumped((name, getattr(section, name)) for name in names)


def _dumped(settings: Iterable[tuple[str, object]]) -> dict[str, object]:
    return {name: _plain(value) for name, value in settings if not _is_empty(name, value)}


def _is_empty(name: str, value: object) -> bool:
    """Whether the value means the same as no setting; an empty `allow` does not."""
    if isinstance(value, ProfileOverrides):
        return not value.given
    return value is None or (value in ("", (), {}) and name != "allow")


def _plain(value: object) -> object:
    """Returns a value in the form of the file."""
    if isinstance(value, ProfileOverrides):
        return written(value.given)
    if isinstance(value, Section):
        return _settings(value)
    if isinstance(value, Rule):
        return _dumped((name, getattr(value, name)) for name in Rule.model_fields)
    if isinstance(value, SecretStr):
        return REDACTED
    if isinstance(value, Listen | Endpoint):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value


def written(overrides: Mapping[str, object]) -> dict[str, object]:
    """Returns overrides in the form of the file."""
    return {name: "all" if value is None else value for name, value in overrides.items()}


def render(document: Mapping[str, object], tree: Tree | None = None) -> str:
    """Returns YAML text; with a tree, each value is followed by its origin."""
    return "\n".join(_lines(document, (), "", tree)) + "\n"


def _lines(value: object, path: Path, indent: str, tree: Tree | None) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            at = (*path, key)
            if (isinstance(member, Mapping) and member) or _is_block(member):
                yield f"{indent}{key}:"
                yield from _lines(member, at, indent + "  ", tree)
            else:
                yield f"{indent}{key}: {_flow(member)}{_origin(at, tree)}"
    elif isinstance(value, list):
        for index, member in enumerate(value):
            first, *rest = _lines(member, (*path, index), "", tree)
            yield f"{indent}- {first}"
            yield from (f"{indent}  {line}" for line in rest)


def _is_block(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, Mapping) for item in value)


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(item) for item in value)}]"
    if isinstance(value, str):
        plain = _PLAIN.match(value) and value.lower() not in _AMBIGUOUS
        return value if plain else json.dumps(value)
    return json.dumps(value)


def _origin(path: Path, tree: Tree | None) -> str:
    if tree is None:
        return ""
    return f"  # {origin(path, tree)}"


def origin(path: Path, tree: Tree) -> str:
    """Returns where a setting was given: `file:line`, `$VARIABLE`, `--flag` or `default`."""
    for candidate in (path, (*path[:-1], f"{path[-1]}_file")):
        place = tree.values.get(candidate)
        if place is not None:
            bare = place.source.startswith(("$", "--")) or place.source == "built-in"
            return place.source if bare else f"{place.source}:{place.line}"
    if path[0] == "targets" and path[-1] in KEY_SETTINGS:
        return f"$AWS_{str(path[-1]).upper()}"
    return "default"


def origins(document: Mapping[str, object], tree: Tree) -> dict[str, str]:
    """Returns where each value of a document was given, by its path (`targets.s3.region`)."""
    return {format_path(path): origin(path, tree) for path in _paths(document, ())}


def _paths(value: object, path: Path) -> Iterator[Path]:
    """Yields the path of every value that `render` writes in a line."""
    if isinstance(value, Mapping) and value:
        for key, member in value.items():
            yield from _paths(member, (*path, key))
    elif isinstance(value, list) and _is_block(value):
        for index, member in enumerate(value):
            yield from _paths(member, (*path, index))
    else:
        yield path


__all__ = ["REDACTED", "effective", "origin", "origins", "render", "written"]
