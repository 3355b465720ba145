"""The value types of the schema: how the text of a scalar becomes what a setting wants.

Rules: a message names what is expected, never the value of something that may be a secret; only
`true` and `false` are booleans; a number may be quoted (it may come from a variable).

Not here: which setting has which type (`schema`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import PydanticCustomError, core_schema

from gateway.config.nodes import Scalar
from gateway.config.problems import did_you_mean, one_of

Item = TypeVar("Item")

NOT_YET = "not supported yet"

_YAML11_TRUE = frozenset(("yes", "on", "y"))
_YAML11_FALSE = frozenset(("no", "off", "n"))


def fault(message: str, suggestion: str = "") -> PydanticCustomError:
    """An error of ours inside pydantic; texts travel in the context, as they may hold braces."""
    return PydanticCustomError("config", "{message}", {"message": message, "hint": suggestion})


def kind_of(value: object) -> str:
    """What a value is, in the words of YAML."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "text"


def _text(value: object) -> str:
    if isinstance(value, str):
        if not value.strip():
            raise fault("must not be empty")
        return str(value)
    if value is None:
        raise fault("must not be empty")
    raise fault(f"must be text, not {kind_of(value)}")


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word in ("true", "false"):
        return word == "true"
    if word in _YAML11_TRUE or word in _YAML11_FALSE:
        raise fault("must be true or false", f"write {str(word in _YAML11_TRUE).lower()}")
    raise fault("must be true or false")


_WHOLE = re.compile(r"[+-]?[0-9](?:_?[0-9])*\Z")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")


def _whole(value: object) -> int:
    if isinstance(value, int):
        return value
    if isinstance(value, str) and len(value) < 20 and _WHOLE.match(value):
        return int(value)
    raise fault("must be a whole number")


def _number(value: object) -> float:
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str) and len(value) < 20 and _DECIMAL.match(value):
        return float(value)
    raise fault("must be a number")


def _positive(value: float) -> float:
    if value <= 0:
        raise fault("must be greater than 0")
    if value > 1e12:
        raise fault("must be less than 1000000000000")
    return value


def _percent(value: int) -> int:
    if not 1 <= value <= 100:
        raise fault("must be a number from 1 to 100")
    return value


def _positive_or_zero(value: float) -> float:
    if value < 0:
        raise fault("must not be less than 0", "0 turns it off")
    return _positive(value) if value else value


def _list(value: object) -> object:
    if isinstance(value, list):
        if not value:
            raise fault("must not be an empty list", "leave the key out")
        return value
    if isinstance(value, str):
        raise fault("must be a list", "write it in [brackets]" if value else "")
    raise fault("must be a list" if value is not None else "must not be empty")


def _given(value: object) -> object:
    if value is None:
        raise fault("must not be empty", "leave the key out")
    return value


def _not_yet(value: object) -> None:
    raise fault(NOT_YET)


def _mapping(value: object) -> object:
    """A section whose settings are all commented out is an empty one."""
    return {} if value is None else value


@dataclass(frozen=True)
class Word:
    """One of some words; `later` are those of the full schema that are still to come."""

    words: tuple[str, ...]
    later: tuple[str, ...]

    def __init__(self, *words: str, later: tuple[str, ...] = ()) -> None:
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "later", later)

    def choose(self, value: object) -> str:
        text = _text(value)
        if text in self.words:
            return text
        if text in self.later:
            raise fault(f"{text} is {NOT_YET}", f"use {one_of(self.words)}")
        raise fault(f"must be {one_of(self.words)}", did_you_mean(text, self.words))

    def __get_pydantic_core_schema__(
        self, source: object, inner: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.choose, inner(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, inner: GetJsonSchemaHandler
    ) -> dict[str, object]:
        return {"type": "string", "enum": list(self.words)}


def matching(pattern: str, expectation: str) -> Callable[[str], str]:
    """A check of a text's grammar; the message does not repeat the text."""
    regex = re.compile(pattern)

    def check(text: str) -> str:
        if not regex.fullmatch(text):
            raise fault(expectation)
        return text

    return check


def _unique(items: list[Item]) -> list[Item]:
    for index, item in enumerate(items):
        if item in items[:index]:
            raise fault(f"{item} is given twice")
    return items


Text = Annotated[str, BeforeValidator(_text)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
PositiveWhole = Annotated[int, BeforeValidator(_whole), AfterValidator(_positive)]
Percent = Annotated[int, BeforeValidator(_whole), AfterValidator(_percent)]
PositiveNumber = Annotated[float, BeforeValidator(_number), AfterValidator(_positive)]
WholeOrZero = Annotated[int, BeforeValidator(_whole), AfterValidator(_positive_or_zero)]
NumberOrZero = Annotated[float, BeforeValidator(_number), AfterValidator(_positive_or_zero)]
Later = Annotated[Any, BeforeValidator(_not_yet)]


def is_later(metadata: Iterable[object]) -> bool:
    """Whether a field's metadata say that it is still to come: it is no setting to suggest."""
    return any(isinstance(one, BeforeValidator) and one.func is _not_yet for one in metadata)


Maybe = Annotated[Item | None, BeforeValidator(_given)]
Items = Annotated[list[Item], BeforeValidator(_list)]
UniqueItems = Annotated[list[Item], BeforeValidator(_list), AfterValidator(_unique)]
OrEmpty = BeforeValidator(_mapping)

__all__ = [
    "NOT_YET",
    "Boolean",
    "Items",
    "Later",
    "Maybe",
    "NumberOrZero",
    "OrEmpty",
    "Percent",
    "PositiveNumber",
    "PositiveWhole",
    "Scalar",
    "Text",
    "UniqueItems",
    "WholeOrZero",
    "Word",
    "fault",
    "is_later",
    "kind_of",
    "matching",
]
