"""Compares what a probe found with the profiles: the nearest one, and the differences.

Rules: what was not tried stays as in the profile; a target has a capability only if every trial
of it succeeded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fastpath.routing.profiles import PROFILES, Profile, with_overrides
from gateway.config.capabilities import Capabilities, capabilities, differences, lost_safeties

# Prefixes of headers that the translation of a dialect evaluates: a target may ignore them.
_JUDGED: Mapping[str | None, tuple[str, ...]] = {"lakefs": ("x-amz-copy-source-if-",)}


@dataclass(slots=True)
class Findings:
    """The results, and lines for a person who wants to know how they were found.

    flags: capabilities that are yes or no. words: for capabilities that are sets of words, whether
    the target has each. lacks: operation -> taken for another one. overlooks: operation and name of
    a parameter or header -> ignored.
    """

    say: Callable[[str], None]
    flags: dict[str, bool] = field(default_factory=dict)
    words: dict[str, dict[str, bool]] = field(default_factory=dict)
    lacks: dict[str, bool] = field(default_factory=dict)
    overlooks: dict[tuple[str, str], bool] = field(default_factory=dict)

    def flag(self, name: str, value: bool, how: str) -> None:
        """A capability that is yes or no."""
        self.flags[name] = value
        self.say(f"{name}: {'yes' if value else 'no'}: {how}")

    def word(self, name: str, word: str, value: bool, how: str) -> None:
        """One word of a capability that is a set of words."""
        self.words.setdefault(name, {})[word] = value
        self.say(f"{name}: {word}: {'yes' if value else 'no'}: {how}")

    def lack(self, operation: str, value: bool, how: str) -> None:
        """Whether the target takes an operation for another one."""
        self.lacks[operation] = value
        if value:
            self.say(f"lacks: {operation}: {how}")

    def overlook(self, operation: str, name: str, value: bool, how: str) -> None:
        """Whether the target ignores a parameter or header that changes an operation."""
        self.overlooks[operation, name] = value
        if value:
            self.say(f"overlooks: {operation}: {name}: {how}")

    def applied(self, profile: Profile) -> Capabilities:
        """Returns the profile with the results applied."""
        found = capabilities(profile)
        found.update(self.flags)
        for name, tried in self.words.items():
            kept = set(_texts(found[name])) - set(tried)
            found[name] = sorted(kept | {word for word, has in tried.items() if has})
        still = {name for name in profile.lacks if self.lacks.get(name, True)}
        taken = {name for name, lacks in self.lacks.items() if lacks}
        found["lacks"] = sorted(still | {name for name in taken if not profile.refuses(name)})
        found["overlooks"] = self._overlooked(profile)
        return found

    def _overlooked(self, profile: Profile) -> dict[str, list[str]]:
        names = {name: {n.decode() for n in found} for name, found in profile.overlooks.items()}
        for (operation, name), ignored in self.overlooks.items():
            of = names.setdefault(operation, set())
            if not ignored:
                of.discard(name)
            elif not (profile.refuses(operation) or name.startswith(_judged_here(profile))):
                of.add(name)
        return {operation: sorted(of) for operation, of in sorted(names.items()) if of}

    def nearest(self) -> tuple[Profile, Capabilities]:
        """Returns the shipped profile that is most like the target, and the overrides it needs."""
        candidates = [
            (profile, differences(profile, self.applied(profile))) for profile in PROFILES.values()
        ]
        return min(candidates, key=_distance)


def _distance(candidate: tuple[Profile, Capabilities]) -> tuple[bool, int]:
    """Counts the differences; a contradicted capability that protects users counts most."""
    profile, overrides = candidate
    unsafe = any(lost_safeties(profile, with_overrides(profile, overrides)))
    return unsafe, len(overrides)


def _judged_here(profile: Profile) -> tuple[str, ...]:
    return _JUDGED.get(profile.dialect, ())


def _texts(value: object) -> list[str]:
    assert isinstance(value, list)
    return value
