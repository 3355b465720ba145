"""Reads who may come in: the identities of the file, or the targets' own key pairs without any.

Without `auth.identities` a client may sign with a static pair that the gateway itself holds for a
target. On loopback that pair reaches every target. Elsewhere it reaches only the targets that it
belongs to, because more would lend the gateway's rights to anyone who knows one key.

Rules: published keys are refused off loopback; an access key id belongs to one identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.config.credential_sources import KeyPair, is_published
from gateway.config.problems import Path, suggest
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
    ids: dict[str, int] = {}
    for index in reader.items(_LIST):
        path = (*_LIST, index)
        identity = _identity(reader, files, path, frozenset(targets))
        pair = identity.keys if identity is not None else None
        if identity is None or pair is None:
            continue
        first = names.setdefault(identity.name, index)
        if first != index:
            reader.error((*path, "name"), f"is the name of auth.identities[{first}] too")
        first = ids.setdefault(pair.access_key_id, index)
        if first != index:
            at = (*path, "access_key_id")
            reader.error(at, f"is the key of auth.identities[{first}] too")
        if not loopback and is_published(pair):
            reader.error((*path, "access_key_id"), PUBLISHED, "make a key of your own")
        found.append(identity)
    return found


def _identity(reader: Reader, files: Files, path: Path, targets: frozenset[str]) -> Identity | None:
    section = reader.read(Identity, path)
    if section is None:
        return None
    keys = key_pair(section, path, reader, files)
    names_id = section.access_key_id or section.access_key_id_file
    if keys is None and not names_id and not section.secret_access_key:
        reader.error(path, "has no access_key_id and secret_access_key")
    own: dict[str, Keys] = {}
    for target, pair in section.credentials.items():
        at = (*path, "credentials", target)
        if target not in targets:
            reader.error(at, "is no target", suggest(target, targets), key=True)
            continue
        found = key_pair(pair, at, reader, files)
        if found is not None:
            own[target] = pair.resolved(found)
        elif not pair.model_fields_set:
            reader.error(at, "has no access_key_id and secret_access_key", key=True)
    return None if keys is None else section.resolved(keys, credentials=own)


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
