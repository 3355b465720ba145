"""Reads the routing rules, and reports those that can never match.

Rules: a rule is called unreachable only if that is certain: the globs of earlier rules cover its
own, and those rules take all of its operations and identities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastpath.routing.globs import part_names, split_glob
from fastpath.routing.rules import keys_of
from fastpath.s3.operations import OPERATIONS
from gateway.config.globs import can_match, covers
from gateway.config.problems import Path, suggest
from gateway.config.reading import Reader
from gateway.config.schema import Rewrite, Rule
from gateway.config.yaml_tree import DEFAULT_TARGET

LIST: Path = ("routing", "rules")
# The search for unreachable rules then ends, because it must not hold up a start.
MAX_COMPARISONS = 500_000

# Rules are asked about these alone: requests that name no bucket go to the default target, and the
# operations of a multipart upload are routed like the request that began it.
_ROUTED = frozenset(
    operation.name
    for operation in OPERATIONS.values()
    if operation.routed_as is operation and operation.name != "ListBuckets"
)


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
        elif rule.operations is not None and not rule.operations & _ROUTED:
            reader.error((*path, "operations"), *_never_asked(rule.operations))
        elif rule.identities is not None and mode == "open":
            reader.error((*path, "identities"), "can never match: auth.mode open knows nobody")
        if rule.rewrite is not None:
            _check_rewrite(reader, path, rule, rule.rewrite)
    return tuple(found)


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


def _never_asked(operations: frozenset[str]) -> tuple[str, str]:
    if operations == {"ListBuckets"}:
        return "can never match: ListBuckets names no bucket", "it goes to routing.default_target"
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
    return reached


def check_references(reader: Reader, targets: Iterable[str], identities: Iterable[str]) -> None:
    """Reports unknown targets and identities that rules or `default_target` name."""
    names, people = frozenset(targets), frozenset(identities)
    default: Path = ("routing", "default_target")
    for path in (default, *((*LIST, index, "target") for index in reader.items(LIST))):
        target = reader.tree.get(path)
        if isinstance(target, str) and target and target not in names:
            reader.error(path, f"{str(target)!r} is no target", suggest(target, names))
    for index in reader.items(LIST):
        listed = reader.tree.get((*LIST, index, "identities"))
        for position, name in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(name, str) and name and name not in people:
                path = (*LIST, index, "identities", position)
                reader.error(path, f"{str(name)!r} is no identity", suggest(name, people))


def report_unreachable(reader: Reader, rules: Iterable[Rule]) -> None:
    """Reports every rule that can never match, because of earlier rules."""
    index = _Index()
    for rule in rules:
        blockers = _blockers(rule, index.candidates(rule.pattern))
        if blockers:
            names = " and ".join(f"rule {b.number} (line {b.line})" for b in blockers[:3])
            more = " and others" if len(blockers) > 3 else ""
            reader.error(
                (*LIST, rule.number - 1, "pattern"),
                f"can never match: {names}{more} {'takes' if len(blockers) == 1 else 'take'} "
                "all it would",
                "move it up or remove it",
            )
        index.add(rule)


def _blockers(rule: Rule, earlier: Iterable[Rule]) -> list[Rule]:
    """Returns the earlier rules that take everything together; none if something is left."""
    everyone: tuple[str | None, ...] = (None,) if rule.identities is None else rule.identities
    wanted = _ROUTED if rule.operations is None else rule.operations & _ROUTED
    left = dict.fromkeys(everyone, wanted)
    used: list[Rule] = []
    for other in earlier:
        if keys_of(other) is not None or not covers(other.pattern, rule.pattern):
            continue
        taken = False
        for who, operations in left.items():
            if other.identities is None or who in other.identities:
                rest = frozenset() if other.operations is None else operations - other.operations
                taken = taken or rest != operations
                left[who] = rest
        if taken:
            used.append(other)
        if not any(left.values()):
            return used
    return []


class _Index:
    """Earlier rules by the fixed beginning of their glob, since only those can cover a rule."""

    def __init__(self) -> None:
        self._by_beginning: dict[str, list[Rule]] = {}
        self._exact: dict[str, list[Rule]] = {}
        self._left = MAX_COMPARISONS

    def add(self, rule: Rule) -> None:
        beginning, rest = split_glob(rule.pattern)
        into = self._by_beginning if rest else self._exact
        into.setdefault(beginning, []).append(rule)

    def candidates(self, pattern: str) -> Iterator[Rule]:
        """Yields the rules that may cover a pattern, in file order."""
        beginning, _ = split_glob(pattern)
        found = list(self._exact.get(pattern, ()))
        for length in range(len(beginning) + 1):
            found += self._by_beginning.get(beginning[:length], ())
        for rule in sorted(found, key=lambda rule: rule.number):
            self._left -= 1
            if self._left < 0:
                return
            yield rule
