"""Reads the snapshot document into the immutable configuration that a worker serves.

Control sends the document as JSON (docs/snapshot.md), the supervisor numbers it, and each worker
reads it here and swaps it in with one assignment. A request ends on the snapshot it began with.

Rules: nothing in a snapshot changes after `load_snapshot`, except caches; no `repr` shows a secret;
only this module reads the document.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from fastpath.http.forwarded_for import TrustedProxies
from fastpath.ipc.sampling import Sampling
from fastpath.limits import Limits, PoolLimits, Timeouts
from fastpath.response.cors import Cors, CorsRule, compile_pattern
from fastpath.routing.bucket_lists import BucketLists, bucket_lists
from fastpath.routing.custom_routing import CustomRouting
from fastpath.routing.globs import compile_glob
from fastpath.routing.identities import (
    ANONYMOUS_CALLER,
    OPEN_CALLER,
    OPEN_CALLER_WHO_SEES,
    Caller,
    Grant,
)
from fastpath.routing.profiles import PROFILES, Profile, with_overrides
from fastpath.routing.rules import Fallback, Rulebook
from fastpath.routing.sealed_ids import Sealer
from fastpath.routing.table import RoutingTable
from fastpath.signing.authentication import Accepted, Sigv2
from fastpath.signing.sigv4.sign import Credentials, Signer, Unsigned
from fastpath.sockets.tls_settings import Certificate, TLSSettings

FORMAT = 4

# JSON as `gateway.config.compile` wrote it: it was checked there, so it is not checked here.
Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """How connections to a target are made. Routes with one `key` share a pool."""

    key: str
    host: str
    port: int
    tls: TLSSettings | None
    pool: PoolLimits
    timeouts: Timeouts


@dataclass(frozen=True, slots=True)
class Target:
    """A named storage endpoint. `authority` is the Host header; `signer` the gateway's own.

    `virtual`: the Host names the bucket where it can (`fastpath.request.virtual_host`).
    `drops`: headers that the target would forget are dropped, not refused.
    `verifies_uploads`: a copy of the profile's, because every upload asks for it.
    """

    name: str
    profile: Profile
    authority: bytes
    region: bytes
    route: Route
    signer: Signer | None
    virtual: bool
    drops: bool
    verifies_uploads: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The configuration of one generation."""

    generation: int
    instance: bytes
    domains: tuple[bytes, ...]
    open_caller: Caller | None  # `auth.mode: open`: everybody; None: who sends is verified
    accepted: Accepted  # signatures of clients
    cors: Cors | None
    anonymous: bool  # `auth.anonymous: forward`: unsigned requests go up unsigned
    limits: Limits
    certificate: Certificate | None  # of the TLS listeners, if there are any
    callers: Mapping[bytes, Caller]  # by access key id
    targets: Mapping[str, Target]
    routing: RoutingTable
    sealer: Sealer  # of upload ids
    custom: CustomRouting | None = None  # `routing.custom`: a router in a process of its own
    bucket_lists: BucketLists | None = None  # None: the default target answers a ListBuckets
    trusted_proxies: TrustedProxies | None = None  # None: who connects is the client
    sampling: Sampling | None = None  # of access lines; None: all are written

    def signer(self, target: Target, caller: Caller) -> Signer | Unsigned | None:
        """Returns the signer of `caller`'s requests to `target`; None without credentials."""
        if caller is ANONYMOUS_CALLER:
            return Unsigned(target.region)
        return caller.signers.get(target.name, target.signer)


def load_snapshot(generation: int, document: Document) -> Snapshot:
    """Reads the document. Raises ValueError on another format, KeyError on an incomplete one."""
    if document["format"] != FORMAT:
        raise ValueError(f"snapshot format {document['format']}, this worker reads {FORMAT}")
    limits = Limits(**document["limits"])
    certificate = document["certificate"]
    targets = {entry["name"]: _target(entry, document) for entry in document["targets"]}
    regions = {target["name"]: target["region"] for target in document["targets"]}
    callers = [
        caller for entry in document["identities"] for caller in _callers(entry, regions, document)
    ]
    rules, custom = Rulebook(document["rules"]), _custom(document.get("custom"))
    fallback = Fallback.of(document["fallback"]["targets"], document["fallback"]["passes"])
    routing = RoutingTable(rules, document["default_target"], limits.cached_buckets, fallback)
    refuses = document["list_buckets_failure"] == "refuse"
    return Snapshot(
        generation=generation,
        instance=document["instance"].encode(),
        domains=tuple(domain.lower().encode() for domain in document["domains"]),
        open_caller=_open_caller(document["auth"]),
        accepted=_accepted(document["auth"]),
        cors=_cors(document["auth"]["cors"]),
        anonymous=document["auth"]["anonymous"] == "forward",
        limits=limits,
        certificate=None if certificate is None else Certificate(**certificate),
        callers={caller.access_key_id: caller for caller in callers},
        targets=targets,
        routing=routing,
        sealer=Sealer([bytes.fromhex(key) for key in document["seal_keys"]]),
        custom=custom,
        bucket_lists=bucket_lists(routing, custom, targets, refuses=refuses),
        trusted_proxies=_trusted_proxies(document["trusted_proxies"]),
        sampling=_sampling(document["log"]),
    )


def _trusted_proxies(networks: list[str]) -> TrustedProxies | None:
    return TrustedProxies(networks) if networks else None


def _sampling(entry: Document) -> Sampling | None:
    return Sampling(entry["sample"], entry["slow_seconds"]) if entry["sample"] < 1 else None


def _custom(entry: Document | None) -> CustomRouting | None:
    if entry is None:
        return None
    return CustomRouting(
        timeout_seconds=entry["timeout_seconds"],
        refuses=entry["refuses"],
        reads=tuple(entry["reads"]),
        address=entry["address"].encode(),
    )


def _open_caller(entry: Document) -> Caller | None:
    if entry["mode"] != "open":
        return None
    return OPEN_CALLER_WHO_SEES if entry["show_decisions"] else OPEN_CALLER


def _accepted(entry: Document) -> Accepted:
    return Accepted(Sigv2(entry["sigv2"]), tuple(region.encode() for region in entry["regions"]))


def _cors(entry: Document | None) -> Cors | None:
    if entry is None:
        return None
    return Cors(tuple(map(_cors_rule, entry["rules"])), forward=entry["preflight"] == "forward")


def _cors_rule(entry: Document) -> CorsRule:
    return CorsRule(
        any_origin="*" in entry["allowed_origins"],
        origins=tuple(compile_pattern(origin) for origin in entry["allowed_origins"]),
        methods=tuple(method.encode() for method in entry["allowed_methods"]),
        headers=tuple(
            compile_pattern(name, flags=re.IGNORECASE) for name in entry["allowed_headers"]
        ),
        expose=tuple(name.encode() for name in entry["expose_headers"]),
        max_age=entry["max_age_seconds"],
    )


def _names(words: list[str] | None) -> frozenset[str] | None:
    return None if words is None else frozenset(words)


def _route(entry: Document) -> Route:
    parts = [entry[name] for name in ("host", "port", "tls", "pool", "timeouts")]
    tls = entry["tls"]
    return Route(
        # A digest, because the parts may hold a private key.
        key=hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest(),
        host=entry["host"],
        port=entry["port"],
        tls=None if tls is None else TLSSettings(**tls),
        pool=PoolLimits(**entry["pool"]),
        timeouts=Timeouts(**entry["timeouts"]),
    )


def _target(entry: Document, document: Document) -> Target:
    profile = with_overrides(PROFILES[entry["profile"]], entry["profile_overrides"])
    return Target(
        name=entry["name"],
        profile=profile,
        authority=entry["authority"].encode(),
        region=entry["region"].encode(),
        route=_route(entry),
        signer=_signer(entry["credentials"], entry["region"], document),
        virtual=entry["virtual"],
        drops=entry["forgets"] == "drop",
        verifies_uploads=profile.verifies_uploads,
    )


def _signer(name: str | None, region: str, document: Document) -> Signer | None:
    entry = document["credentials"].get(name) if name is not None else None
    if entry is None:
        return None
    token = entry["token"]
    return Signer(
        Credentials(
            entry["access_key_id"].encode(),
            entry["secret_access_key"].encode(),
            None if token is None else token.encode(),
        ),
        region.encode(),
    )


def _callers(entry: Document, regions: Mapping[str, str], document: Document) -> list[Caller]:
    """The caller that an identity is with each of its keys: they differ in nothing else."""
    targets = _names(entry["targets"])
    grants = None if entry["allow"] is None else tuple(map(_grant, entry["allow"]))
    signers = {
        target: _signer(name, regions[target], document)
        for target, name in entry["credentials"].items()
        if target in regions
    }
    return [
        Caller(
            entry["name"],
            pair["access_key_id"].encode(),
            pair["secret_access_key"].encode(),
            targets=targets,
            grants=grants,
            signers=signers,
            sees_decisions=entry["show_decisions"],
        )
        for pair in entry["keys"]
    ]


def _grant(entry: Document) -> Grant:
    return Grant(
        every_bucket="*" in entry["buckets"],
        buckets=tuple(compile_glob(pattern) for pattern in entry["buckets"]),
        operations=frozenset(entry["operations"]),
    )
