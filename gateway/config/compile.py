"""From the model and resolved credentials to the snapshot document that workers are given.

Rules: only what can be reached; plain JSON types; the same input gives the same document.

Not here: numbering and sending it (`gateway.supervisor`), reading it (`fastpath.routing.snapshot`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from fastpath.routing.rules import pack
from gateway.config.model import Config, Identity, KeyPair, ServedTLS, Target

FORMAT = 2


def compile_snapshot(
    model: Config, credentials: Mapping[str, Mapping[str, object]]
) -> dict[str, object]:
    """The document of the configuration. `credentials` is by target name (`Keyring.resolve`)."""
    own = {
        f"{target}/{identity.name}": _static(pair)
        for identity in model.identities
        for target, pair in identity.credentials.items()
        if target in model.targets
    }
    return {
        "format": FORMAT,
        "environment": model.environment,
        "domains": list(model.domains),
        "auth": {
            "mode": model.mode,
            "sigv2": model.sigv2,
            "regions": list(model.regions),
            "anonymous": model.anonymous,
            "cors": None if model.cors is None else asdict(model.cors),
        },
        "limits": asdict(model.limits),
        "certificate": _certificate(model.tls),
        "identities": [_identity(identity, model) for identity in model.identities],
        "credentials": {**{name: dict(value) for name, value in credentials.items()}, **own},
        "targets": [_target(target, credentials) for target in model.targets.values()],
        "rules": pack(model.rules),
        "default_target": model.default_target,
    }


def _certificate(tls: ServedTLS | None) -> dict[str, str] | None:
    return None if tls is None else {"cert_pem": tls.cert_pem, "key_pem": tls.key_pem}


def _static(pair: KeyPair) -> dict[str, object]:
    return {
        "access_key_id": pair.access_key_id,
        "secret_access_key": pair.secret_access_key.get_secret_value(),
        "token": None,
        "expires": None,
    }


def _identity(identity: Identity, model: Config) -> dict[str, object]:
    allow = identity.allow
    return {
        "name": identity.name,
        "access_key_id": identity.keys.access_key_id,
        "secret_access_key": identity.keys.secret_access_key.get_secret_value(),
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
    }


def _target(target: Target, credentials: Mapping[str, object]) -> dict[str, object]:
    endpoint = target.endpoint
    tls = None
    if target.tls is not None:
        tls = {
            "verify": target.tls.verify,
            "ca_pem": target.tls.ca_pem,
            "cert_pem": target.tls.cert_pem,
            "key_pem": target.tls.key_pem,
            "server_name": endpoint.host,
        }
    return {
        "name": target.name,
        "profile": target.profile,
        "profile_overrides": dict(target.overrides),
        "scheme": endpoint.scheme,
        "host": endpoint.host,
        "port": endpoint.port,
        "authority": endpoint.authority,
        "virtual": target.virtual,
        "forgets": target.forgets,
        "region": target.region,
        "credentials": target.name if target.name in credentials else None,
        "tls": tls,
        "pool": asdict(target.pool),
        "timeouts": asdict(target.timeouts),
    }
