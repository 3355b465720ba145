"""Describes the configuration file as a JSON Schema (draft 7), made of the models of its sections.

Rules: it accepts everything that the models accept in JSON, as the chart writes it; what one field
says of another, and the grammar of a text, only the models know. Whatever is no text may also be
`${VAR}`. A bound of a number is found out by asking the field's own validator.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from inspect import getdoc
from typing import Annotated, Any, Final

from pydantic import SecretStr
from pydantic_core import PydanticCustomError

from gateway.config.condition_values import Hours, Outcomes, Size
from gateway.config.meanings import meaning, plain
from gateway.config.schema import Config
from gateway.config.value_types import (
    AUTO,
    MAX_WORKERS,
    AllOrOperations,
    OneOrMore,
    Parse,
    Word,
    Workers,
    is_later,
)

Schema = dict[str, Any]

DRAFT: Final = "http://json-schema.org/draft-07/schema#"  # the newest that every Helm reads
TEXT: Final[Schema] = {"type": "string", "minLength": 1}

# A number may be written as text: quoted, or by a variable.
_COMMON: Final[Mapping[str, Schema]] = {
    "numeral": {"type": "string", "pattern": r"^[+-]?[0-9._eE+-]+$|\$\{"},
    "variable": {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"},
    "boolean": {
        "anyOf": [
            {"type": "boolean"},
            {"type": "string", "pattern": r"^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$|\$\{"},
        ]
    },
}
_NUMERAL, _VARIABLE, _BOOLEAN = ({"$ref": f"#/definitions/{name}"} for name in _COMMON)
_LARGEST: Final = (1, 100)


def of_config(secret: Schema = TEXT) -> tuple[Schema, dict[str, Schema]]:
    """Returns the schema of a file, and the definitions that it refers to.

    `secret` is the schema of each value that is a secret.
    """
    maker = _Maker(secret)
    return maker.of(Config), maker.definitions


class _Maker:
    """Makes schemas of annotations; sections become definitions."""

    def __init__(self, secret: Schema) -> None:
        self.definitions: dict[str, Schema] = dict(_COMMON)
        self._secret = secret

    def of(self, annotation: Any, metadata: Sequence[Any] = ()) -> Schema:
        """Returns the schema of a type with these marks."""
        if typing.get_origin(annotation) is Annotated:
            inner, *marks = typing.get_args(annotation)
            return self.of(inner, (*marks, *metadata))
        for marked, schema in _SPECIAL:
            if any(mark is typing.get_args(marked)[1] for mark in metadata):
                return schema
        schema = self._plain(annotation, metadata)
        if OneOrMore in metadata and schema.get("type") == "array":
            return {"anyOf": [schema, schema["items"]]}
        return schema

    def _plain(self, annotation: Any, metadata: Sequence[Any]) -> Schema:
        arguments = typing.get_args(annotation)
        match typing.get_origin(annotation):
            case typing.Union | types.UnionType:
                return self._union(arguments, metadata)
            case typing.Literal:
                return {"enum": list(arguments)}
            case origin if origin in (tuple, list, frozenset):
                few = {} if origin is list else {"minItems": 1}
                return {"type": "array", "items": self.of(arguments[0]), **few}
            case origin if origin is dict:
                return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if hasattr(annotation, "model_fields"):
            return self._section(annotation)
        return self._scalar(annotation, metadata)

    def _union(self, members: Sequence[Any], metadata: Sequence[Any]) -> Schema:
        """Returns the schema of either: None is for what is left out."""
        given = [member for member in members if member is not types.NoneType]
        found: list[Schema] = []
        for member in given:
            schema = self.of(member, metadata)
            found += [one for one in schema.get("anyOf", [schema]) if one not in found]
        return found[0] if len(found) == 1 else {"anyOf": found}

    def _section(self, section: Any) -> Schema:
        name = section.__name__
        if name not in self.definitions:
            self.definitions[name] = {}  # sections may hold each other
            fields: Mapping[str, Any] = section.model_fields
            self.definitions[name] = {
                "type": "object",
                "description": (getdoc(section) or "").partition("\n\n")[0].replace("\n", " "),
                "additionalProperties": False,
                "properties": {
                    name: _described(section, name, self.of(field.annotation, field.metadata))
                    for name, field in fields.items()
                    if not is_later(field.metadata)
                },
                "required": [name for name, field in fields.items() if field.is_required()],
            }
        return {"$ref": f"#/definitions/{name}"}

    def _scalar(self, kind: Any, metadata: Sequence[Any]) -> Schema:
        parse = next((mark for mark in metadata if isinstance(mark, Parse)), None)
        if isinstance(parse, Word):
            return {"anyOf": [{"enum": list(parse.words)}, _VARIABLE]}
        if kind is bool:
            return _BOOLEAN
        if kind in (int, float):
            number = {"type": "integer" if kind is int else "number", **bounds(parse)}
            return {"anyOf": [number, _NUMERAL]}
        if kind is SecretStr:
            return self._secret
        return {"type": "string"} if parse and _accepts(parse, "") else TEXT


def _described(section: type, name: str, schema: Schema) -> Schema:
    """Adds what a setting means, for whoever writes a file with an editor that knows schemas."""
    return {"description": plain(meaning(section, name)), **schema}


def bounds(parse: Parse | None) -> Schema:
    """Returns the bounds that a validator of numbers turns out to have."""
    found: Schema = {}
    if parse is None:
        return found
    if not _accepts(parse, "0"):
        found["exclusiveMinimum"] = 0
    elif not _accepts(parse, "-1"):
        found["minimum"] = 0
    for number in _LARGEST:
        if _accepts(parse, str(number)) and not _accepts(parse, str(number + 1)):
            found["maximum"] = number
    return found


def _accepts(parse: Parse, value: str) -> bool:
    try:
        parse(value)
    except (PydanticCustomError, ValueError):
        return False
    return True


_WORDS: Final[Schema] = {"type": "array", "items": TEXT}
_NUMBER_OR_TEXT: Final[Schema] = {"anyOf": [{"type": "integer", "minimum": 0}, TEXT]}
_OUTCOMES: Final[Schema] = {"type": "array", "items": _NUMBER_OR_TEXT, "minItems": 1}
_WORKERS: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": MAX_WORKERS}
# What is written in a form of its own.
_SPECIAL: Final = (
    (AllOrOperations, {"anyOf": [_WORDS, {"const": "all"}]}),
    (Size, _NUMBER_OR_TEXT),
    (Hours, {"type": "array", "items": _NUMBER_OR_TEXT, "minItems": 2, "maxItems": 2}),
    (Outcomes, {"anyOf": [_OUTCOMES, *_NUMBER_OR_TEXT["anyOf"]]}),
    (Workers, {"anyOf": [_WORKERS, {"const": AUTO}, _NUMERAL]}),
)
