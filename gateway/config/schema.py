"""The sections of a configuration, as pydantic models: what may be written, and what was meant.

`load` reads each section, fills in what depends on other settings and makes the `Config` that the
gateway works with out of the same objects.

Rules: every setting of the public schema is a field, and one that is not supported yet is refused;
`router.limits`, `pool` and `timeouts` have the fields of the dataclasses of `fastpath.limits`, so
there is one list of limits; sections are immutable, and no `repr` shows a secret.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    SecretStr,
)
from pydantic import create_model as create_pydantic_model
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from fastpath.limits import PERCENT, ZERO_IS_OFF, Limits, PoolLimits, Timeouts
from fastpath.response.cors import METHODS as CORS_METHODS
from fastpath.routing.profiles import CHECKSUMS, FORGETS, LIST_FEATURES, PROFILES
from fastpath.signing.sigv4.verify import STREAMING_MODES
from gateway.config.addresses import Endpoint, Listen, parse_endpoint, parse_listen
from gateway.config.condition_values import (
    NOT_FOUND,
    ContentType,
    Hours,
    Outcomes,
    Size,
    TimeZone,
    zone_file,
)
from gateway.config.credential_sources import DEFAULT_REGION, CredentialSource, KeyPair
from gateway.config.value_types import (
    AUTO,
    EVERY_OPERATION,
    AllOrOperations,
    AnyOperations,
    Boolean,
    ClassName,
    Domain,
    FieldName,
    Given,
    Glob,
    HeaderName,
    HeaderPattern,
    Items,
    KeyGlob,
    KeyID,
    KeyPrefix,
    Later,
    Maybe,
    Name,
    Network,
    NewBucket,
    NumberOrZero,
    OneOrMore,
    OperationName,
    Operations,
    OrEmpty,
    Origin,
    Parse,
    Pattern,
    Percent,
    PositiveNumber,
    PositiveWhole,
    Region,
    RoleARN,
    Secret,
    Share,
    Text,
    UniqueItems,
    URLPath,
    WholeOrZero,
    Word,
    Workers,
    fault,
    plain_text,
)
from gateway.config.yaml_tree import DEFAULT_TARGET

# pydantic looks for plug-ins in every installed package, for 20 ms of each start; there are none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

PROFILE_WORDS = tuple(PROFILES)

Address = Annotated[Listen, Parse(plain_text, parse_listen)]

OFF: typing.Final = "off"


def _address_or_off(text: str) -> Listen | str:
    return OFF if text == OFF else parse_listen(text)


AddressOrOff = Annotated[Listen | typing.Literal["off"], Parse(plain_text, _address_or_off)]
EndpointText = Annotated[Endpoint, Parse(plain_text, parse_endpoint)]


class Section(BaseModel):
    """A mapping of the file: its keys are exactly the model's fields.

    Building is deferred, because most sections are only built as a part of another.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Apart:
    """Marks a field whose members are read one by one (`reading`), apart from their section."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.any_schema()


def _section_of(source: type[Any]) -> type[Section]:
    """Makes a section with the fields, types and defaults of a dataclass of limits."""
    hints = typing.get_type_hints(source)
    positive: dict[type, Any] = {int: PositiveWhole, float: PositiveNumber}
    or_zero: dict[type, Any] = {int: WholeOrZero, float: NumberOrZero}
    content: dict[str, Any] = {}
    for field in fields(source):
        kinds = or_zero if field.metadata == ZERO_IS_OFF else positive
        kind = Percent if field.metadata == PERCENT else kinds[hints[field.name]]
        content[field.name] = (kind, field.default)
    name = f"{source.__name__}Section"
    return create_pydantic_model(name, __base__=Section, __doc__=source.__doc__, **content)


def _made(source: type[Any]) -> AfterValidator:
    """Returns the validator that turns such a section into its dataclass."""
    return AfterValidator(lambda section: source(**dict(section)))


if typing.TYPE_CHECKING:  # what the sections become
    LimitsSection = Limits
    PoolSection = PoolLimits
    TimeoutsSection = Timeouts
else:
    LimitsSection, PoolSection, TimeoutsSection = map(_section_of, (Limits, PoolLimits, Timeouts))


# Keys


class Keys(Section):
    """A key pair; each part inline, as `${VAR}`, or from a file."""

    access_key_id: Maybe[KeyID] = None
    access_key_id_file: Maybe[Text] = None
    secret_access_key: Maybe[Secret] = None
    secret_access_key_file: Maybe[Text] = None

    @property
    def names_keys(self) -> bool:
        """Whether one of the four settings is given."""
        inline = self.access_key_id or self.secret_access_key
        return bool(inline or self.access_key_id_file or self.secret_access_key_file)

    @property
    def pair(self) -> KeyPair | None:
        """The pair of a resolved section, if it has one."""
        if self.access_key_id is None or self.secret_access_key is None:
            return None
        return KeyPair(self.access_key_id, self.secret_access_key)

    def resolved(self, pair: KeyPair | None, **settings: object) -> typing.Self:
        """Returns a copy with this pair instead of names of files, and with these settings."""
        files = {"access_key_id_file": None, "secret_access_key_file": None}
        inline = {
            "access_key_id": pair and pair.access_key_id,
            "secret_access_key": pair and pair.secret_access_key,
        }
        return self.model_copy(update={**files, **inline, **settings})


class PemFiles(Section):
    """A section that names PEM files. A resolved one has their texts, by setting."""

    _texts: Mapping[str, str | None] = {}

    @property
    def ca_pem(self) -> str | None:
        """The text of `ca_file`."""
        return self._texts.get("ca_file")

    @property
    def cert_pem(self) -> str | None:
        """The text of `cert_file`."""
        return self._texts.get("cert_file")

    @property
    def key_pem(self) -> str | None:
        """The text of `key_file`."""
        return self._texts.get("key_file")

    def with_texts(self, texts: Mapping[str, str | None]) -> typing.Self:
        """Returns a copy that has the texts of its files."""
        copy = self.model_copy()
        copy._texts = texts
        return copy


# router


class RouterTLS(PemFiles):
    """`router.tls`: the addresses where clients speak TLS, and the certificate they are shown."""

    listen_address: Annotated[UniqueItems[Address], OneOrMore] = (Listen("127.0.0.1", 8443),)
    cert_file: Text
    key_file: Text


class RouterLog(Section):
    """`router.log`: which access lines are written."""

    sample: Share = 1.0
    slow_seconds: PositiveNumber = 1.0


class Router(Section):
    """`router`: the gateway's own side."""

    listen_address: Annotated[UniqueItems[Address], OneOrMore] = (Listen("127.0.0.1", 8080),)
    admin_address: AddressOrOff = Listen("127.0.0.1", 9090)
    trusted_proxies: UniqueItems[Network] = ()
    watch: Boolean = False
    log: Annotated[RouterLog, OrEmpty] = Field(default_factory=RouterLog)
    workers: Workers = AUTO
    tls: RouterTLS | None = None
    domains: UniqueItems[Domain] = ()
    secret_file: Maybe[Text] = None
    limits: Annotated[LimitsSection, OrEmpty, _made(Limits)] = Limits()
    _seal_keys: tuple[bytes, ...] = ()

    @property
    def seal_keys(self) -> tuple[bytes, ...]:
        """The keys made of the lines of `secret_file`; the first seals."""
        return self._seal_keys

    def resolved(self, tls: RouterTLS | None, seal_keys: tuple[bytes, ...]) -> Router:
        """Returns a copy with what its files hold."""
        copy = self.model_copy(update={"tls": tls})
        copy._seal_keys = seal_keys
        return copy

    @property
    def addresses(self) -> tuple[Listen, ...]:
        """Every address, with TLS or without."""
        return self.listen_address + (self.tls.listen_address if self.tls else ())

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return all(address.loopback for address in self.addresses)


# admin


class AdminTLS(PemFiles):
    """`admin.tls`: the certificate that clients of the admin plane are shown."""

    cert_file: Text
    key_file: Text


class Admin(Section):
    """`admin`: who may use the admin plane, which listens on `router.admin_address`.

    Without a token nothing can be changed. A resolved one has the text of its `token_file`.
    """

    token: Maybe[Secret] = None
    token_file: Maybe[Text] = None
    hosts: UniqueItems[Domain] = ()
    tls: AdminTLS | None = None

    def resolved(self, token: str | None, tls: AdminTLS | None) -> Admin:
        """Returns a copy with what its files hold."""
        secret = None if token is None else SecretStr(token)
        return self.model_copy(update={"token": secret, "token_file": None, "tls": tls})


# auth


class Allow(Section):
    """One entry of an identity's `allow`."""

    buckets: Items[Glob] = ("*",)
    actions: Given[Operations] = EVERY_OPERATION

    @property
    def operations(self) -> frozenset[str]:
        """The names of the operations behind `actions`."""
        return self.actions


class Identity(Keys):
    """One entry of `auth.identities`, or a target's own pair that nobody configured (`implicit`).

    It may sign with any of its pairs: its own, and those in `keys`. Without `allow` everything is
    allowed. `credentials` sign its requests to the targets named. Without `show_decisions` that of
    `auth` holds.
    """

    name: Name
    keys: Items[Keys] = ()
    allow: Maybe[tuple[Allow, ...]] = None
    show_decisions: Maybe[Boolean] = None
    credentials: dict[str, Keys] = {}
    _targets: tuple[str, ...] | None = None
    _implicit: bool = False

    @property
    def pairs(self) -> tuple[KeyPair, ...]:
        """Every pair of a resolved identity; the one beside its name is the first."""
        found = (self.pair, *(section.pair for section in self.keys))
        return tuple(pair for pair in found if pair is not None)

    @property
    def targets(self) -> tuple[str, ...] | None:
        """The targets that it reaches; None means every target."""
        return self._targets

    @property
    def implicit(self) -> bool:
        """Whether nobody configured it."""
        return self._implicit

    @classmethod
    def of_target(cls, name: str, pair: KeyPair, targets: tuple[str, ...] | None) -> Identity:
        """Makes the identity of a target's own pair."""
        identity = cls.model_construct(name=name).resolved(pair)
        identity._targets, identity._implicit = targets, True
        return identity


class CorsRule(Section):
    """One entry of `auth.cors.rules`, as in an S3 CORS configuration."""

    allowed_origins: UniqueItems[Origin]
    allowed_methods: UniqueItems[Annotated[str, Word(*CORS_METHODS)]]
    allowed_headers: UniqueItems[HeaderPattern] = ()
    expose_headers: UniqueItems[HeaderName] = ()
    max_age_seconds: Maybe[PositiveWhole] = None


class Cors(Section):
    """`auth.cors`: what pages of other origins may do."""

    preflight: Annotated[str, Word("answer", "forward")] = "answer"
    rules: Items[CorsRule] = ()


class Auth(Section):
    """`auth`: who may come in."""

    mode: Annotated[str, Word("sigv4", "open")] = "sigv4"
    sigv2: Annotated[str, Word("presigned", "all", "off")] = "presigned"
    anonymous: Annotated[str, Word("deny", "forward")] = "deny"
    regions: UniqueItems[Region] = ()
    cors: Maybe[Cors] = None
    show_decisions: Boolean = False
    identities: Annotated[tuple[Identity, ...], Apart()] = ()

    def shows_decisions_to(self, identity: Identity) -> bool:
        """Whether answers to this identity say which target and rule they come from."""
        own = identity.show_decisions
        return self.show_decisions if own is None else own


# targets


class TLS(PemFiles):
    """`targets.*.tls`: how an https target is checked, and what it is shown."""

    verify: Boolean = True
    ca_file: Maybe[Text] = None
    cert_file: Maybe[Text] = None
    key_file: Maybe[Text] = None


class ProfileOverrides(Section):
    """`targets.*.profile_overrides`: capabilities of `fastpath.routing.profiles.Profile`.

    Only the fields that are set count. A list may be empty.
    """

    verifies_digest: Boolean = False
    verifies_md5: Boolean = False
    verifies_checksums: Boolean = False
    verifies_documents: Boolean = False
    checksums: list[Annotated[str, Word(*sorted(name.decode() for name in CHECKSUMS))]] = []
    streaming: list[Annotated[str, Word(*sorted(m.decode() for m in STREAMING_MODES))]] = []
    keeps_aws_chunked: Boolean = False
    operations: AllOrOperations = None
    lacks: AnyOperations = frozenset()
    overlooks: dict[OperationName, list[FieldName]] = {}
    mistakes_keys: Boolean = False
    mistakes_deletes: Boolean = False
    hides_parts: Boolean = False
    has_regions: Boolean = False
    virtual_hosts: Boolean = False
    lists: list[Annotated[str, Word(*sorted(LIST_FEATURES))]] = []

    @property
    def given(self) -> dict[str, Any]:
        """The fields that are set."""
        return {name: value for name, value in self if name in self.model_fields_set}


class Health(Section):
    """`targets.*.health`: how control checks whether the target answers.

    Without a `path`, what the profile says: `/_health` of lakeFS, else `/`.
    """

    path: Maybe[URLPath] = None
    interval_seconds: PositiveNumber = 10.0
    timeout_seconds: PositiveNumber = 3.0
    rise: PositiveWhole = 2
    fall: PositiveWhole = 3


class _SectionOrOff:
    """Marks a section that the word `off` may stand for."""

    def __init__(self, section: type[Section]) -> None:
        self._section = section

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._read, handler.generate_schema(self._section)
        )

    def _read(self, value: object, section: Callable[[object], Any]) -> Any:
        if value == OFF:
            return OFF
        if isinstance(value, str):
            raise fault("must be a mapping, or off")
        return section(value)


class Target(Keys):
    """One entry of `targets`, or the shorthands `lakefs:` and `s3:`: a storage endpoint.

    A resolved one has a profile and an endpoint; its addressing is `path` or `virtual`, its
    overrides are what differs from the profile, and it has `tls` if its endpoint is https.
    """

    profile: Maybe[Annotated[str, Word(*PROFILE_WORDS)]] = None
    endpoint: Maybe[EndpointText] = None
    region: Given[Region] = DEFAULT_REGION
    addressing: Annotated[str, Word("path", "virtual", "auto")] = "path"
    forgets: Given[Annotated[str, Word(*FORGETS)]] = FORGETS[0]
    profile_overrides: Annotated[ProfileOverrides, OrEmpty] = Field(
        default_factory=ProfileOverrides.model_construct
    )
    aws_profile: Maybe[Text] = None
    role_arn: Maybe[RoleARN] = None
    external_id: Maybe[Text] = None
    tls: Annotated[TLS, OrEmpty] | None = None
    pool: Annotated[PoolSection, OrEmpty, _made(PoolLimits)] = PoolLimits()
    timeouts: Annotated[TimeoutsSection, OrEmpty, _made(Timeouts)] = Timeouts()
    health: Annotated[Health | typing.Literal["off"], _SectionOrOff(Health)] | None = None

    @property
    def virtual(self) -> bool:
        """Whether the Host header names the bucket where it can."""
        return self.addressing == "virtual"

    @property
    def overrides(self) -> dict[str, object]:
        """What differs from the profile, in the form of `capabilities`."""
        return self.profile_overrides.given

    @property
    def source(self) -> CredentialSource | None:
        """Where its credentials come from; None if nothing is given and nothing may be assumed."""
        keys = self.pair
        chain = self.profile == "s3" or self.aws_profile or self.role_arn
        if keys is None and not chain:
            return None
        return CredentialSource(
            keys, self.aws_profile, self.role_arn, self.external_id, self.region
        )


# routing


class Rewrite(Section):
    """`rewrite` of a rule: how the target names the bucket and its keys."""

    bucket: Maybe[NewBucket] = None
    key_prefix: KeyPrefix = ""
    strip_prefix: KeyPrefix = ""


class Conditions(Section):
    """`conditions` of a rule: which writes go to its target."""

    max_size: Maybe[Size] = None
    min_size: Maybe[Size] = None
    content_types: Maybe[Annotated[UniqueItems[ContentType], OneOrMore]] = None
    time_range: Maybe[Hours] = None
    timezone: Maybe[TimeZone] = None

    @property
    def zone_file(self) -> str | None:
        """The TZif file of the time zone in base64; None: hours are of the local time."""
        return None if self.timezone is None else zone_file(self.timezone)


@pydantic_dataclass(
    frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid", defer_build=True)
)
class Rule:
    """One entry of `routing.rules`; a dataclass, which takes a fifth of a model's memory.

    `number` counts from 1. `line` is its line in the file (0: no file). Neither is written.
    """

    model_fields: ClassVar[Mapping[str, FieldInfo]]  # what may be written
    if typing.TYPE_CHECKING:  # pydantic adds them
        __pydantic_fields__: ClassVar[Mapping[str, FieldInfo]]

    number: int = Field(default=0, init=False)
    line: int = Field(default=0, init=False)
    pattern: Pattern
    operations: Maybe[Operations] = None
    identities: Maybe[Items[Text]] = None
    target: Text
    description: str = ""
    keys: Maybe[Annotated[Items[KeyGlob], OneOrMore]] = None
    rewrite: Maybe[Rewrite] = None
    conditions: Maybe[Conditions] = None
    fallback: Annotated[UniqueItems[Text], OneOrMore] = ()
    fallback_on: Maybe[Outcomes] = None


Rule.model_fields = {
    name: field for name, field in Rule.__pydantic_fields__.items() if field.init is not False
}


class Routing(Section):
    """`routing`: which target serves a request."""

    environment: Maybe[Text] = None
    default_target: Text = DEFAULT_TARGET
    custom: Maybe[ClassName] = None
    custom_path: Annotated[UniqueItems[Text], OneOrMore] = ()
    custom_timeout_ms: PositiveWhole = 50
    custom_failure: Annotated[str, Word("refuse", "fall_through")] = "refuse"
    custom_reads: Annotated[UniqueItems[Text], OneOrMore] = ()
    custom_memory_mb: PositiveWhole = 512
    list_buckets_failure: Annotated[str, Word("skip", "refuse")] = "skip"
    fallback: Annotated[UniqueItems[Text], OneOrMore] = ()
    fallback_on: Given[Outcomes] = frozenset((NOT_FOUND,))
    rules: Annotated[tuple[Rule, ...], Apart()] = ()

    @property
    def has_fallbacks(self) -> bool:
        """Whether a rule, or what no rule matches, has a fallback."""
        return bool(self.fallback) or any(rule.fallback for rule in self.rules)


class Config(Section):
    """The whole configuration. Resolved, its targets are those that a request can reach."""

    router: Annotated[Router, Apart()] = Field(default_factory=Router)
    auth: Annotated[Auth, Apart()] = Field(default_factory=Auth)
    targets: Annotated[dict[str, Target], Apart()] = {}
    lakefs: Annotated[Target | None, Apart()] = None  # moved to `targets` before it is read
    s3: Annotated[Target | None, Apart()] = None
    routing: Annotated[Routing, Apart()] = Field(default_factory=Routing)
    admin: Annotated[Admin, Apart()] = Field(default_factory=Admin)
    metrics: Later = None

    @property
    def listen(self) -> tuple[Listen, ...]:
        """The addresses without TLS."""
        return self.router.listen_address

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.router.loopback

    @property
    def workers(self) -> int | str:
        """How many workers there are; `auto` is one for each processor."""
        return self.router.workers

    @property
    def domains(self) -> tuple[str, ...]:
        """The names below which a Host names a bucket."""
        return self.router.domains

    @property
    def limits(self) -> Limits:
        """The limits of a worker towards its clients."""
        return self.router.limits

    @property
    def mode(self) -> str:
        """Whether clients must sign: `sigv4` or `open`."""
        return self.auth.mode

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Who may come in."""
        return self.auth.identities

    @property
    def environment(self) -> str | None:
        """The environment whose document was chosen."""
        return self.routing.environment

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The routing rules in order."""
        return self.routing.rules

    @property
    def default_target(self) -> str:
        """Where a request goes that no rule matches."""
        return self.routing.default_target

    def without_rules(self) -> Config:
        """Returns a copy without the routing rules."""
        return self.model_copy(update={"routing": self.routing.model_copy(update={"rules": ()})})
