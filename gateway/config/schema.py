"""The configuration file's grammar as pydantic models: what may be written, of which type.

Rules: the whole public schema is known here; what is still to come is refused as "not supported
yet", never ignored; `router.limits`, `pool` and `timeouts` are made from the dataclasses of
`fastpath.limits`, so that there is one list of limits.

Not here: what concerns two settings at once (`checks`), the types of values (`words`), how a
pydantic error becomes a located problem (`reading`).
"""

from __future__ import annotations

import re
import typing
from dataclasses import fields
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic import create_model as create_pydantic_model

from fastpath.limits import PERCENT, ZERO_IS_OFF, Limits, PoolLimits, Timeouts
from fastpath.response.cors import METHODS as CORS_METHODS
from fastpath.routing.profiles import CHECKSUMS, FORGETS, LIST_FEATURES
from fastpath.s3.operations import ACTIONS, METHODS, OPERATIONS, expand
from fastpath.signing.sigv4.verify import STREAMING_MODES
from gateway.config.addresses import Endpoint, Listen, parse_endpoint, parse_listen
from gateway.config.problems import did_you_mean
from gateway.config.words import (
    Boolean,
    Items,
    Later,
    Maybe,
    NumberOrZero,
    OrEmpty,
    Percent,
    PositiveNumber,
    PositiveWhole,
    Text,
    UniqueItems,
    WholeOrZero,
    Word,
    fault,
    matching,
)

PROFILE_WORDS = ("s3", "generic", "seaweedfs", "lakefs")
MAX_WORKERS = 256

KEY_ID = r"[!-+\--.0-~]{1,128}"  # what can stand in a credential scope: no space, comma or /
SECRET = r"[ -~]{1,1024}"
EVERY_OPERATION = frozenset(operation.name for operation in OPERATIONS.values())


class Section(BaseModel):
    """A mapping of the file: its keys are exactly the model's fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _from_dataclass(name: str, source: type[Any]) -> type[Section]:
    """A section with the fields, types and defaults of a dataclass of limits; few may be 0."""
    hints = typing.get_type_hints(source)
    positive: dict[type, Any] = {int: PositiveWhole, float: PositiveNumber}
    or_zero: dict[type, Any] = {int: WholeOrZero, float: NumberOrZero}
    content: dict[str, Any] = {}
    for field in fields(source):
        kinds = or_zero if field.metadata == ZERO_IS_OFF else positive
        kind = Percent if field.metadata == PERCENT else kinds[hints[field.name]]
        content[field.name] = (kind, field.default)
    return create_pydantic_model(name, __base__=Section, __doc__=source.__doc__, **content)


if typing.TYPE_CHECKING:  # a type checker cannot see into classes that are made at import

    class LimitsSection(Section): ...

    class PoolSection(Section): ...

    class TimeoutsSection(Section): ...

else:
    LimitsSection = _from_dataclass("LimitsSection", Limits)
    PoolSection = _from_dataclass("PoolSection", PoolLimits)
    TimeoutsSection = _from_dataclass("TimeoutsSection", Timeouts)


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _workers(value: object) -> int | None:
    if value == "auto":
        return None
    text = value if isinstance(value, str) else ""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_WORKERS:
        raise fault(f"must be auto or a number from 1 to {MAX_WORKERS}")
    return int(text)


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")


def _domain(text: str) -> str:
    bare = text.removeprefix("*.").rpartition("://")[2].partition("/")[0].partition(":")[0]
    if not _DOMAIN.match(text) or len(text) > 253:
        raise fault(
            "must be a host name without scheme, port or *",
            f"write {bare.lower()}" if _DOMAIN.match(bare) else "",
        )
    return text.lower()


def _operation_word(text: str) -> frozenset[str]:
    try:
        return expand(text)
    except KeyError:
        known = [*sorted(ACTIONS), *(m.decode() for m in sorted(METHODS)), *OPERATIONS]
        raise fault(
            f"{text!r} is no operation, HTTP method or class", did_you_mean(text, known)
        ) from None


def _operation_name(text: str) -> str:
    if text not in EVERY_OPERATION:
        raise fault(f"{text!r} is no operation", did_you_mean(text, EVERY_OPERATION))
    return text


def _all(value: object) -> object:
    if value == "all":
        return None
    if not isinstance(value, list):
        raise fault("must be all or a list")
    return value


def _together(words: list[frozenset[str]] | None) -> frozenset[str] | None:
    return None if words is None else frozenset[str]().union(*words)


def _field_name(text: str) -> str:
    """A header is written in any case, a query parameter in its own; S3's have no hyphen then."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text):
        raise fault("must be the name of a query parameter or header")
    return text.lower() if "-" in text else text


def _glob(text: str) -> str:
    literal = re.sub(r"\[!?\]?[^\]]*\]", "", text)
    if "[" in literal:
        raise fault("has a [ without its ]")
    strange = re.search(r"[^A-Za-z0-9._*?\]-]", literal)
    if strange:
        raise fault(f"can never match: {strange[0]!r} is in no bucket name", "give a bucket glob")
    return text


Address = Annotated[Listen, BeforeValidator(lambda value: parse_listen(_as_text(value)))]
EndpointText = Annotated[Endpoint, BeforeValidator(lambda value: parse_endpoint(_as_text(value)))]
Domain = Annotated[Text, AfterValidator(_domain)]
Glob = Annotated[Text, AfterValidator(_glob)]
OperationWord = Annotated[Any, BeforeValidator(lambda value: _operation_word(_as_text(value)))]
OperationName = Annotated[Text, AfterValidator(_operation_name)]
FieldName = Annotated[Text, AfterValidator(_field_name)]
Region = Annotated[Text, AfterValidator(matching(r"[A-Za-z0-9-]{1,64}", "must be a region name"))]
Name = Annotated[
    Text,
    AfterValidator(matching(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", "must be a short plain name")),
]
KeyID = Annotated[
    Text,
    AfterValidator(matching(KEY_ID, "must be printable ASCII without space, / or comma")),
]
Secret = Annotated[
    Text,
    AfterValidator(matching(SECRET, "must be printable ASCII")),
    AfterValidator(SecretStr),
]
RoleARN = Annotated[
    Text,
    AfterValidator(
        matching(
            r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+", "must be arn:aws:iam::ACCOUNT:role/NAME"
        )
    ),
]


def _as_text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise fault("must be text" if value is not None else "must not be empty")
    return str(value)


class RouterTLS(Section):
    """`router.tls`: the addresses where clients speak TLS, and the certificate they are shown."""

    listen_address: Annotated[UniqueItems[Address], BeforeValidator(_one_or_more)] = [
        Listen("127.0.0.1", 8443)
    ]
    cert_file: Text
    key_file: Text


class Router(Section):
    """`router`: the gateway's own side."""

    listen_address: Annotated[UniqueItems[Address], BeforeValidator(_one_or_more)] = [
        Listen("127.0.0.1", 8080)
    ]
    admin_address: Later = None
    trusted_proxies: Later = None
    watch: Later = None
    workers: Annotated[int | None, BeforeValidator(_workers)] = None
    domains: UniqueItems[Domain] = []
    tls: RouterTLS | None = None
    secret_file: Later = None
    limits: Annotated[LimitsSection, OrEmpty] = Field(default_factory=LimitsSection)


class Keys(Section):
    """A key pair; each part inline, as `${VAR}`, or from a file."""

    access_key_id: Maybe[KeyID] = None
    access_key_id_file: Maybe[Text] = None
    secret_access_key: Maybe[Secret] = None
    secret_access_key_file: Maybe[Text] = None


class Allow(Section):
    """One entry of an identity's `allow`."""

    buckets: Items[Glob] = ["*"]
    actions: Maybe[Items[OperationWord]] = None


class Identity(Keys):
    """One entry of `auth.identities`."""

    name: Name
    allow: Maybe[list[Allow]] = None
    credentials: dict[str, Keys] = {}


def _one_star(text: str) -> str:
    if text.count("*") > 1:
        raise fault("can have at most one *")
    return text


Origin = Annotated[
    Text,
    AfterValidator(matching(r"[!-~]+", "must be an origin such as https://app.example.com")),
    AfterValidator(_one_star),
]
HeaderName = Annotated[
    Text,
    AfterValidator(matching(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", "must be a header name")),
]


class CorsRule(Section):
    """One entry of `auth.cors.rules`, as in an S3 CORS configuration."""

    allowed_origins: UniqueItems[Origin]
    allowed_methods: UniqueItems[Annotated[str, Word(*CORS_METHODS)]]
    allowed_headers: UniqueItems[Annotated[HeaderName, AfterValidator(_one_star)]] = []
    expose_headers: UniqueItems[HeaderName] = []
    max_age_seconds: Maybe[PositiveWhole] = None


class Cors(Section):
    """`auth.cors`: what pages of other origins may do."""

    preflight: Annotated[str, Word("answer", "forward")] = "answer"
    rules: Items[CorsRule] = []


class Auth(Section):
    """`auth`: who may come in."""

    mode: Annotated[str, Word("sigv4", "open")] = "sigv4"
    sigv2: Annotated[str, Word("presigned", "all", "off")] = "presigned"
    regions: UniqueItems[Region] = []
    anonymous: Annotated[str, Word("deny", "forward")] = "deny"
    cors: Maybe[Cors] = None
    identities: list[Identity] = []


class TLS(Section):
    """`targets.*.tls`: how an https target is checked, and what it is shown."""

    ca_file: Maybe[Text] = None
    cert_file: Maybe[Text] = None
    key_file: Maybe[Text] = None
    verify: Boolean = True


class ProfileOverrides(Section):
    """`targets.*.profile_overrides`: capabilities of `fastpath.routing.profiles.Profile`.

    Only those that are given count (`model_fields_set`); a list may be empty.
    """

    verifies_digest: Boolean = False
    verifies_md5: Boolean = False
    verifies_checksums: Boolean = False
    verifies_documents: Boolean = False
    checksums: list[Annotated[str, Word(*sorted(name.decode() for name in CHECKSUMS))]] = []
    streaming: list[Annotated[str, Word(*sorted(m.decode() for m in STREAMING_MODES))]] = []
    keeps_aws_chunked: Boolean = False
    operations: Annotated[
        list[OperationWord] | None, BeforeValidator(_all), AfterValidator(_together)
    ] = None
    lacks: Annotated[list[OperationWord], AfterValidator(_together)] = []
    overlooks: dict[OperationName, list[FieldName]] = {}
    mistakes_keys: Boolean = False
    mistakes_deletes: Boolean = False
    has_regions: Boolean = False
    virtual_hosts: Boolean = False
    lists: list[Annotated[str, Word(*sorted(LIST_FEATURES))]] = []


class Target(Keys):
    """One entry of `targets`, or the shorthands `lakefs:` and `s3:`."""

    profile: Maybe[Annotated[str, Word(*PROFILE_WORDS)]] = None
    endpoint: Maybe[EndpointText] = None
    region: Maybe[Region] = None
    profile_overrides: Annotated[ProfileOverrides, OrEmpty] = Field(
        default_factory=ProfileOverrides
    )
    addressing: Annotated[str, Word("path", "virtual", "auto")] = "path"
    forgets: Maybe[Annotated[str, Word(*FORGETS)]] = None
    aws_profile: Maybe[Text] = None
    role_arn: Maybe[RoleARN] = None
    external_id: Maybe[Text] = None
    tls: Annotated[TLS, OrEmpty] | None = None
    pool: Annotated[PoolSection, OrEmpty] = Field(default_factory=PoolSection)
    timeouts: Annotated[TimeoutsSection, OrEmpty] = Field(default_factory=TimeoutsSection)


class Rule(Section):
    """One entry of `routing.rules`."""

    pattern: Glob
    target: Text
    operations: Maybe[Items[OperationWord]] = None
    identities: Maybe[Items[Text]] = None
    description: str = ""
    keys: Later = None
    conditions: Later = None
    rewrite: Later = None
    fallback: Later = None
    fallback_on: Later = None


class Routing(Section):
    """`routing`: which target serves a request."""

    environment: Maybe[Text] = None
    default_target: Text = "s3"
    custom: Later = None
    custom_path: Later = None
    custom_timeout_ms: Later = None
    custom_failure: Later = None
    custom_reads: Later = None
    fallback: Later = None
    fallback_on: Later = None
    rules: list[Rule] = []


class File(Section):
    """The whole file."""

    router: Annotated[Router, OrEmpty] = Field(default_factory=Router)
    auth: Annotated[Auth, OrEmpty] = Field(default_factory=Auth)
    targets: dict[str, Target] = {}
    lakefs: Annotated[Target, OrEmpty] | None = None
    s3: Annotated[Target, OrEmpty] | None = None
    routing: Annotated[Routing, OrEmpty] = Field(default_factory=Routing)
    admin: Later = None
    metrics: Later = None
