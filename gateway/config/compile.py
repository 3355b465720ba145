"""Writes the snapshot document that workers get, from the configuration and resolved credentials.

Rules: the document holds only what a request can reach, in plain JSON types; the same input gives
the same document; `fastpath.routing.snapshot` reads it (docs/snapshot.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from fastpath.routing.rules import pack
from fastpath.routing.snapshot import FORMAT
from fastpath.sockets.tls_settings import Certificate, TLSSettings
from gateway.config.condition_values import NOT_FOUND
from gateway.config.credential_sources import KeyPair
from gateway.config.schema import Config, Identity, RouterTLS, Routing, Target
from gateway.config.seal_keys import seal_keys


def compile_snapshot(
    model: Config, credentials: Mapping[str, Mapping[str, object]], router_address: str = ""
) -> dict[str, object]:
    """Returns the document. `credentials` is by target name (`Keyring.resolve`)."""
    own = {
        f"{target}/{identity.name}": {**_pair(keys.pair), "token": None}
        for identity in model.identities
        for target, keys in identity.credentials.items()
        if target in model.targets and keys.pair is not None
    }
    return {
        "format": FORMAT,
        "environment": model.environment,
        "domains": list(model.domains),
        "auth": model.auth.model_dump(mode="json", exclude={"identities"}),
        "limits": asdict(model.limits),
        "certificate": _certificate(model.router.tls),
        "seal_keys": [key.hex() for key in seal_keys(model)],
        "identities": [_identity(identity, model) for identity in model.identities],
        "credentials": {**{name: dict(value) for name, value in credentials.items()}, **own},
        "targets": [_target(name, target, credentials) for name, target in model.targets.items()],
        "rules": pack(model.rules, model.routing.fallback_on),
        "default_target": model.default_target,
        "fallback": _fallback(model.routing),
        "custom": _custom(model.routing, router_address),
        "trusted_proxies": list(model.router.trusted_proxies),
        "log": model.router.log.model_dump(),
        "list_buckets_failure": model.routing.list_buckets_failure,
    }


def _fallback(routing: Routing) -> dict[str, object]:
    """Returns what is behind the default target, and what besides a 404 moves a read on."""
    return {
        "targets": list(routing.fallback),
        "passes": sorted(routing.fallback_on - {NOT_FOUND}),
    }


def _custom(routing: Routing, address: str) -> dict[str, object] | None:
    if routing.custom is None:
        return None
    return {
        "timeout_seconds": routing.custom_timeout_ms / 1000,
        "refuses": routing.custom_failure == "refuse",
        "reads": list(routing.custom_reads),
        "address": address,
    }


def _certificate(tls: RouterTLS | None) -> dict[str, object] | None:
    if tls is None:
        return None
    assert tls.cert_pem is not None  # resolved, as is the key
    assert tls.key_pem is not None
    return asdict(Certificate(tls.cert_pem, tls.key_pem))


def _pair(pair: KeyPair) -> dict[str, object]:
    return {
        "access_key_id": pair.access_key_id,
        "secret_access_key": pair.secret_access_key.get_secret_value(),
    }


def _identity(identity: Identity, model: Config) -> dict[str, object]:
    allow = identity.allow
    return {
        "name": identity.name,
        "keys": [_pair(pair) for pair in identity.pairs],
        "targets": None if identity.targets is None else list(identity.targets),
        "allow": None
        if allow is None
        else [
            {"buckets": list(grant.buckets), "operations": sorted(grant.operations)}
            for grant in allow
        ],
        "credentials": {
            target: f"{target}/{identity.name}"
            for target in identity.credentials
            if target in model.targets
        },
        "show_decisions": model.auth.shows_decisions_to(identity),
    }


def _target(name: str, target: Target, credentials: Mapping[str, object]) -> dict[str, object]:
    endpoint, tls = target.endpoint, target.tls
    assert endpoint is not None  # resolved
    return {
        "name": name,
        "profile": target.profile,
        "profile_overrides": target.overrides,
        "host": endpoint.host,
        "port": endpoint.port,
        "authority": endpoint.authority,
        "virtual": target.virtual,
        "forgets": target.forgets,
        "region": target.region,
        "credentials": name if name in credentials else None,
        "tls": None
        if tls is None
        else asdict(TLSSettings(tls.verify, endpoint.host, tls.ca_pem, tls.cert_pem, tls.key_pem)),
        "pool": asdict(target.pool),
        "timeouts": asdict(target.timeouts),
    }
