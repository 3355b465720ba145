"""Imports the operator's class and makes the router, or says in one line why it cannot.

Rules: only what is raised on the way is described, with the operator's own file and line; a fault
never shows a traceback.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.router.definition import Definition

_OWN: Final = str(Path(__file__).resolve().parents[2] / "gateway") + os.sep
_STANDARD: Final = os.path.dirname(os.__file__) + os.sep
_INSTALLED: Final = f"{os.sep}site-packages{os.sep}"
_SHOWN: Final = 300  # characters of an exception's text


class LoadFault(Exception):
    """A class that cannot be used. `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class Router(NamedTuple):
    """The operator's router."""

    route_request: Callable[..., object]
    cache_seconds: float | None


def load(definition: Definition) -> Router:
    """Imports the module and makes one object of the class. Raises LoadFault or MemoryError."""
    # The directories may be mounted read-only, and compiled files are told from their sources by
    # whole seconds: a change within one would not be seen.
    sys.dont_write_bytecode = True
    sys.path[:0] = list(definition.path)
    made = _made(definition)
    ask = getattr(made, "route_request", None)
    if not callable(ask):
        raise LoadFault(
            f"{definition.name} has no method route_request",
            "define route_request(self, bucket_name, operation, metadata)",
        )
    try:
        inspect.signature(ask).bind("bucket", "GET", {})
    except TypeError as error:
        raise LoadFault(
            f"{definition.name}.route_request cannot be called with three values: {error}",
            "define route_request(self, bucket_name, operation, metadata)",
        ) from None
    except ValueError:
        pass  # a callable in C, which shows no signature
    return Router(ask, _cache_seconds(made))


def _made(definition: Definition) -> Any:
    try:
        module = importlib.import_module(definition.module)
    except MemoryError:
        raise
    except ModuleNotFoundError as error:
        remedy = f"install {error.name} where the gateway runs"
        if definition.module in (error.name, f"{error.name}.{definition.module}"):
            searched = ", ".join(definition.path)
            remedy = f"put it into routing.custom_path (searched: {searched})"
        raise LoadFault(describe(error), remedy) from None
    except (Exception, SystemExit) as error:
        raise LoadFault(describe(error), "mend the module") from None
    kind = getattr(module, definition.name, None)
    if not callable(kind):
        classes = [name for name, value in vars(module).items() if inspect.isclass(value)]
        close = difflib.get_close_matches(definition.name, classes, n=1)
        hint = f"did you mean {close[0]}?" if close else "define the class"
        raise LoadFault(f"module {definition.module} has no class {definition.name}", hint)
    try:
        return kind(json.loads(definition.config))
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        raise LoadFault(describe(error), f"{definition.name}(config) must not raise") from None


def _cache_seconds(made: object) -> float | None:
    seconds = getattr(made, "cache_seconds", None)
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        raise LoadFault(f"cache_seconds is {_short(ascii(seconds))}", "give a number of seconds")
    return float(seconds) or None


def describe(error: BaseException) -> str:
    """`ValueError: text (custom_router.py:12)`, the place being the operator's."""
    lines = traceback.format_exception_only(error)
    text = _short(" ".join(lines[-1].split()))
    if isinstance(error, SyntaxError) and error.filename:
        return f"{text} ({error.filename}:{error.lineno})"
    place = library = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if _INSTALLED in file:
            library = f" ({file}:{line})"
        elif file.startswith(os.sep) and not file.startswith((_OWN, _STANDARD)):
            place = f" ({file}:{line})"
    return text + (place or library)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def stamp(definition: Definition) -> str:
    """Returns a digest of the modules that were imported from the operator's directories."""
    found = hashlib.sha256()
    files = {str(getattr(module, "__file__", None)) for module in list(sys.modules.values())}
    for file in sorted(files):
        if any(file.startswith(directory + os.sep) for directory in definition.path):
            try:
                content = Path(file).read_bytes()
            except OSError:
                content = b""
            found.update(file.encode("utf-8", "replace") + b"\0" + hashlib.sha256(content).digest())
    return found.hexdigest()
