"""Reads who may come in: the identities of the file, or the targets' own key pairs without any.

Without `auth.identities` a client may sign with a static pair that the gateway itself holds for a
target. On loopback that pair reaches every target. Elsewhere it reaches only the targets that it
belongs to, because more would lend the gateway's rights to anyone who knows one key.

Rules: published keys are refused off loopback; an access key id belongs to one identity, and stands
there once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gateway.config.credential_sources import KeyPair, is_published
from gateway.config.problems import Path, format_path, suggest
from gateway.config.reading import Reader
from gateway.config.schema import Identity, Keys, Target
from gateway.config.secrets import Files, key_pair

_LIST: Path = ("auth", "identities")

PUBLISHED = "is one of the published example keys, which everybody knows"


def read_identities(
    reader: Reader, files: Files, targets: Iterable[str], loopback: bool
) -> list[Identity]:
    """Reads the configured identities; those with errors are left out."""
    found: list[Identity] = []
    names: dict[str, int] = {}
    ids: dict[str, Path] = {}
    for index in reader.items(_LIST):
        path = (*_LIST, index)
        identity = _identity(reader, files, path, frozenset(targets))
        if identity is None or not identity.pairs:
            continue
        first = names.setdefault(identity.name, index)
        if first != index:
            reader.error((*path, "name"), f"is the name of auth.identities[{first}] too")
        for at, pair in _places(identity, path):
            known = ids.setdefault(pair.access_key_id, at)
            if known != at:
                reader.error(_id_of(reader, at), f"is the key of {format_path(known)} too")
            if not loopback and is_published(pair):
                reader.error(_id_of(reader, at), PUBLISHED, "make a key of your own")
        found.append(identity)
    return found


def _places(identity: Identity, path: Path) -> Iterator[tuple[Path, KeyPair]]:
    """Returns the pairs of an identity, each with the path of the mapping that it stands in."""
    if identity.pair is not None:
        yield path, identity.pair
    for index, section in enumerate(identity.keys):
        if section.pair is not None:
            yield (*path, "keys", index), section.pair


def _id_of(reader: Reader, path: Path) -> Path:
    """Returns the path of a pair's access key id: of the name of its file, if it is in one."""
    in_file = (*path, "access_key_id_file")
    return in_file if in_file in reader.tree.values else (*path, "access_key_id")


def _identity(reader: Reader, files: Files, path: Path, targets: frozenset[str]) -> Identity | None:
    section = reader.read(Identity, path)
    if section is None:
        return None
    pair = key_pair(section, path, reader, files)
    more: list[Keys] = []
    for index, keys in enumerate(section.keys):
        at = (*path, "keys", index)
        found = _pair_at(keys, at, reader, files)
        if found is not None:
            more.append(keys.resolved(found))
    if not section.names_keys and not section.keys:
        reader.error(path, "has no access_key_id and secret_access_key, and no keys")
    own = _credentials(section, path, reader, files, targets)
    return section.resolved(pair, keys=tuple(more), credentials=own)


def _credentials(
    section: Identity, path: Path, reader: Reader, files: Files, targets: frozenset[str]
) -> dict[str, Keys]:
    """Reads the pairs that sign its requests to some targets."""
    own: dict[str, Keys] = {}
    for target, pair in section.credentials.items():
        at = (*path, "credentials", target)
        if target not in targets:
            reader.error(at, "is no target", suggest(target, targets), key=True)
            continue
        found = _pair_at(pair, at, reader, files)
        if found is not None:
            own[target] = pair.resolved(found)
    return own


def _pair_at(keys: Keys, path: Path, reader: Reader, files: Files) -> KeyPair | None:
    """Reads a pair that must be there; None after reporting a problem."""
    found = key_pair(keys, path, reader, files)
    if found is None and not keys.names_keys:
        reader.error(path, "has no access_key_id and secret_access_key", key=True)
    return found


def implicit_identities(
    reader: Reader, targets: Mapping[str, Target], loopback: bool
) -> list[Identity]:
    """Makes an identity of each static pair that the gateway holds for a target."""
    pairs: dict[str, tuple[KeyPair, list[str]]] = {}
    for name, target in targets.items():
        pair = target.source.static if target.source else None
        if pair is None:
            continue
        known, holders = pairs.setdefault(pair.access_key_id, (pair, []))
        if known != pair:
            at = ("targets", name, "access_key_id")
            reader.error(at, f"is the key of target {holders[0]} too, with another secret")
            continue
        if not loopback and is_published(pair):
            hint = "configure auth.identities, or listen on loopback"
            reader.error(("targets", name, "access_key_id"), PUBLISHED, hint)
        holders.append(name)
    return [
        Identity.of_target(holders[0], pair, None if loopback else tuple(holders))
        for pair, holders in pairs.values()
    ]
