"""Lists every setting of the configuration file with what the model knows of it.

Rules: nothing is told twice: the type, the bounds and the default come from the field, the meaning
from the text under it, what a restart is needed for from the settings that the supervisor reads
once, and variables from the table that reads them.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Final

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from gateway.config import condition_values, value_types
from gateway.config.addresses import Endpoint, Listen
from gateway.config.json_schema import bounds
from gateway.config.layers import VARIABLES
from gateway.config.meanings import meaning, split_default
from gateway.config.schema import Config
from gateway.config.value_types import AUTO, MAX_WORKERS, OneOrMore, Parse, Word, is_later
from gateway.supervisor.boot_settings import Boot

# What the settings of the BOOT frame are in the file; None: a flag of `serve` alone, or in force on
# a reload too. A section is named whose presence is read at the start, while what is in it is not.
READ_AT_THE_START: Final[Mapping[str, tuple[str, ...] | None]] = {
    "listen": ("router.listen_address",),
    "listen_tls": ("router.tls", "router.tls.listen_address"),
    "admin": ("router.admin_address",),
    "admin_tls": ("admin.tls",),
    "workers": ("router.workers",),
    "connections": None,
    "drain_seconds": None,
    "backlog": None,
    "access_log": None,
    "log_format": None,
    "log_level": None,
}
FLAGS: Final = {
    "router.listen_address": ("S3GATEWAY_LISTEN", "--listen"),
    "router.admin_address": ("S3GATEWAY_ADMIN", "--admin"),
    "router.workers": ("S3GATEWAY_WORKERS", "--workers"),
    "routing.environment": ("S3GATEWAY_ENVIRONMENT", "ENVIRONMENT", "--environment"),
}
UNITS: Final = {
    "_seconds": "seconds",
    "_bytes": "bytes",
    "_ms": "milliseconds",
    "_mb": "MiB",
    "_percent": "percent",
}


@dataclass(frozen=True)
class Setting:
    """One setting, or a section as a whole, by its dotted path."""

    path: str
    meaning: str
    kind: str  # what it may be, with its range
    unit: str
    default: str
    at_start: bool  # read once: a change needs a restart
    variables: tuple[str, ...]  # environment variables and flags that set it, too
    settings: tuple[Setting, ...] = ()  # those of a section


def root() -> tuple[Setting, ...]:
    """Returns the sections of the file."""
    return tuple(_settings(Config, ""))


def every(settings: Sequence[Setting]) -> Iterator[Setting]:
    """Yields these settings and all that are inside of them."""
    for setting in settings:
        yield setting
        yield from every(setting.settings)


def _settings(section: Any, above: str) -> Iterator[Setting]:
    for name, field in section.model_fields.items():
        if not is_later(field.metadata):
            yield _setting(section, name, above)


def _setting(section: Any, name: str, above: str) -> Setting:
    field = section.model_fields[name]
    inner, step = _inner(field.annotation, "")
    path = f"{above}{name}{step}"
    text, otherwise = split_default(meaning(section, name))
    # `lakefs` and `s3` are short for entries of `targets`, which are told once.
    within = () if inner is None or path in ("lakefs", "s3") else _settings(inner, f"{path}.")
    starting = {one for paths in READ_AT_THE_START.values() for one in paths or ()}
    return Setting(
        path,
        text,
        "path of a file" if name.endswith("_file") else kind(field.annotation, field.metadata),
        next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), ""),
        otherwise or _default(field),
        path in starting,
        _variables(path),
        tuple(within),
    )


def _variables(path: str) -> tuple[str, ...]:
    """Returns what sets it besides the file; of a target's setting, with the target's name."""
    found = list(FLAGS.get(path, ()))
    for variable, at in VARIABLES:
        if path == ".".join(("targets", "*", *map(str, at[2:]))):
            found.append(f"{variable} ({at[1]})")
    return tuple(found)


def _inner(annotation: Any, step: str) -> tuple[Any, str]:
    """Returns the section that a value is or holds, and how the path to it goes on."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return annotation, step
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _inner(arguments[0], step)
    if origin is tuple:
        return _inner(arguments[0], "[]")
    if origin is dict:
        return _inner(arguments[1], ".*")
    if origin in (typing.Union, types.UnionType):
        found = (_inner(member, step) for member in arguments)
        return next((one for one in found if one[0] is not None), (None, ""))
    return None, ""


# What may be written


def kind(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Returns what a value of this type may be, in words."""
    if typing.get_origin(annotation) is Annotated:
        inner, *marks = typing.get_args(annotation)
        return kind(inner, (*marks, *metadata))
    for marked, words in _NAMED:
        if any(mark in typing.get_args(marked)[1:] for mark in metadata):
            return words
    arguments = typing.get_args(annotation)
    match typing.get_origin(annotation):
        case typing.Union | types.UnionType:
            return _either([one for one in arguments if one is not types.NoneType], metadata)
        case typing.Literal:
            return ", ".join(f"`{one}`" for one in arguments)
        case origin if origin in (tuple, list):
            item = kind(arguments[0])
            return f"{item}, or a list" if OneOrMore in metadata else f"list: {item}"
        case origin if origin is dict:
            return f"mapping: {kind(arguments[0])} to {kind(arguments[1])}"
    if hasattr(annotation, "model_fields"):
        return "section"
    if annotation in _ADDRESSES:
        return _ADDRESSES[annotation]
    return _scalar(annotation, metadata)


def _either(members: Sequence[Any], metadata: Sequence[Any]) -> str:
    return " or ".join(dict.fromkeys(kind(member, metadata) for member in members))


def _scalar(annotation: Any, metadata: Sequence[Any]) -> str:
    parse = next((mark for mark in metadata if isinstance(mark, Parse)), None)
    if isinstance(parse, Word):
        return _one_of([f"`{word}`" for word in parse.words])
    if annotation is bool:
        return "`true` or `false`"
    if annotation in (int, float):
        return ("whole number" if annotation is int else "number") + _range(bounds(parse))
    return "secret text" if annotation is SecretStr else "text"


def _one_of(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _range(found: Mapping[str, Any]) -> str:
    most = found.get("maximum")
    if most is not None:
        return f" from {found.get('minimum', 1)} to {most}"
    if "minimum" in found:
        return ", 0: off"
    return " above 0" if "exclusiveMinimum" in found else ""


_ADDRESSES: Final = {Listen: "`HOST:PORT`", Endpoint: "URL"}
# Types by their marks, the special ones first. A mark is one object, which no other type has.
_NAMED: Final = (
    (value_types.Workers, f"`{AUTO}` or a whole number from 1 to {MAX_WORKERS}"),
    (value_types.AllOrOperations, "`all`, or a list: operation, HTTP method or class"),
    (value_types.Operations, "list: operation, HTTP method or class"),
    (value_types.AnyOperations, "list: operation, HTTP method or class"),
    (value_types.OperationName, "operation"),
    (condition_values.Size, "size"),
    (condition_values.Hours, "two hours from 0 to 23"),
    (condition_values.Outcomes, "`404`, `5xx`, `timeout`, `refused`, or a list"),
    (condition_values.ContentType, "media type"),
    (condition_values.TimeZone, "name of a time zone"),
    (value_types.ClassName, "`module:Class`"),
    (value_types.Domain, "host name"),
    (value_types.FieldName, "header or query parameter"),
    (value_types.Glob, "glob"),
    (value_types.Pattern, "glob with named parts"),
    (value_types.KeyGlob, "glob"),
    (value_types.KeyPrefix, "beginning of a key"),
    (value_types.NewBucket, "name of a bucket"),
    (value_types.Network, "address or network (`10.0.0.0/8`)"),
    (value_types.HeaderName, "header"),
    (value_types.HeaderPattern, "header"),
    (value_types.Origin, "origin"),
    (value_types.Region, "region"),
    (value_types.Name, "name"),
    (value_types.KeyID, "access key id"),
    (value_types.RoleARN, "`arn:aws:iam::ACCOUNT:role/NAME`"),
    (value_types.URLPath, "path of a URL"),
)


# Defaults


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None or value == () or value == {}:
        return "none"
    if hasattr(type(value), "model_fields") or is_dataclass(value):
        return "none" if not isinstance(value, Listen | Endpoint) else f"`{value}`"
    return f"`{_written(value)}`"


def _written(value: Any) -> str:
    """Returns a value as the file has it."""
    if isinstance(value, tuple) and not isinstance(value, Listen) and len(value) == 1:
        return _written(value[0]) if isinstance(value[0], Listen) else json.dumps(list(value))
    if isinstance(value, frozenset):
        return json.dumps(sorted(value)).replace('"', "")
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) or '""'


def forgotten() -> list[str]:
    """Returns the settings of the BOOT frame that READ_AT_THE_START says nothing of."""
    return [one.name for one in fields(Boot) if one.name not in READ_AT_THE_START]
