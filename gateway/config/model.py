"""The configuration as the gateway uses it: every layer merged, every file read, nothing left open.

Rules: immutable; secrets are `SecretStr`, so that no `repr` shows them.

Not here: what may be written in a file (`schema`), how a worker sees it (`compile`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from fastpath.limits import Limits, PoolLimits, Timeouts
from gateway.config.addresses import Endpoint, Listen


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A static access key."""

    access_key_id: str
    secret_access_key: SecretStr


@dataclass(frozen=True, slots=True)
class CredentialSource:
    """How a target's credentials are found: a static pair, or botocore's chain, or a role on top.

    Without `keys` the chain is asked (with `aws_profile` if given); with `role_arn` what was found
    is exchanged at STS in `region`.
    """

    keys: KeyPair | None = None
    aws_profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    region: str = "us-east-1"

    @property
    def static(self) -> KeyPair | None:
        """The pair that will be signed with, if it is known without asking anybody."""
        return self.keys if self.role_arn is None else None


@dataclass(frozen=True, slots=True)
class TLSMaterial:
    """An https target's certificates as PEM text, and the `files` they came from."""

    verify: bool = True
    ca_pem: str | None = None
    cert_pem: str | None = None
    key_pem: str | None = field(default=None, repr=False)
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServedTLS:
    """Where clients speak TLS and what they are shown, PEM text and the `files` it came from."""

    listen: tuple[Listen, ...]
    cert_pem: str
    key_pem: str = field(repr=False)
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """A storage endpoint that a request can reach.

    `overrides` are capabilities in the form of `capabilities`, `virtual` that the Host names the
    bucket where it can, `forgets` what becomes of headers that it would forget.
    """

    name: str
    profile: str
    overrides: Mapping[str, object]
    virtual: bool
    forgets: str
    endpoint: Endpoint
    region: str
    source: CredentialSource | None
    tls: TLSMaterial | None
    pool: PoolLimits
    timeouts: Timeouts


@dataclass(frozen=True, slots=True)
class Grant:
    """One entry of `allow`, words expanded to operation names."""

    buckets: tuple[str, ...]
    operations: frozenset[str]


@dataclass(frozen=True, slots=True)
class Identity:
    """An access key the gateway knows. `targets` None means every target, `allow` None everything.

    `implicit`: nobody configured it, it is a target's own pair.
    """

    name: str
    keys: KeyPair
    targets: tuple[str, ...] | None = None
    allow: tuple[Grant, ...] | None = None
    credentials: Mapping[str, KeyPair] = field(default_factory=dict)
    implicit: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One routing rule; `number` counts from 1, `line` is its line in the file (0: no file)."""

    number: int
    line: int
    pattern: str
    target: str
    operations: frozenset[str] | None = None
    identities: tuple[str, ...] | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class CorsRule:
    """One rule for pages of other origins; `max_age_seconds` None: the browser's own."""

    allowed_origins: tuple[str, ...]
    allowed_methods: tuple[str, ...]
    allowed_headers: tuple[str, ...]
    expose_headers: tuple[str, ...]
    max_age_seconds: int | None


@dataclass(frozen=True, slots=True)
class Cors:
    """`preflight`: answer or forward."""

    preflight: str
    rules: tuple[CorsRule, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """Everything. `targets` holds only those that a request can reach."""

    environment: str | None
    listen: tuple[Listen, ...]
    tls: ServedTLS | None
    workers: int | None  # None: as many as there are processors
    domains: tuple[str, ...]
    limits: Limits
    mode: str
    sigv2: str
    regions: tuple[str, ...]  # that a client's scope may name; any, if empty
    anonymous: str
    cors: Cors | None
    identities: tuple[Identity, ...]
    targets: Mapping[str, Target]
    rules: tuple[Rule, ...]
    default_target: str

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return all(address.loopback for address in self.addresses)

    @property
    def addresses(self) -> tuple[Listen, ...]:
        """Every address that is listened on, with TLS or without."""
        return self.listen + (self.tls.listen if self.tls else ())
