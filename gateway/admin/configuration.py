"""Answers with the configuration in force: each value, where it was given, and the rules in pages.

Rules: it is read anew from the text in force, as the objects of 100,000 rules are not kept; so one
reading runs at a time, and a small one is kept for a while.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway import config
from gateway.admin.answers import Problem
from gateway.admin.plane import Plane
from gateway.admin.threads import in_thread
from gateway.config.effective import effective, origins
from gateway.config.load import Loaded
from gateway.config.schema import Config, Rule

# A larger one is hundreds of MiB as objects: it is dropped at once, and takes seconds to read.
KEPT_CHARACTERS: Final = 1 << 20
KEPT_SECONDS: Final = 30.0
PAGE: Final = 100
MAX_PAGE: Final = 1000


class _Kept(NamedTuple):
    text: str
    until: float  # monotonic seconds
    loaded: Loaded

    def serves(self, text: str) -> bool:
        return self.text == text and time.monotonic() < self.until


class Configuration:
    """The configuration in force, as far as it was asked for."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._reading = asyncio.Lock()
        self._kept: _Kept | None = None

    async def loaded(self) -> Loaded:
        """Returns the configuration in force. Raises Problem while there is none."""
        present = self._plane.known().present
        if present is None:
            raise Problem(503, "Starting", "The gateway has not read its configuration yet.")
        async with self._reading:
            if (kept := self._kept) is not None and kept.serves(present.text):
                return kept.loaded
            text = present.text or None
            found = await in_thread(config.load, self._plane.launch, os.environ, text)
            if found.model is None:  # a file of secrets is gone, for example
                lines = "; ".join(problem.format() for problem in found.problems)
                raise Problem(503, "Unreadable", f"The configuration cannot be read again: {lines}")
            keep = len(present.text) <= KEPT_CHARACTERS
            until = time.monotonic() + KEPT_SECONDS
            self._kept = _Kept(present.text, until, found) if keep else None
            return found

    async def shown(self) -> dict[str, object]:
        """Returns the effective configuration, without secrets, and the origin of each value."""
        known, found = self._plane.known(), await self.loaded()
        assert found.model is not None  # `loaded` raises otherwise
        document = await in_thread(effective, found.model)
        return {
            "generation": known.generation,
            "digest": known.present.digest if known.present is not None else None,
            "configuration": document,
            "origins": await in_thread(origins, _without_rules(document), found.tree),
        }

    async def routes(self, asked: Mapping[str, str]) -> dict[str, object]:
        """Returns a page of the rules: those that hold the text that is searched for."""
        found = await self.loaded()
        assert found.model is not None  # `loaded` raises otherwise
        offset, limit = _number(asked, "offset", 0, None), _number(asked, "limit", PAGE, MAX_PAGE)
        rules = found.model.rules
        searched = asked.get("search", "").lower()
        matched = [rule for rule in rules if searched in _text(rule)] if searched else rules
        return {
            "total": len(rules),
            "matched": len(matched),
            "offset": offset,
            "default_target": found.model.default_target,
            "fallback": list(found.model.routing.fallback),
            "custom": found.model.routing.custom,
            "rules": [_shown(rule, found.model) for rule in matched[offset : offset + limit]],
        }


def _number(asked: Mapping[str, str], name: str, default: int, most: int | None) -> int:
    text = asked.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Problem(400, "InvalidArgument", f"{name} is no whole number.")
    return int(text) if most is None else min(int(text), most)


def _text(rule: Rule) -> str:
    words = (rule.pattern, rule.target, rule.description, *(rule.keys or ()), *rule.fallback)
    return "\n".join(words).lower()


def _shown(rule: Rule, model: Config) -> dict[str, object]:
    """Returns a rule in the form of the file, with its number and line."""
    one = model.routing.model_copy(update={"rules": (rule,)})
    document = effective(model.model_copy(update={"routing": one}))["routing"]
    assert isinstance(document, dict)
    return {"number": rule.number, "line": rule.line, **document["rules"][0]}


def _without_rules(document: Mapping[str, object]) -> dict[str, object]:
    """Returns a document without its rules: `routes` says where each of them is."""
    routing = document.get("routing")
    if not isinstance(routing, Mapping):
        return dict(document)
    return {**document, "routing": {name: routing[name] for name in routing if name != "rules"}}


__all__ = ["Configuration"]
