"""Packs routing rules for their way to a worker, and finds the rules that match a bucket there.

Control packs the rules once (`pack`), so that a worker has little more to do with 100,000 of them
than to parse JSON. The name of an exact rule and the beginning of a prefix are keys of mappings.
What rules have in common (operations, identities, keys, target: a *kind*) is there once. A worker
has no pattern of such rules, nor lines or descriptions; `explain` gets the rules themselves.

Rules: rules are numbered from 1 in file order; a lookup returns every rule that matches, in that
order, up to the first that always does; it costs the length of the name and the globs that begin
like the name, not the number of rules; patterns are ASCII (`gateway.config` checks that), and a
bucket's name may be any bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Any, Protocol, TypeAlias

from fastpath.errors import INVALID_BUCKET_NAME, S3Error
from fastpath.routing.asked import Asked
from fastpath.routing.chain import FAILURES
from fastpath.routing.globs import (
    Matcher,
    literal_glob,
    matcher,
    matches_stars,
    only_stars,
    part_names,
    parts_of,
    split_glob,
)
from fastpath.routing.key_globs import Coverage, KeyGlobs
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.write_conditions import WriteConditions, read_conditions
from fastpath.s3.addressing import is_bucket

Packed: TypeAlias = dict[str, Any]  # docs/snapshot.md, `rules`
_Numbers: TypeAlias = "int | list[int]"  # one is by far the most frequent, and needs no list

# Operations that make a new object: what conditions are about. (A form is a PutObject by then.)
CREATING = frozenset({"CopyObject", "CreateMultipartUpload", "PutObject"})

_AT_ONCE = 32  # regular expressions between two pauses: a few milliseconds


class WrittenRewrite(Protocol):
    """A rewrite as it was written; in the first two, `{part}` stands for a part of the pattern."""

    @property
    def bucket(self) -> str | None: ...
    @property
    def key_prefix(self) -> str: ...
    @property
    def strip_prefix(self) -> str: ...


class WrittenConditions(Protocol):
    """The conditions of a rule as they were written; None for one that it does not have."""

    @property
    def max_size(self) -> int | None: ...
    @property
    def min_size(self) -> int | None: ...
    @property
    def content_types(self) -> Collection[str] | None: ...
    @property
    def time_range(self) -> Sequence[int] | None: ...
    @property
    def zone_file(self) -> str | None:
        """The TZif file of its time zone, in base64."""


class Written(Protocol):
    """A rule as it was written."""

    @property
    def pattern(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def operations(self) -> Collection[str] | None: ...
    @property
    def identities(self) -> Collection[str] | None: ...
    @property
    def keys(self) -> Collection[str] | None: ...
    @property
    def rewrite(self) -> WrittenRewrite | None: ...
    @property
    def conditions(self) -> WrittenConditions | None: ...
    @property
    def fallback(self) -> Sequence[str] | None: ...
    @property
    def fallback_on(self) -> Collection[str] | None:
        """`404`, and those of FAILURES that lead there too."""


class Mismatch(Enum):
    """Why a rule whose pattern matches the bucket does not match the request.

    ACROSS: it matches some of the keys that the request is about, but not all.
    """

    OPERATION = 0
    IDENTITY = 1
    KEY = 2
    ACROSS = 3
    CONDITIONS = 4


@dataclass(frozen=True, slots=True)
class RewriteTemplate:
    """A rewrite with the parts of a bucket's name in it; `pattern`: the glob that names them."""

    bucket: str
    key_prefix: str
    strip_prefix: str
    pattern: str | None  # None: no part stands in it

    def rewrite(self, bucket: bytes) -> Rewrite:
        """Return the rewrite for a bucket that the pattern matches.

        Raises S3Error InvalidBucketName: a part of its name is `..`, say, which is no name at the
        target, and which a store may take for another place.
        """
        new_bucket, key_prefix = self.bucket, self.key_prefix
        if self.pattern is not None:
            for name, part in parts_of(self.pattern, bucket.decode("latin-1")).items():
                new_bucket = new_bucket.replace(f"{{{name}}}", part)
                key_prefix = key_prefix.replace(f"{{{name}}}", part)
            if not _are_names(new_bucket, key_prefix):
                raise S3Error(INVALID_BUCKET_NAME, ("BucketName", bucket.decode("latin-1")))
        return Rewrite(new_bucket.encode(), key_prefix.encode(), self.strip_prefix.encode())


def _are_names(bucket: str, key_prefix: str) -> bool:
    """Whether a bucket, if one is given, and keys can be called that: the configuration's rules."""
    if bucket and not is_bucket(bucket.encode()):
        return False
    return not any(segment in (".", "..") for segment in key_prefix.split("/"))


@dataclass(frozen=True, slots=True)
class Fallback:
    """Where a read looks next; `passes`: those of FAILURES that lead there, besides a 404."""

    targets: tuple[str, ...]
    passes: frozenset[str] = frozenset()

    @staticmethod
    def of(targets: Iterable[str], on: Iterable[str]) -> Fallback | None:
        """Return the record of settings; None: there is no target."""
        found = tuple(targets)
        return Fallback(found, frozenset(on) & frozenset(FAILURES)) if found else None


@dataclass(frozen=True, slots=True)
class Kind:
    """A rule without its pattern; rules that are alike share one."""

    target: str
    operations: frozenset[str] | None
    identities: frozenset[str] | None
    keys: KeyGlobs | None = None
    template: RewriteTemplate | None = None
    conditions: WriteConditions | None = None
    fallback: Fallback | None = None

    @property
    def unconditional(self) -> bool:
        return (
            self.operations is None
            and self.identities is None
            and self.keys is None
            and self.conditions is None
        )

    @property
    def takes_reads(self) -> bool:
        """Whether the rule may take the read of a bucket's objects, whatever their keys."""
        if self.keys is not None:
            return False
        is_place = self.operations is None or self.conditions is not None
        return is_place or "GetObject" in (self.operations or ())

    @property
    def takes_uploads(self) -> bool:
        """Whether its conditions may take an upload in parts, whose size is not known."""
        return self.conditions is None or self.conditions.max_size is None

    @property
    def takes_every_upload(self) -> bool:
        """Whether it takes each upload that is for its keys: an unknown size is above min_size."""
        found = self.conditions
        return found is None or (found.max_size, found.content_types, found.hours) == (None,) * 3

    def mismatch(self, asked: Asked) -> Mismatch | None:
        """Why the rule does not match the request; None: it does. The bucket matches already."""
        if self.operations is not None and asked.operation not in self.operations:
            return Mismatch.OPERATION
        if self.identities is not None and asked.identity not in self.identities:
            return Mismatch.IDENTITY
        if self.keys is not None:
            found = _key_mismatch(self.keys, asked)
            if found is not None:
                return found
        if self.conditions is not None and self.conditions.unmet(asked):
            return Mismatch.CONDITIONS
        return None

    def mismatch_as_place(self, asked: Asked) -> Mismatch | None:
        """Why the rule's target is no place of what is asked for, whatever is written there."""
        is_literal = self.conditions is None or asked.operation in CREATING
        if is_literal and self.operations is not None and asked.operation not in self.operations:
            return Mismatch.OPERATION
        if self.identities is not None and asked.identity not in self.identities:
            return Mismatch.IDENTITY
        return None if self.keys is None else _key_mismatch(self.keys, asked)


def _key_mismatch(keys: KeyGlobs, asked: Asked) -> Mismatch | None:
    if asked.prefix is None:
        return None if asked.key and keys.match(asked.key) else Mismatch.KEY
    match keys.coverage(asked.prefix):
        case Coverage.ALL:
            return None
        case Coverage.SOME:
            return Mismatch.ACROSS
        case Coverage.NONE:
            return Mismatch.KEY


def pack(rules: Iterable[Written], fallback_on: Collection[str] = ()) -> Packed:
    """Returns the rules in plain JSON types; the first has number 1.

    fallback_on: of a rule that does not say it itself.
    """
    packing = _Packing(fallback_on)
    for number, rule in enumerate(rules, 1):
        packing.add(number, rule)
    return packing.finished()


class _Packing:
    def __init__(self, fallback_on: Collection[str]) -> None:
        self._fallback_on = fallback_on
        self.packed: Packed = {
            "exact": {},
            "prefixes": {},
            "globs": {},
            "lengths": [],
            "kinds": [],
            "kind_of": [],
            "operations": [],
            "identities": [],
            "keys": [],
            "rewrites": [],
            "conditions": [],
            "zones": [],
            "fallbacks": [],
        }
        self._kinds: dict[tuple[object, ...], int] = {}
        self._sets: dict[frozenset[str], int] = {}  # of operations
        self._people: dict[frozenset[str], int] = {}
        self._keys: dict[frozenset[str], int] = {}
        self._rewrites: dict[tuple[str | None, ...], int] = {}
        self._conditions: dict[str, int] = {}
        self._zones: dict[str, int] = {}
        self._fallbacks: dict[str, int] = {}

    def add(self, number: int, rule: Written) -> None:
        packed = self.packed
        beginning, rest = split_glob(rule.pattern)
        if rest in ("", "*"):
            _note(packed["prefixes" if rest else "exact"], beginning, number)
        else:
            packed["globs"].setdefault(beginning, []).append([number, rule.pattern])
        operations = _shared(rule.operations, self._sets, packed["operations"])
        identities = _shared(rule.identities, self._people, packed["identities"])
        keys = _shared(keys_of(rule), self._keys, packed["keys"])
        kind = (
            rule.target,
            operations,
            identities,
            keys,
            self._rewrite(rule),
            self._condition(rule.conditions),
            self._fallback(rule),
        )
        if kind not in self._kinds:
            self._kinds[kind] = len(packed["kinds"])
            packed["kinds"].append(list(kind))
        packed["kind_of"].append(self._kinds[kind])

    def _rewrite(self, rule: Written) -> int | None:
        """Returns the index of the rule's rewrite in the list of all that occur."""
        rewrite = rule.rewrite
        if rewrite is None:
            return None
        bucket = rewrite.bucket or ""
        named = any(
            f"{{{name}}}" in text
            for name in part_names(rule.pattern)
            for text in (bucket, rewrite.key_prefix)
        )
        entry = (bucket, rewrite.key_prefix, rewrite.strip_prefix, rule.pattern if named else None)
        if entry not in self._rewrites:
            self._rewrites[entry] = len(self._rewrites)
            self.packed["rewrites"].append(list(entry))
        return self._rewrites[entry]

    def _condition(self, conditions: WrittenConditions | None) -> int | None:
        if conditions is None:
            return None
        types, hours, zone = conditions.content_types, conditions.time_range, conditions.zone_file
        entry = [
            conditions.max_size,
            conditions.min_size,
            None if types is None else sorted({one.lower() for one in types}),
            None if hours is None else list(hours),
            None if zone is None else _index(zone, zone, self._zones, self.packed["zones"]),
        ]
        return _index(repr(entry), entry, self._conditions, self.packed["conditions"])

    def _fallback(self, rule: Written) -> int | None:
        fallback = Fallback.of(rule.fallback or (), rule.fallback_on or self._fallback_on)
        if fallback is None:
            return None
        entry = [list(fallback.targets), sorted(fallback.passes)]
        return _index(repr(entry), entry, self._fallbacks, self.packed["fallbacks"])

    def finished(self) -> Packed:
        beginnings = (*self.packed["prefixes"], *self.packed["globs"])
        self.packed["lengths"] = sorted({len(beginning) for beginning in beginnings})
        return self.packed


def keys_of(rule: Written) -> Collection[str] | None:
    """Returns the globs of the keys that a rule is about; None: of all.

    A key that does not begin with `strip_prefix` has no name at the target.
    """
    if rule.keys is None and rule.rewrite is not None and rule.rewrite.strip_prefix:
        return (f"{literal_glob(rule.rewrite.strip_prefix)}*",)
    return rule.keys


def _index(name: str, entry: object, known: dict[str, int], into: list[object]) -> int:
    """Returns the index of an entry in the list of all that occur; its name tells it apart."""
    if name not in known:
        known[name] = len(into)
        into.append(entry)
    return known[name]


def _note(into: dict[str, _Numbers], name: str, number: int) -> None:
    known = into.get(name)
    if known is None:
        into[name] = number
    elif isinstance(known, int):
        into[name] = [known, number]
    else:
        known.append(number)


def _shared(
    words: Collection[str] | None, known: dict[frozenset[str], int], into: list[list[str]]
) -> int | None:
    """Returns the index of these words in the list of all that occur."""
    if words is None:
        return None
    found = frozenset(words)
    if found not in known:
        known[found] = len(into)
        into.append(sorted(found))
    return known[found]


class Rulebook:
    """The packed rules of one snapshot."""

    def __init__(self, packed: Mapping[str, Any]) -> None:
        self._exact: Mapping[str, _Numbers] = packed["exact"]
        self._prefixes: Mapping[str, _Numbers] = packed["prefixes"]
        self._globs: Mapping[str, list[tuple[int, str]]] = packed["globs"]
        self._kind_of: list[int] = packed["kind_of"]
        operations = [frozenset(words) for words in packed["operations"]]
        identities = [frozenset(words) for words in packed["identities"]]
        keys = [KeyGlobs(patterns) for patterns in packed["keys"]]
        rewrites = [RewriteTemplate(*entry) for entry in packed["rewrites"]]
        zones: list[str] = packed["zones"]
        conditions = [read_conditions(entry, zones) for entry in packed["conditions"]]
        fallbacks = [Fallback.of(*entry) for entry in packed["fallbacks"]]
        self._kinds = [
            Kind(
                target,
                None if what is None else operations[what],
                None if who is None else identities[who],
                None if of_keys is None else keys[of_keys],
                None if named is None else rewrites[named],
                None if when is None else conditions[when],
                None if then is None else fallbacks[then],
            )
            for target, what, who, of_keys, named, when, then in packed["kinds"]
        ]
        self._lengths: list[int] = packed["lengths"]
        self._matchers: dict[str, Matcher] = {}

    @staticmethod
    def of(rules: Iterable[Written]) -> Rulebook:
        """Packs rules and makes their book."""
        return Rulebook(pack(rules))

    def __len__(self) -> int:
        return len(self._kind_of)

    def prepare(self) -> Iterator[None]:
        """Makes the regular expressions that lookups need, some at each step."""
        made = 0
        for globs in self._globs.values():
            for _, pattern in globs:
                if not only_stars(pattern):
                    self._matcher(pattern)
                    made += 1
                    if made % _AT_ONCE == 0:
                        yield

    def kind(self, number: int) -> Kind:
        """Returns the kind of the rule of that number."""
        return self._kinds[self._kind_of[number - 1]]

    @property
    def catch_all(self) -> int | None:
        """The number of the first rule that takes every request for a bucket; None without one."""
        found: list[int] = []
        _add(found, self._prefixes.get(""))  # of the pattern `*`
        return next((number for number in found if self.kind(number).unconditional), None)

    def reading_kinds(self) -> list[Kind]:
        """Returns the kinds of rules that may take the read of a bucket."""
        indexes = set(self._kind_of[: self.catch_all])
        return [kind for index in sorted(indexes) if (kind := self._kinds[index]).takes_reads]

    def renamed_buckets(self) -> Iterator[tuple[str, str, RewriteTemplate]]:
        """Yields pattern, target and rewrite of rules whose reads are of buckets with other names.

        Rules for a prefix (`name-*`) are left out: what `*` matched is in no rewrite.
        """
        if not any(_renames_bucket(kind) for kind in self._kinds):
            return
        for name, numbers in self._exact.items():
            for number in (numbers,) if isinstance(numbers, int) else numbers:
                kind = self.kind(number)
                if _renames_bucket(kind) and kind.template is not None:
                    yield name, kind.target, kind.template
        for number, pattern in chain.from_iterable(self._globs.values()):
            kind = self.kind(number)
            if _renames_bucket(kind) and kind.template is not None:
                yield pattern, kind.target, kind.template

    def numbers(self, bucket: bytes) -> list[int]:
        """Returns the rules that match by name, in order, up to the first that always matches."""
        name = bucket.decode("latin-1")  # any bytes; a pattern's are ASCII in either reading
        found: list[int] = []
        globs: list[list[tuple[int, str]]] = []
        _add(found, self._exact.get(name))
        for length in self._lengths:
            if length > len(name):
                break
            beginning = name[:length]
            _add(found, self._prefixes.get(beginning))
            if beginning in self._globs:
                globs.append(self._globs[beginning])
        found = self._cut(sorted(found))
        if globs:
            found = self._cut(sorted([*found, *self._matching(name, globs, found)]))
        return found

    def _cut(self, numbers: list[int]) -> list[int]:
        for index, number in enumerate(numbers):
            if self.kind(number).unconditional:
                return numbers[: index + 1]
        return numbers

    def _matching(
        self, name: str, globs: list[list[tuple[int, str]]], found: list[int]
    ) -> Iterator[int]:
        """Yields the globs that match, in order, up to a rule that always matches."""
        sure = found and self.kind(found[-1]).unconditional
        last = found[-1] if sure else len(self)
        for number, pattern in globs[0] if len(globs) == 1 else sorted(chain(*globs)):
            if number > last:
                return
            if self._matches(pattern, name):
                yield number
                if self.kind(number).unconditional:
                    return

    def _matches(self, pattern: str, name: str) -> bool:
        if only_stars(pattern):
            return matches_stars(pattern, name)
        return bool(self._matcher(pattern)(name))

    def _matcher(self, pattern: str) -> Matcher:
        made = self._matchers.get(pattern)
        if made is None:
            made = self._matchers[pattern] = matcher(pattern)
        return made


def _renames_bucket(kind: Kind) -> bool:
    return kind.template is not None and bool(kind.template.bucket) and kind.takes_reads


def _add(found: list[int], numbers: _Numbers | None) -> None:
    if numbers is None:
        return
    if isinstance(numbers, int):
        found.append(numbers)
    else:
        found += numbers
