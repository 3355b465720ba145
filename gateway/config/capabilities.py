"""Turns a profile's capabilities into plain values, as files and snapshots have them.

Rules: `profile_overrides` and the snapshot use the same form; an override that removes a check
causes a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from fastpath.routing.profiles import Profile
from fastpath.s3.operations import OPERATIONS
from gateway.config.problems import one_of

Capabilities = dict[str, object]

# Fields of a profile that are no capabilities.
_NOT_CAPABILITIES = ("name", "anonymous", "assumed", "dialect")

_CHECKS = {
    "verifies_digest": "the signed digest",
    "verifies_md5": "Content-MD5",
    "verifies_checksums": "x-amz-checksum-*",
}


def capabilities(profile: Profile) -> Capabilities:
    """Returns every capability by its name, in JSON's types."""
    names = [field.name for field in fields(Profile) if field.name not in _NOT_CAPABILITIES]
    return {name: _plain(getattr(profile, name)) for name in names}


def differences(profile: Profile, wanted: Capabilities) -> Capabilities:
    """Returns the overrides that turn the profile into the wanted one."""
    own = capabilities(profile)
    return {name: value for name, value in wanted.items() if value != own[name]}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(names) for key, names in sorted(value.items())}
    if isinstance(value, frozenset):
        return sorted(word.decode() if isinstance(word, bytes) else word for word in value)
    return value


def lost_safeties(profile: Profile, changed: Profile) -> Iterator[tuple[str, str]]:
    """Yields capability and message for each override that leaves something unchecked.

    A profile that is only assumed (`generic`) is meant to be overridden, so it causes none.
    """
    if profile.assumed:
        return
    for name, what in _CHECKS.items():
        if getattr(changed, name) and not getattr(profile, name):
            yield name, f"nothing checks {what} of an upload if the target does not"
    if profile.verifies_checksums and changed.verifies_checksums:
        added = sorted(name.decode() for name in changed.checksums - profile.checksums)
        if added:
            yield "checksums", f"nothing checks {_few(added)} of an upload if the target does not"
    if changed.verifies_documents and not profile.verifies_documents:
        yield "verifies_documents", "nothing checks the keys of a DeleteObjects in transit"
    if profile.mistakes_keys and not changed.mistakes_keys:
        yield "mistakes_keys", "DeleteObject of a key like `/` may delete the bucket"
    if profile.mistakes_deletes and not changed.mistakes_deletes:
        yield "mistakes_deletes", "a batch of keys may delete other objects than it names"
    yield from _let_through(profile, changed)


def _let_through(profile: Profile, changed: Profile) -> Iterator[tuple[str, str]]:
    names = {operation.name for operation in OPERATIONS.values()}
    let = sorted(n for n in names if profile.refuses(n) and not changed.refuses(n))
    if let:
        name = "operations" if changed.operations != profile.operations else "lacks"
        yield name, f"{_few(let)} may act on the object or bucket itself"
    for operation, overlooked in sorted(profile.overlooks.items()):
        gone = overlooked - changed.overlooks.get(operation, frozenset())
        if gone and not changed.refuses(operation):
            words = [word.decode() for word in sorted(gone)]
            yield "overlooks", f"{operation} may happen without regard to {_few(words)}"


def _few(words: list[str], most: int = 3) -> str:
    shown = [*words[:most], "others"] if len(words) > most else words
    return one_of(shown).replace(" or ", " and ")
