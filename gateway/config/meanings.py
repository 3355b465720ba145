"""Reads what each setting means: the text under its field, in the source of its section.

Rules: a meaning stands once, under the field. Its links are relative to docs/. `Default: TEXT` at
its end says what happens without the setting, where the field's own default does not show it.
Nobody who serves requests reads this: the source need not be there.
"""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache

from fastpath.limits import Limits, PoolLimits, Timeouts
from gateway.config import schema

# Sections that are made of a dataclass have its fields, and their meanings.
_SOURCES: dict[str, type] = {
    f"{source.__name__}Section": source for source in (Limits, PoolLimits, Timeouts)
}


def meaning(section: type, name: str) -> str:
    """Returns the text under a field of a section or of one that it inherits from, or nothing."""
    source = _SOURCES.get(section.__name__, section)
    ours = (cls for cls in source.__mro__ if cls.__module__ in _MODULES)
    return next((found[name] for cls in ours if name in (found := _meanings(cls))), "")


def plain(text: str) -> str:
    """Returns a meaning without its links and its `Default:`."""
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", split_default(text)[0])


def split_default(text: str) -> tuple[str, str]:
    """Returns a meaning and what stands behind its `Default:`."""
    found, _, default = f" {text}".partition(" Default: ")
    return found.strip(), default.removesuffix(".")


_MODULES = frozenset((schema.__name__, Limits.__module__))


@cache
def _meanings(section: type) -> dict[str, str]:
    """Returns the texts that stand right under the annotated fields of a class."""
    (node,) = ast.parse(inspect.getsource(section)).body
    assert isinstance(node, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            found[field.target.id] = " ".join(text.value.value.split())
    return found
