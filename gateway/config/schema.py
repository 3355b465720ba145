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
    """The access key id. AWS's published example keys are refused where clients sign with them off
    loopback.
    """
    access_key_id_file: Maybe[Text] = None
    """A file that holds the access key id instead. It is taken up by itself when it changes."""
    secret_access_key: Maybe[Secret] = None
    """The secret access key; better as `${VAR}` than as it is."""
    secret_access_key_file: Maybe[Text] = None
    """A file that holds the secret access key instead. It is taken up by itself when it changes."""

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
    """Where clients speak TLS, beside `router.listen_address`. Port 0 lets the kernel choose."""
    cert_file: Text
    """The certificate with its chain, PEM. A file that changes is taken up by itself, and on a
    reload. A certificate that has expired is a warning.
    """
    key_file: Text
    """The certificate's key, PEM, without a password. It is taken up as the certificate is."""


class RouterLog(Section):
    """`router.log`: which access lines are written."""

    sample: Share = 1.0
    """The share of access lines that is written [of what goes well](logs.md#a-share-of-the-lines);
    errors always are.
    """
    slow_seconds: PositiveNumber = 1.0
    """What takes so long is written, whatever `sample` says."""


class Router(Section):
    """`router`: the gateway's own side."""

    listen_address: Annotated[UniqueItems[Address], OneOrMore] = (Listen("127.0.0.1", 8080),)
    """Where clients connect; IPv6 in brackets. Port 0 lets the kernel choose."""
    admin_address: AddressOrOff = Listen("127.0.0.1", 9090)
    """Where the [admin plane](operations.md#admin-plane) listens. An address that was given must be
    free; the default is given up with a warning.
    """
    trusted_proxies: UniqueItems[Network] = ()
    """Machines that are believed when they say in `X-Forwarded-For` which client they ask for; [for
    the log](logs.md#clients-behind-a-proxy). Default: none, who connects is the client.
    """
    watch: Boolean = False
    """Whether a file that was saved [takes effect by itself](configuration.md#watching-the-file).
    """
    log: Annotated[RouterLog, OrEmpty] = Field(default_factory=RouterLog)
    """Which lines of the [access log](logs.md) are written."""
    workers: Workers = AUTO
    """How many worker processes there are; `auto` is the CPU limit of the cgroup."""
    tls: RouterTLS | None = None
    """TLS for clients: 1.2 at least, no client certificates. Whether there is TLS is read at the
    start. Default: no TLS.
    """
    domains: UniqueItems[Domain] = ()
    """Names below which a Host names a bucket (`BUCKET.s3.example.com`)."""
    secret_file: Maybe[Text] = None
    """A file with what the gateway [seals upload ids with](configuration.md#upload-ids). Each line
    is a secret of at least 16 characters (`openssl rand -hex 32`), 8 at most; the first seals, all
    are accepted. Blank lines and those that begin with `#` are skipped. The file is taken up by
    itself when it changes. Default: the key is made of the static secrets of the configuration;
    without any, it is random for each start, with a warning.
    """
    limits: Annotated[LimitsSection, OrEmpty, _made(Limits)] = Limits()
    """Limits of one worker towards its clients. A client that reaches one gets an S3 error."""
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
    """The certificate with its chain, PEM, as for `router.tls`."""
    key_file: Text
    """The certificate's key, PEM, without a password."""


class Admin(Section):
    """`admin`: who may use the admin plane, which listens on `router.admin_address`.

    Without a token nothing can be changed. A resolved one has the text of its `token_file`.
    """

    token: Maybe[Secret] = None
    """What a client must send as `Authorization: Bearer ...` to change something, and to read
    anything but probes and metrics from another machine; 16 characters at least (`openssl rand -hex
    32`). Default: none, nothing can be changed.
    """
    token_file: Maybe[Text] = None
    """A file that holds the token instead. It is taken up by itself when it changes."""
    hosts: UniqueItems[Domain] = ()
    """Names that a `Host` header may have besides `localhost` and addresses, because a page could
    have its name point here.
    """
    tls: AdminTLS | None = None
    """TLS for the clients of the admin plane. Default: no TLS."""

    def resolved(self, token: str | None, tls: AdminTLS | None) -> Admin:
        """Returns a copy with what its files hold."""
        secret = None if token is None else SecretStr(token)
        return self.model_copy(update={"token": secret, "token_file": None, "tls": tls})


# auth


class Allow(Section):
    """One entry of an identity's `allow`."""

    buckets: Items[Glob] = ("*",)
    """The buckets that the entry is about, by the client's names."""
    actions: Given[Operations] = EVERY_OPERATION
    """What may be done to them. Default: everything."""

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
    """What rules and logs call it."""
    keys: Items[Keys] = ()
    """Further pairs. Clients may sign with any of them, in every kind of signature: [to replace a
    key](configuration.md#to-replace-an-identitys-key). An access key id stands in one place of one
    identity. An identity needs a pair of its own, or one here.
    """
    allow: Maybe[tuple[Allow, ...]] = None
    """What it may do; an empty list is nothing. An operation without a bucket (ListBuckets) needs a
    grant for `*`. A header, form field or presigned parameter that does what is an operation by
    itself [needs that operation as well](configuration.md#what-a-header-needs-besides). Default:
    everything.
    """
    show_decisions: Maybe[Boolean] = None
    """The same as `auth.show_decisions` for this identity alone. Default: `auth.show_decisions`."""
    credentials: dict[str, Keys] = {}
    """By the name of a target: the key pair that this identity's requests are signed with there.
    Default: the target's own.
    """
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
    """Such as `https://app.example.com`; at most one `*` in each. `*` alone is everybody, told as
    `*` and without credentials.
    """
    allowed_methods: UniqueItems[Annotated[str, Word(*CORS_METHODS)]]
    """The methods that a page may use."""
    allowed_headers: UniqueItems[HeaderPattern] = ()
    """Names that a preflight may ask for; at most one `*` in each."""
    expose_headers: UniqueItems[HeaderName] = ()
    """Names that a page may read."""
    max_age_seconds: Maybe[PositiveWhole] = None
    """How long a browser may keep the answer to a preflight. Default: the browser's own."""


class Cors(Section):
    """`auth.cors`: what pages of other origins may do."""

    preflight: Annotated[str, Word("answer", "forward")] = "answer"
    """`answer` preflights (`OPTIONS` with an Origin, which no browser signs) from the rules, or
    `forward` them unsigned to the target that an OPTIONS request of that bucket is routed to, if
    its profile is `s3` or `generic`.
    """
    rules: Items[CorsRule] = ()
    """As in an S3 CORS configuration, for every bucket; the first that admits origin, method and
    headers decides. Answers to requests with an Origin, errors too, get its headers in place of the
    target's own, and `Vary`.
    """


class Auth(Section):
    """`auth`: who may come in."""

    mode: Annotated[str, Word("sigv4", "open")] = "sigv4"
    """`sigv4`, or `open`: nobody is verified, everybody may do everything. `open` is refused off
    loopback unless `--insecure-open` is given.
    """
    sigv2: Annotated[str, Word("presigned", "all", "off")] = "presigned"
    """Which requests may be signed with Signature Version 2: `presigned` URLs and [browser
    forms](forms.md), as boto3's `generate_presigned_url` and `generate_presigned_post` make them
    for a custom endpoint, `all` (those and `Authorization: AWS KEY:SIGNATURE`), or `off`. SigV2
    leaves the host, the body and list parameters unsigned; whatever decides which operation a
    request is must be signed, a parameter that its text cannot tell from two is refused, and so are
    chunked bodies.
    """
    anonymous: Annotated[str, Word("deny", "forward")] = "deny"
    """`deny`, or `forward`: requests without any signature go up without one, to targets of profile
    `s3` or `generic`; what they may do is the target's to decide, and its refusal is passed on.
    They are routed as everybody's (rules with `identities` never match them), bodies are checked as
    far as their headers say, signed chunks are refused, other profiles answer 403.
    """
    regions: UniqueItems[Region] = ()
    """The regions that a client's SigV4 scope may name. Another one is refused as AWS refuses it at
    a bucket of another region, naming the first of the list (SDKs then sign again for that). SigV2
    names no region. Default: none, any region.
    """
    cors: Maybe[Cors] = None
    """What pages of other origins may do. Without it every preflight is 403 `CORS is not enabled
    for this bucket`, and a target's own `Access-Control-*` headers pass.
    """
    show_decisions: Boolean = False
    """Whether answers [say which target and rule they come
    from](configuration.md#decisions-in-answers), for every identity that says nothing else, for the
    keys of targets where no identities are configured, and for everybody in `auth.mode: open`.
    """
    identities: Annotated[tuple[Identity, ...], Apart()] = ()
    """Who may come in. Default: none, the [keys of targets](configuration.md#auth) are accepted."""

    def shows_decisions_to(self, identity: Identity) -> bool:
        """Whether answers to this identity say which target and rule they come from."""
        own = identity.show_decisions
        return self.show_decisions if own is None else own


# targets


class TLS(PemFiles):
    """`targets.*.tls`: how an https target is checked, and what it is shown."""

    verify: Boolean = True
    """Whether the certificate and its name are checked."""
    ca_file: Maybe[Text] = None
    """PEM of the only CAs trusted for this target. Default: the system's."""
    cert_file: Maybe[Text] = None
    """A client certificate, PEM."""
    key_file: Maybe[Text] = None
    """The client certificate's key, PEM."""


class ProfileOverrides(Section):
    """`targets.*.profile_overrides`: capabilities of `fastpath.routing.profiles.Profile`.

    Only the fields that are set count. A list may be empty.
    """

    verifies_digest: Boolean = False
    """Whether the target verifies `x-amz-content-sha256`. Default: the profile's."""
    verifies_md5: Boolean = False
    """Whether the target verifies `Content-MD5`. Default: the profile's."""
    verifies_checksums: Boolean = False
    """Whether the target verifies `x-amz-checksum-*` of objects and parts. Default: the profile's.
    """
    verifies_documents: Boolean = False
    """Whether the target verifies `Content-MD5` and checksums of requests whose body is a document.
    Default: the profile's.
    """
    checksums: list[Annotated[str, Word(*sorted(name.decode() for name in CHECKSUMS))]] = []
    """The algorithms of checksums that the target knows. Default: the profile's."""
    streaming: list[Annotated[str, Word(*sorted(m.decode() for m in STREAMING_MODES))]] = []
    """The modes of aws-chunked bodies that the target reads. Default: the profile's."""
    keeps_aws_chunked: Boolean = False
    """Whether the target would keep `Content-Encoding: aws-chunked` with the object: it then gets
    frames without that header. Default: the profile's.
    """
    operations: AllOrOperations = None
    """The operations that the target has. Default: the profile's."""
    lacks: AnyOperations = frozenset()
    """Operations that the target has not, though `operations` names them. Default: the profile's.
    """
    overlooks: dict[OperationName, list[FieldName]] = {}
    """By the name of an operation: the headers and query parameters that the target overlooks.
    Default: the profile's.
    """
    mistakes_keys: Boolean = False
    r"""Whether the target takes a key of nothing but `/` and `\` for the bucket itself: requests
    with such a key are then refused (501). Default: the profile's.
    """
    mistakes_deletes: Boolean = False
    """Whether the target cuts keys in a DeleteObjects at a line break: such batches are then
    refused (501). Default: the profile's.
    """
    hides_parts: Boolean = False
    """Whether the ETag of an object that came in parts looks like the MD5 of one that came whole: a
    copy between targets is then one PutObject. Default: the profile's.
    """
    has_regions: Boolean = False
    """Whether the target answers with redirects to the region of a bucket: they are then followed.
    Default: the profile's.
    """
    virtual_hosts: Boolean = False
    """Whether the target finds the bucket in the Host, so that `addressing: auto` puts it there.
    Default: the profile's.
    """
    lists: list[Annotated[str, Word(*sorted(LIST_FEATURES))]] = []
    """What lists of the target can do. Default: the profile's."""

    @property
    def given(self) -> dict[str, Any]:
        """The fields that are set."""
        return {name: value for name, value in self if name in self.model_fields_set}


class Health(Section):
    """`targets.*.health`: how control checks whether the target answers.

    Without a `path`, what the profile says: `/_health` of lakeFS, else `/`.
    """

    path: Maybe[URLPath] = None
    """The path of an unsigned GET; an answer of 2xx is good. Default: `/_health` of profile
    `lakefs`, where 200 is good; else `/`, where every answer below 500 is: a store that refuses an
    unsigned request is alive.
    """
    interval_seconds: PositiveNumber = 10.0
    """From the beginning of one check to the next, 10 % more or less."""
    timeout_seconds: PositiveNumber = 3.0
    """Within which the answer must come, name lookup and handshake included."""
    rise: PositiveWhole = 2
    """So many good checks in a row make the target healthy."""
    fall: PositiveWhole = 3
    """So many failed checks in a row make it unhealthy."""


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
    """What this kind of target can do, and so what the gateway verifies or refuses in its place
    ([profiles](profiles.md)). Default: the target's name if it is `s3` or `lakefs`, else `generic`.
    """
    endpoint: Maybe[EndpointText] = None
    """`http://` or `https://` and a host, without a path. The gateway's own address is refused.
    Default: AWS's regional endpoint for profile `s3`, else required.
    """
    region: Given[Region] = DEFAULT_REGION
    """The region that requests are signed for. With profile `s3`, buckets of other regions [are
    found by themselves](errors.md#answers-of-a-target-that-stay-inside).
    """
    addressing: Annotated[str, Word("path", "virtual", "auto")] = "path"
    """`path`, `virtual` (the bucket in the Host), or `auto`: virtual [if the target
    can](profiles.md#addressing).
    """
    forgets: Given[Annotated[str, Word(*FORGETS)]] = FORGETS[0]
    """What becomes of a header that the target would forget, on profile `lakefs` ([which
    ones](lakefs.md#what-lakefs-forgets)): `refuse` the request (501, naming the header), or `drop`
    the header and go on. What is dropped does not reach the target; it is counted, and the operator
    is told once a minute, worker and kind of header, with the number of requests.
    """
    profile_overrides: Annotated[ProfileOverrides, OrEmpty] = Field(
        default_factory=ProfileOverrides.model_construct
    )
    """Capabilities of the profile that this target has, or lacks, all the same; `s3gateway probe`
    prints them. [What each means](profiles.md).
    """
    aws_profile: Maybe[Text] = None
    """A profile of the AWS configuration files, for credentials."""
    role_arn: Maybe[RoleARN] = None
    """A role to assume with the credentials found."""
    external_id: Maybe[Text] = None
    """The external id that `role_arn` asks for."""
    tls: Annotated[TLS, OrEmpty] | None = None
    """How an https target is checked, and what it is shown."""
    pool: Annotated[PoolSection, OrEmpty, _made(PoolLimits)] = PoolLimits()
    """Limits of one worker towards the target."""
    timeouts: Annotated[TimeoutsSection, OrEmpty, _made(Timeouts)] = Timeouts()
    """How long the target may take."""
    health: Annotated[Health | typing.Literal["off"], _SectionOrOff(Health)] | None = None
    """Whether and how the control process checks that the target answers, off the path of requests
    ([health of targets](operations.md#health-of-targets)). Targets that are part of a chain are
    checked without this section (those that a `fallback` names and stands behind, of rules with
    `conditions`, of `routing.custom_reads`); `health: off` ends that. Others are checked if they
    have the section, be it `health: {}`.
    """

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
    """The target's bucket; `{team}` of the pattern may stand in it. Default: the client's."""
    key_prefix: KeyPrefix = ""
    """What keys begin with at the target, instead of `strip_prefix`; `{team}` may stand in it."""
    strip_prefix: KeyPrefix = ""
    """What keys lose; the rule takes only keys that begin with it. Without a `key_prefix`, the key
    that is `strip_prefix` itself is refused (501): no name is left.
    """


class Conditions(Section):
    """`conditions` of a rule: which writes go to its target."""

    max_size: Maybe[Size] = None
    """So long is the body at most. Bytes (`104857600`), or with a unit: `KiB`, `MiB`, `GiB`, `TiB`
    (of 1,024), `KB`, `MB`, `GB`, `TB` (of 1,000). An unknown size counts as infinite.
    """
    min_size: Maybe[Size] = None
    """So long is the body at least, written in the same way."""
    content_types: Maybe[Annotated[UniqueItems[ContentType], OneOrMore]] = None
    """A type: `image/png`, `image/*`. Compared without parameters and case."""
    time_range: Maybe[Hours] = None
    """`[first, last]`, both inclusive: `[2, 6]` is 2:00 to 6:59:59, `[22, 5]` goes past midnight.
    """
    timezone: Maybe[TimeZone] = None
    """Of `time_range`, as `Europe/Berlin`. Default: the local time of the machine."""

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
    """Glob on the bucket name: `*`, `?`, `[abc]`, and named parts: `team-{team}-*` matches what
    `team-?*-*` does, and `{team}` is as short as the rest allows. A part's name begins with a
    letter; a part stands next to no star and no other part. Names and prefixes (`name`, `name-*`)
    are found at once among any number of rules; other globs are tried one by one, the first time a
    bucket is asked for.
    """
    operations: Maybe[Operations] = None
    """The operations that it takes; literally what they say. Every operation of a multipart upload
    is routed as its CreateMultipartUpload (a POST) would be, so that no upload is torn apart.
    Default: all.
    """
    identities: Maybe[Items[Text]] = None
    """Names of the identities that it is for. Default: all."""
    target: Text
    """The name of the target that serves the request."""
    description: str = ""
    """For people."""
    keys: Maybe[Annotated[Items[KeyGlob], OneOrMore]] = None
    """Globs on the key: `*` (slashes too), `?`, `[abc]`; a `[` of a key is written `[[]`, a `{` is
    `[{]`. The rule takes no request without a key (HeadBucket), and a list alone [if every key with
    its prefix matches](configuration.md#keys). Default: all keys, and requests without one.
    """
    rewrite: Maybe[Rewrite] = None
    """[How the target names](configuration.md#rewrites) the bucket and its keys. Default: as
    clients do.
    """
    conditions: Maybe[Conditions] = None
    """Which writes the rule takes, besides what else it says: all of these hold; the others go to
    the rules behind. Reads, deletes and lists then look at the targets of all of them
    ([chains](chains.md#conditions)). Default: none, it takes every write.
    """
    fallback: Annotated[UniqueItems[Text], OneOrMore] = ()
    """Where reads, deletes and lists look behind `target`, in order, under the names of the client
    ([chains](chains.md#fallback)). Not beside `conditions`.
    """
    fallback_on: Maybe[Outcomes] = None
    """The same as `routing.fallback_on`, for this rule. Default: `routing.fallback_on`."""


Rule.model_fields = {
    name: field for name, field in Rule.__pydantic_fields__.items() if field.init is not False
}


class Routing(Section):
    """`routing`: which target serves a request."""

    environment: Maybe[Text] = None
    """The name of this document, [if there are several](configuration.md#values)."""
    default_target: Text = DEFAULT_TARGET
    """Where a bucket goes that no rule matches."""
    custom: Maybe[ClassName] = None
    """`module:Class`, [a router of your own](custom-routers.md) in a process of its own."""
    custom_path: Annotated[UniqueItems[Text], OneOrMore] = ()
    """Where its module is searched first; relative to the configuration. Default: the directory of
    the configuration.
    """
    custom_timeout_ms: PositiveWhole = 50
    """How long one question to it may take; a routing decision takes a microsecond, and SDKs wait
    for seconds.
    """
    custom_failure: Annotated[str, Word("refuse", "fall_through")] = "refuse"
    """What becomes of a request that it fails: `refuse` it (503), or `fall_through` to the rules,
    which may be a wrong store for a write.
    """
    custom_reads: Annotated[UniqueItems[Text], OneOrMore] = ()
    """Targets where reads, lists and deletes look, in order ([chains](chains.md)), whatever it
    answers: it may route by size, and a GET has none. Default: none, it decides about them too.
    """
    custom_memory_mb: PositiveWhole = 512
    """Address space of its process; the interpreter itself takes 30, an allocation beyond ends it.
    """
    list_buckets_failure: Annotated[str, Word("skip", "refuse")] = "skip"
    """What becomes of a [list of all buckets](configuration.md#listbuckets) when a target does not
    list its own: `skip` that target, or `refuse` the list (503, or 403 if the target denies it).
    """
    fallback: Annotated[UniqueItems[Text], OneOrMore] = ()
    """Where reads look behind `default_target`, in order, for the requests that no rule matches
    ([chains](chains.md#fallback)).
    """
    fallback_on: Given[Outcomes] = frozenset((NOT_FOUND,))
    """What moves a read on to the next target, for every rule that says nothing else: `404`, and
    besides it `5xx`, `timeout` or `refused` ([what that costs](chains.md#when-a-target-fails)).
    """
    rules: Annotated[tuple[Rule, ...], Apart()] = ()
    """The rules in order: the first that matches wins."""

    @property
    def has_fallbacks(self) -> bool:
        """Whether a rule, or what no rule matches, has a fallback."""
        return bool(self.fallback) or any(rule.fallback for rule in self.rules)


class Config(Section):
    """The whole configuration. Resolved, its targets are those that a request can reach."""

    router: Annotated[Router, Apart()] = Field(default_factory=Router)
    """The gateway's own side."""
    auth: Annotated[Auth, Apart()] = Field(default_factory=Auth)
    """Who may come in, and what they may do."""
    targets: Annotated[dict[str, Target], Apart()] = {}
    """The storage endpoints, by name. `targets.lakefs` and `targets.s3` always exist. Without a key
    pair, a target of profile `s3` takes the AWS credential chain (environment, profile, container,
    web identity, instance metadata); another one needs keys.
    """
    lakefs: Annotated[Target | None, Apart()] = None  # moved to `targets` before it is read
    """Short for `targets.lakefs`."""
    s3: Annotated[Target | None, Apart()] = None
    """Short for `targets.s3`."""
    routing: Annotated[Routing, Apart()] = Field(default_factory=Routing)
    """Which target serves a request."""
    admin: Annotated[Admin, Apart()] = Field(default_factory=Admin)
    """Who may use the admin plane, which listens on `router.admin_address`. A reload puts all of it
    in force, but for TLS on or off. Without a token nothing can be changed.
    """
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
