"""Reads the routing rules, each by itself, and reports what is wrong with one.

Rules: what is wrong only because of other rules, `unreachable_rules` and `shared_names` report.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fastpath.errors import S3Error
from fastpath.routing.globs import part_names, split_glob
from fastpath.s3.addressing import checked_key
from gateway.config.chains import check_rule, fallback_names
from gateway.config.globs import can_match, common_key, covers_keys
from gateway.config.problems import Path, suggest
from gateway.config.reading import Reader
from gateway.config.rule_operations import ABOUT_NO_KEY, ROUTED
from gateway.config.schema import Rewrite, Routing, Rule
from gateway.config.yaml_tree import DEFAULT_TARGET

LIST: Path = ("routing", "rules")
MAX_OWN_KEYS = 100  # of one rule, that are compared with each other: 10,000 comparisons


def read_rules(reader: Reader, mode: str) -> tuple[Rule, ...]:
    """Reads the rules; those with errors are left out. `check_references` checks their names."""
    found: list[Rule] = []
    for index in reader.items(LIST):
        path = (*LIST, index)
        rule = reader.read(Rule, path)
        if rule is None:
            continue
        _set(rule, "number", index + 1)
        if path in reader.tree.values:
            _set(rule, "line", reader.tree.values[path].line)
        found.append(rule)
        if "[" in rule.pattern and not can_match(rule.pattern):
            reader.error((*path, "pattern"), "can never match a bucket name")
        elif rule.operations is not None and not rule.operations & ROUTED:
            reader.error((*path, "operations"), *_never_asked(rule.operations))
        elif rule.keys and rule.operations and rule.operations & ROUTED <= ABOUT_NO_KEY:
            message = "can never match: a rule with keys takes no request that names none"
            reader.error((*path, "operations"), message, "leave keys out")
        elif rule.identities is not None and mode == "open":
            reader.error((*path, "identities"), "can never match: auth.mode open knows nobody")
        if rule.keys is not None:
            _check_keys(reader, path, rule.keys)
        if rule.rewrite is not None:
            _check_rewrite(reader, path, rule, rule.rewrite)
        check_rule(reader, path, rule)
    return tuple(found)


def _check_keys(reader: Reader, path: Path, keys: tuple[str, ...]) -> None:
    """Reports globs that match no key, and those that another one makes superfluous."""
    for index, glob in enumerate(keys):
        if _matches_no_key(glob):
            reader.error((*path, "keys", index), "can never match a key", "remove it")
            continue
        if len(keys) > MAX_OWN_KEYS:
            continue
        for other_index, other in enumerate(keys):
            # Of two that are alike, the second is superfluous.
            if other_index == index or (other_index > index and covers_keys(glob, other)):
                continue
            if covers_keys(other, glob):
                message = f"is superfluous: keys[{other_index}] matches all that it does"
                reader.warn((*path, "keys", index), message, "remove it")
                break


def _matches_no_key(glob: str) -> bool:
    """Whether no key that S3 takes can match."""
    beginning, rest = split_glob(glob)
    if "[" in rest and common_key(glob, "?*") is None:
        return True
    whole_segments = beginning[: beginning.rfind("/") + 1] if rest else beginning
    try:
        checked_key(whole_segments.encode())  # it may climb out of the bucket
    except S3Error:
        return True
    return False


def _check_rewrite(reader: Reader, path: Path, rule: Rule, rewrite: Rewrite) -> None:
    """Reports parts that the pattern does not name, and keys that the target has no name for."""
    known = part_names(rule.pattern)
    for setting in ("bucket", "key_prefix"):
        for name in part_names(getattr(rewrite, setting) or ""):
            if name not in known:
                hint = suggest(name, known) or f"write {{{name}}} into the pattern"
                reader.error(
                    (*path, "rewrite", setting), f"{{{name}}} is no part of the pattern", hint
                )
    if part_names(rewrite.strip_prefix):
        reader.error((*path, "rewrite", "strip_prefix"), "cannot have a part of the pattern")
    for index, glob in enumerate(rule.keys or ()):
        if not split_glob(glob)[0].startswith(rewrite.strip_prefix):
            reader.error(
                (*path, "keys", index),
                "matches keys that do not begin with strip_prefix, and have no name at the target",
                f"begin it with {rewrite.strip_prefix}",
            )


_set = object.__setattr__  # rules are frozen, and not made twice


def resolve_fallbacks(rules: Iterable[Rule], routing: Routing) -> None:
    """Gives rules with a fallback, and no `fallback_on` of their own, that of `routing`."""
    for rule in rules:
        if rule.fallback and rule.fallback_on is None:
            _set(rule, "fallback_on", routing.fallback_on)


def _never_asked(operations: frozenset[str]) -> tuple[str, str]:
    if operations == {"ListBuckets"}:
        return "can never match: ListBuckets names no bucket", "it shows the buckets of all targets"
    hint = "an upload is routed by CreateMultipartUpload"
    return "can never match: parts follow their upload", hint


def reached_targets(reader: Reader) -> dict[str, Path]:
    """Returns the targets that requests can reach, and the path that names each."""
    reached: dict[str, Path] = {}
    default = reader.tree.get(("routing", "default_target"))
    at: Path = ("routing", "default_target")
    reached[str(default) if isinstance(default, str) else DEFAULT_TARGET] = at
    for index in reader.items(LIST):
        path = (*LIST, index, "target")
        target = reader.tree.get(path)
        if isinstance(target, str):
            reached.setdefault(str(target), path)
    for path, name in fallback_names(reader):
        reached.setdefault(name, path)
    return reached


def report_unreached(reader: Reader, reached: Collection[str]) -> None:
    """Reports targets that are written, and that no request can reach."""
    told = {problem.path for problem in reader.problems}
    for name in reader.members(("targets",)):
        path: Path = ("targets", name)
        if name in reached or path not in reader.tree.values or reader.shown(path) in told:
            continue  # what comes from the environment is nobody's mistake
        message = "is reached by no request: no rule names it, nor routing.default_target"
        reader.warn(path, message, "name it in a rule, or remove it")


def check_references(reader: Reader, targets: Iterable[str], identities: Iterable[str]) -> None:
    """Reports unknown targets and identities that rules or `routing` itself name."""
    names, people = frozenset(targets), frozenset(identities)
    default: Path = ("routing", "default_target")
    for path in (default, *((*LIST, index, "target") for index in reader.items(LIST))):
        target = reader.tree.get(path)
        if isinstance(target, str) and target and target not in names:
            reader.error(path, f"{str(target)!r} is no target", suggest(target, names))
    for path, fallback in fallback_names(reader):
        if fallback not in names:
            reader.error(path, f"{fallback!r} is no target", suggest(fallback, names))
    for index in reader.items(LIST):
        listed = reader.tree.get((*LIST, index, "identities"))
        for position, name in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(name, str) and name and name not in people:
                path = (*LIST, index, "identities", position)
                reader.error(path, f"{str(name)!r} is no identity", suggest(name, people))
