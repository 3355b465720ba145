"""Reports rewrites by which an object has two names, or one client's keys lie among another's.

    old-bucket   -> lakefs-new / main/      keys of `older` are listed and deleted in `old-bucket`
    older        -> lakefs-new / main/a/    as well, as a/...: an error
    lakefs-new   -> lakefs-new              the same objects under another name: a warning

Each finding is tried: a bucket and a key of each rule are routed and renamed by the code of a
worker, and both must come to one object. That of a fallback has the client's names there.

Rules: two names are a warning, because a migration has them for a while; prefixes that overlap are
an error if clients of the outer one may write or delete, unless the rules name identities, and none
in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fastpath.errors import S3Error
from fastpath.routing.asked import Asked
from fastpath.routing.chain import Decision
from fastpath.routing.globs import literal_glob, matcher, part_names, parts_of, split_glob
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.rules import CREATING, keys_of
from gateway.config.chain_targets import table_of
from gateway.config.globs import a_bucket, common_key
from gateway.config.problems import Path
from gateway.config.reading import Reader
from gateway.config.rules import LIST
from gateway.config.schema import Routing, Rule

# Rules with a rewrite, and pairs of them, that are tried (pairs for parts, and again for prefixes):
# a start must not be held up.
MAX_RULES = 10_000
MAX_PAIRS = 20_000
_CHANGES = ("PutObject", "DeleteObject")
_TRIED = (*_CHANGES, "GetObject", "HeadObject")
_PART = re.compile(r"(\{[A-Za-z][A-Za-z0-9_]*\})")
_MIGRATION = "fine while you migrate; else give each a bucket or key_prefix of its own"


class Name(NamedTuple):
    """The name of an object."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"


class _Place(NamedTuple):
    """The target's name of an object, and the rule that leads there; no rule: the default."""

    rule: Rule | None
    target: str
    name: Name


class _Way(NamedTuple):
    """A rule with a rewrite, and how it renames one bucket that it matches."""

    rule: Rule
    bucket: str
    rewrite: Rewrite

    @property
    def target_bucket(self) -> str:
        return self.rewrite.bucket_up(self.bucket.encode()).decode()

    @property
    def key_prefix(self) -> str:
        return self.rewrite.key_prefix.decode()

    @property
    def strip_prefix(self) -> str:
        return self.rewrite.strip_prefix.decode()

    def client_name(self, key: str) -> Name:
        """Returns the client's name of a target's key."""
        return Name(self.bucket, self.rewrite.key_down(key.encode()).decode())

    def key_globs(self) -> list[str]:
        """Returns globs of the keys that the target has by this rule."""
        keys = keys_of(self.rule)
        own = [literal_glob(self.strip_prefix) + "?*"] if self.rule.keys is None else keys or ()
        cut = len(literal_glob(self.strip_prefix))
        return [literal_glob(self.key_prefix) + ("?*" if g == "*" else g)[cut:] for g in own]


def report_rewrites(reader: Reader, rules: Sequence[Rule], routing: Routing) -> None:
    """Reports rewrites that alone, or with other rules, give names to share."""
    rewriting = [rule for rule in rules if rule.rewrite is not None]
    sound = [rule for rule in rewriting if _is_sound(rule)]
    for rule in sound:
        _report_alone(reader, rule)
    missing = len(rules) < len(reader.items(LIST)) or len(sound) < len(rewriting)
    if sound and not missing:
        _Trial(reader, rules, routing).report(sound[:MAX_RULES])


def _is_sound(rule: Rule) -> bool:
    """Whether the rewrite alone has no error, which `rules` reports."""
    assert rule.rewrite is not None
    strip = rule.rewrite.strip_prefix
    if "{" in strip or not all(split_glob(g)[0].startswith(strip) for g in rule.keys or ()):
        return False
    names = f"{rule.rewrite.bucket or ''} {rule.rewrite.key_prefix}"
    return "{" not in names or set(part_names(names)) <= set(part_names(rule.pattern))


# One rule


def _report_alone(reader: Reader, rule: Rule) -> None:
    rewrite, path = rule.rewrite, (*LIST, rule.number - 1, "rewrite")
    assert rewrite is not None
    prefix = rewrite.key_prefix
    if rewrite.bucket in (None, rule.pattern) and not prefix and not rewrite.strip_prefix:
        reader.warn(path, "changes nothing", "leave it out")
    if rewrite.bucket is None:
        return  # each bucket keeps a place of its own
    if hint := _what_is_lost(rule, rewrite.bucket + prefix):
        message = "gives all buckets that match the pattern the same names at the target"
        reader.warn(path, message, hint)
    loose = part_names(prefix.rpartition("/")[2]) if "{" in prefix else []
    if loose and not set(part_names(prefix)) <= set(part_names(rewrite.bucket)):
        message = f"may begin with another: {{{loose[-1]}}} is a for one bucket, ab for another"
        reader.warn((*path, "key_prefix"), message, f"write {prefix}/")
    for setting, text, other in (
        ("bucket", rewrite.bucket, prefix),
        ("key_prefix", prefix, rewrite.bucket),
    ):
        if "}{" in text and not set(part_names(text)) <= set(part_names(other)):
            message = "has two parts in a row: a and bc give the same name as ab and c"
            reader.warn((*path, setting), message, "put text between them")


def _what_is_lost(rule: Rule, names: str) -> str:
    """Returns what to do so that buckets have different names at the target; empty: they have."""
    parts = part_names(rule.pattern) if "{" in rule.pattern else []
    lost = [name for name in parts if f"{{{name}}}" not in names]
    if lost:
        return f"put {{{lost[0]}}} into bucket, or {{{lost[0]}}}/ into key_prefix"
    unnamed = re.search(r"[*?]|\[(?!.\])", rule.pattern)
    if unnamed is None:
        return ""
    if unnamed[0] != "*":
        return "name what differs as a {part} of the pattern, and put it into key_prefix"
    named = re.sub(r"\*+", "{name}", rule.pattern, count=1)
    return f"write the pattern {named}, and put {{name}}/ into key_prefix"


# Several rules


def _names_parts(rule: Rule) -> bool:
    """Whether parts of the pattern, each once, stand in the names at the target."""
    rewrite = rule.rewrite
    if rewrite is None or rewrite.bucket is None:
        return False
    names = part_names(f"{rewrite.bucket}/{rewrite.key_prefix}") if "{" in rule.pattern else []
    return bool(names) and len(set(names)) == len(names)


def _glob_of_names(rule: Rule) -> str:
    """Returns a glob of `bucket/keys` at the target, with the parts of the pattern in it."""
    assert rule.rewrite is not None
    assert rule.rewrite.bucket is not None
    pieces = _PART.split(f"{rule.rewrite.bucket}/{rule.rewrite.key_prefix}")
    return "".join(p if _PART.fullmatch(p) else literal_glob(p) for p in pieces) + "*"


def _with_parts(pattern: str, parts: Mapping[str, str]) -> str:
    """Returns a pattern with the text of its parts in their places."""
    for name, text in parts.items():
        pattern = pattern.replace(f"{{{name}}}", text)
    return pattern


class _Trial:
    """Tries buckets and keys on the routing table of a worker."""

    def __init__(self, reader: Reader, rules: Sequence[Rule], routing: Routing) -> None:
        self._reader = reader
        self._rules = rules
        self._table = table_of(rules, routing)
        self._pairs_left = MAX_PAIRS
        self._told: set[tuple[str, str, int]] = set()  # own names: one line for many tenants
        self._number_of = {id(rule): number for number, rule in enumerate(rules, 1)}

    def report(self, rewriting: Sequence[Rule]) -> None:
        """Reports rules that share objects with another rule, or with the default target."""
        groups: dict[tuple[str, str], list[_Way]] = {}
        ways = list(self._ways(rewriting))
        for way in ways:
            self._report_own_name(way)
        for way in (*ways, *self._ways_into(ways)):
            groups.setdefault((way.rule.target, way.target_bucket), []).append(way)
        for ways in groups.values():
            enclosing: list[_Way] = []
            for way in sorted(ways, key=lambda way: (way.key_prefix, way.rule.number)):
                while enclosing and not way.key_prefix.startswith(enclosing[-1].key_prefix):
                    enclosing.pop()
                for outer in reversed(enclosing):
                    if outer.rule is way.rule:
                        continue  # `_report_alone` tells of its own buckets
                    self._pairs_left -= 1
                    if self._pairs_left < 0:
                        return
                    if self._report_pair(outer, way):
                        break
                enclosing.append(way)

    def _ways(self, rules: Sequence[Rule]) -> Iterator[_Way]:
        for rule in rules:
            way = self._way(rule, a_bucket(rule.pattern))
            if way is not None:
                yield way

    def _way(self, rule: Rule, bucket: str) -> _Way | None:
        """Returns how a rule renames a bucket; None: it does not."""
        template = self._table.kind(self._number_of[id(rule)]).template
        if not bucket or template is None:
            return None
        try:
            return _Way(rule, bucket, template.rewrite(bucket.encode()))
        except S3Error:
            return None  # requests for that bucket are refused

    def _ways_into(self, ways: Sequence[_Way]) -> Iterator[_Way]:
        """Yields rules with parts, for those buckets that they send where another rule leads."""
        left = MAX_PAIRS
        naming = [way.rule for way in ways if _names_parts(way.rule)]
        for rule in naming:
            into = matcher(_glob_of_names(rule))
            for other in ways:
                left -= 1
                if left < 0:
                    return
                names = f"{other.target_bucket}/{other.key_prefix}"
                if other.rule is rule or other.rule.target != rule.target or not into(names):
                    continue
                parts = parts_of(_glob_of_names(rule), names)
                way = self._way(rule, a_bucket(_with_parts(rule.pattern, parts)))
                if way is not None:
                    yield way

    def _report_own_name(self, way: _Way) -> None:
        """Reports that the target's name of an object is a client's name of it too."""
        key = common_key(way.key_globs()[0], "?*")
        if key is None or not self._wins(way, key):
            return
        above, below = Name(way.target_bucket, key), way.client_name(key)
        if above == below:
            return
        for who in dict.fromkeys((*(way.rule.identities or ())[:1], "")):
            for operation in _TRIED:
                places = self._places(above, operation, who)
                found = [place for place in places if place[1:] == (way.rule.target, above)]
                if not found:
                    continue
                other = found[0][0]
                told = (way.rule.target, above.bucket, other.number if other else 0)
                if told not in self._told:
                    self._told.add(told)
                    self._warn(way, below, above, other, above)
                return

    def _report_pair(self, outer: _Way, inner: _Way) -> bool:
        """Reports an object that both rules lead to; the outer one's prefix begins the other's."""
        rest = inner.key_prefix[len(outer.key_prefix) :]
        same_bucket = outer.bucket == inner.bucket
        if same_bucket and inner.strip_prefix == outer.strip_prefix + rest:
            return False  # they agree about every name
        key = _common_key(outer, inner)
        if key is None:
            return False
        outer_wins, inner_wins = self._wins(outer, key), self._wins(inner, key)
        if not outer_wins or not inner_wins:
            return False
        overlap = rest and outer.key_prefix and not same_bucket
        if overlap and not _are_apart(outer.rule, inner.rule) and outer_wins & {*_CHANGES}:
            self._refuse(outer, inner)
            return True
        first, second = sorted((outer, inner), key=lambda way: way.rule.number)
        above = Name(outer.target_bucket, key)
        self._warn(second, second.client_name(key), first.client_name(key), first.rule, above)
        return True

    def _refuse(self, outer: _Way, inner: _Way) -> None:
        first, second = sorted((outer, inner), key=lambda way: way.rule.number)
        self._reader.error(
            (*_path(second.rule), "key_prefix"),
            f"overlaps {_called(first.rule)}: keys in {outer.bucket} that begin with "
            f"{outer.client_name(inner.key_prefix).key} are those of {inner.bucket}",
            "let neither key_prefix begin with the other, or give the rules different identities",
        )

    def _warn(self, way: _Way, name: Name, other: Name, rule: Rule | None, above: Name) -> None:
        """Reports that `other`, by another rule or the default, is `name` by this one."""
        self._reader.warn(
            _path(way.rule),
            f"gives an object a second name: {name} here and {other} by {_called(rule)} are both "
            f"{above} of target {way.rule.target}",
            _MIGRATION,
        )

    def _wins(self, way: _Way, key: str) -> set[str]:
        """Returns the operations that this rule gets for the client's name of a target's key."""
        name, rule = way.client_name(key), way.rule
        who = rule.identities[0] if rule.identities else ""
        place = _Place(rule, rule.target, Name(way.target_bucket, key))
        return {one for one in _TRIED if place in self._places(name, one, who)}

    def _places(self, name: Name, operation: str, who: str) -> list[_Place]:
        """Returns where a request for an object may go; a new object to candidates alone.

        Nowhere if the request is refused, because the bucket has no name at the target.
        """
        asked = Asked(operation, who, name.bucket.encode(), name.key.encode(), None, b"", 0.0)
        try:
            chain = self._table.plan(asked.bucket).chain(asked)
        except S3Error:
            return []
        count = chain.candidates if operation in CREATING else len(chain.places)
        return [self._named(decision, asked) for decision in chain.places[:count]]

    def _named(self, decision: Decision, asked: Asked) -> _Place:
        number, rewrite = decision.rule, decision.rewrite
        rule = self._rules[number - 1] if isinstance(number, int) and number else None
        bucket, key = asked.bucket, asked.key
        if rewrite is not None:
            bucket, key = rewrite.bucket_up(bucket), rewrite.key_up(key)
        return _Place(rule, decision.target, Name(bucket.decode(), key.decode()))


def _common_key(one: _Way, other: _Way) -> str | None:
    """Returns a key of the target that both rules may lead to."""
    for mine in one.key_globs():
        for theirs in other.key_globs():
            key = common_key(mine, theirs)
            if key is not None:
                return key
    return None


def _are_apart(one: Rule, other: Rule) -> bool:
    """Whether both rules name identities, and none is in both."""
    if one.identities is None or other.identities is None:
        return False
    return not set(one.identities) & set(other.identities)


def _path(rule: Rule) -> Path:
    return (*LIST, rule.number - 1, "rewrite")


def _called(rule: Rule | None) -> str:
    return "default_target" if rule is None else f"rule {rule.number} (line {rule.line})"
