"""Tells at which targets a read must find out that a key is missing, and how that can be tried.

A read moves on to the next target of a chain after a 404. AWS answers 403 instead to credentials
without `s3:ListBucket`, and then no read would ever move on.

Rules: it asks nobody; a bucket is known because a rule names it in full, or because the target has
listed it and the rule's pattern matches.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from fastpath.errors import S3Error
from fastpath.routing.globs import compile_glob, split_glob
from gateway.config.chain_targets import chain_of_rule, table_of
from gateway.config.problems import Path
from gateway.config.schema import Config, Rewrite, Rule

_GLOB = frozenset("*?[{")
_NAME = re.compile(rb"<Name>([A-Za-z0-9._-]{1,255})</Name>")


class Look(NamedTuple):
    """A target that is not the last of a chain, and the setting that says so.

    rule: whose buckets the chain is about; None: the default target's, or those of every bucket.
    renames: whether the rule's rewrite holds there: it does not at a fallback.
    """

    target: str
    path: Path
    rule: Rule | None
    renames: bool

    @property
    def _rewrite(self) -> Rewrite | None:
        return self.rule.rewrite if self.rule is not None and self.renames else None

    def buckets(self, listed: Sequence[str]) -> list[str]:
        """Returns buckets of the chain, by the target's names; it has `listed` its own."""
        if self.rule is None:
            return list(listed)
        rewrite, pattern = self._rewrite, self.rule.pattern
        if rewrite is not None and rewrite.bucket is not None:
            return [rewrite.bucket] if "{" not in rewrite.bucket else []
        if not _GLOB & set(pattern):
            return [pattern]
        matches = compile_glob(pattern).match
        return [name for name in listed if matches(name.encode())]

    def missing_key(self) -> str:
        """Returns a key that no object has, by the target's names, where the chain has keys."""
        rewrite = self._rewrite
        prefix = rewrite.key_prefix.partition("{")[0] if rewrite is not None else ""
        beginning = split_glob(self.rule.keys[0])[0] if self.rule and self.rule.keys else ""
        if rewrite is not None:
            beginning = beginning.removeprefix(rewrite.strip_prefix)
        return f"{prefix}{beginning}s3gateway-check-{secrets.token_hex(8)}"


def looks(model: Config) -> Iterator[Look]:
    """Yields every target at which a read may have to move on."""
    routing = model.routing
    for index, rule in enumerate(model.rules):
        path: Path = ("routing", "rules", index)
        if rule.conditions is not None or rule.fallback:
            yield Look(rule.target, (*path, "target"), rule, True)
        for place, name in enumerate(rule.fallback[:-1]):
            yield Look(name, (*path, "fallback", place), rule, False)
    if routing.fallback:
        yield Look(routing.default_target, ("routing", "default_target"), None, True)
    for place, name in enumerate(routing.fallback[:-1]):
        yield Look(name, ("routing", "fallback", place), None, False)
    for place, name in enumerate(routing.custom_reads[:-1]):
        yield Look(name, ("routing", "custom_reads", place), None, False)


def behind_conditions(model: Config) -> Iterator[tuple[str, str, int]]:
    """Yields every target that has what conditions of a rule do not match, if that names a bucket.

    With each the bucket's name there, and the rule's index.
    """
    rules = [rule for rule in model.rules if rule.conditions and not _GLOB & set(rule.pattern)]
    table = table_of(model.rules, model.routing) if rules else None
    for rule in rules:
        chain = chain_of_rule(table, rule) if table is not None else None
        for place in chain.places if chain is not None else ():
            bucket = rule.pattern.encode()
            with suppress(S3Error):  # it has no name there
                there = place.rewrite.bucket_up(bucket) if place.rewrite is not None else bucket
                yield place.target, there.decode(), rule.number - 1


def names_in(body: bytes) -> list[str]:
    """Returns the names in the answer to a ListBuckets."""
    return [name.decode() for name in _NAME.findall(body)]
