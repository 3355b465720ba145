"""The configuration in effect as YAML: every default filled in, every secret redacted.

Rules: no secret is ever printed, not even its length; what is printed is a valid configuration once
the secrets are put back; targets that nothing can reach are left out, as they are for the workers.

Not here: reading it (`load`), the snapshot (`compile`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from fastpath.routing.profiles import PROFILES
from gateway.config.model import Config, Cors, Identity, KeyPair, Rule, Target
from gateway.config.nodes import Tree
from gateway.config.problems import Path

REDACTED = "<redacted>"

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*\Z")
_AMBIGUOUS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


def effective(model: Config) -> dict[str, object]:
    """The configuration in the form of its file."""
    routing: dict[str, object] = {"default_target": model.default_target}
    if model.environment is not None:
        routing = {"environment": model.environment, **routing}
    if model.rules:
        routing["rules"] = [_rule(rule) for rule in model.rules]
    router: dict[str, object] = {
        "listen_address": [str(address) for address in model.listen],
        "workers": model.workers or "auto",
    }
    if model.tls is not None:
        addresses = [str(address) for address in model.tls.listen]
        router["tls"] = {"listen_address": addresses, **model.tls.files}
    if model.domains:
        router["domains"] = list(model.domains)
    auth: dict[str, object] = {
        "mode": model.mode,
        "sigv2": model.sigv2,
        "anonymous": model.anonymous,
    }
    if model.regions:
        auth["regions"] = list(model.regions)
    if model.cors is not None:
        auth["cors"] = _cors(model.cors)
    identities = [_identity(one) for one in model.identities if not one.implicit]
    if identities:
        auth["identities"] = identities
    return {
        "router": {**router, "limits": asdict(model.limits)},
        "auth": auth,
        "targets": {name: _target(target) for name, target in model.targets.items()},
        "routing": routing,
    }


def _cors(cors: Cors) -> dict[str, object]:
    if not cors.rules:
        return {"preflight": cors.preflight}
    rules = [
        {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(rule).items()
            if value not in (None, ())
        }
        for rule in cors.rules
    ]
    return {"preflight": cors.preflight, "rules": rules}


def _keys(pair: KeyPair) -> dict[str, object]:
    return {"access_key_id": pair.access_key_id, "secret_access_key": REDACTED}


def _identity(identity: Identity) -> dict[str, object]:
    entry: dict[str, object] = {"name": identity.name, **_keys(identity.keys)}
    if identity.allow is not None:
        entry["allow"] = [
            {"buckets": list(grant.buckets), "actions": sorted(grant.operations)}
            for grant in identity.allow
        ]
    if identity.credentials:
        entry["credentials"] = {name: _keys(pair) for name, pair in identity.credentials.items()}
    return entry


def _target(target: Target) -> dict[str, object]:
    entry: dict[str, object] = {
        "profile": target.profile,
        "endpoint": str(target.endpoint),
        "region": target.region,
        "addressing": "virtual" if target.virtual else "path",
    }
    if PROFILES[target.profile].dialect is not None:
        entry["forgets"] = target.forgets
    if target.overrides:
        entry["profile_overrides"] = written(target.overrides)
    source = target.source
    if source is not None:
        if source.keys is not None:
            entry.update(_keys(source.keys))
        for setting in ("aws_profile", "role_arn", "external_id"):
            value = getattr(source, setting)
            if value is not None:
                entry[setting] = value
    if target.tls is not None:
        entry["tls"] = {"verify": target.tls.verify, **target.tls.files}
    return {**entry, "pool": asdict(target.pool), "timeouts": asdict(target.timeouts)}


def written(overrides: Mapping[str, object]) -> dict[str, object]:
    """Overrides as a file has them."""
    return {name: "all" if value is None else value for name, value in overrides.items()}


def _rule(rule: Rule) -> dict[str, object]:
    entry: dict[str, object] = {"pattern": rule.pattern}
    if rule.operations is not None:
        entry["operations"] = sorted(rule.operations)
    if rule.identities is not None:
        entry["identities"] = list(rule.identities)
    entry["target"] = rule.target
    if rule.description:
        entry["description"] = rule.description
    return entry


def render(document: Mapping[str, object], tree: Tree | None = None) -> str:
    """YAML text; with a tree each value is followed by where it came from."""
    return "\n".join(_lines(document, (), "", tree)) + "\n"


def _lines(value: object, path: Path, indent: str, tree: Tree | None) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            at = (*path, key)
            if (isinstance(member, Mapping) and member) or _is_block(member):
                yield f"{indent}{key}:"
                yield from _lines(member, at, indent + "  ", tree)
            else:
                yield f"{indent}{key}: {_flow(member)}{_origin(at, tree)}"
    elif isinstance(value, list):
        for index, member in enumerate(value):
            first, *rest = _lines(member, (*path, index), "", tree)
            yield f"{indent}- {first}"
            yield from (f"{indent}  {line}" for line in rest)


def _is_block(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, Mapping) for item in value)


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(item) for item in value)}]"
    if isinstance(value, str):
        plain = _PLAIN.match(value) and value.lower() not in _AMBIGUOUS
        return value if plain else json.dumps(value)
    return json.dumps(value)


def _origin(path: Path, tree: Tree | None) -> str:
    if tree is None:
        return ""
    return f"  # {origin(path, tree)}"


def origin(path: Path, tree: Tree) -> str:
    """Where the value of a setting was given: `file:line`, `$VARIABLE`, `--flag` or `default`."""
    for candidate in (path, (*path[:-1], f"{path[-1]}_file")):
        place = tree.values.get(candidate)
        if place is not None:
            bare = place.source.startswith(("$", "--")) or place.source == "built-in"
            return place.source if bare else f"{place.source}:{place.line}"
    if path[0] == "targets" and path[-1] in ("access_key_id", "secret_access_key"):
        return f"$AWS_{str(path[-1]).upper()}"
    return "default"


__all__ = ["REDACTED", "effective", "origin", "render", "written"]
