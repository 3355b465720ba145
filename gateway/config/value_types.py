"""The types of the values in a configuration file: each turns text into what a setting needs.

Rules: a message says what is expected and never repeats a value that may be a secret; only `true`
and `false` are booleans; a number may be quoted, because it may come from a variable.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, SecretStr
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from fastpath.s3.addressing import MAX_KEY_BYTES
from fastpath.s3.operations import ACTIONS, METHODS, OPERATIONS, expand
from gateway.config.problems import did_you_mean, one_of

Item = TypeVar("Item")
Step = Callable[[Any], Any]

NOT_YET = "not supported yet"
MAX_WORKERS = 256
AUTO = "auto"  # of `router.workers`: one for each processor
KEY_ID = r"[!-+\--.0-~]{1,128}"  # what can stand in a credential scope: no space, comma or /
SECRET = r"[ -~]{1,1024}"
EVERY_OPERATION = frozenset(operation.name for operation in OPERATIONS.values())

_YAML11_TRUE = frozenset(("yes", "on", "y"))
_YAML11_FALSE = frozenset(("no", "off", "n"))


def fault(message: str, suggestion: str = "") -> PydanticCustomError:
    """Makes a validation error. Its text is in the context, as it may hold braces."""
    return PydanticCustomError("config", "{message}", {"message": message, "hint": suggestion})


class Parse:
    """Marks a type whose value is made by functions, one after another.

    pydantic calls them as one validator and builds no schema of the type itself. That costs less
    than validators around a type, at each start and for each value.
    """

    def __init__(self, *steps: Step) -> None:
        self.steps = steps

    def __call__(self, value: object) -> Any:
        for step in self.steps:
            value = step(value)
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        function = self.steps[0] if len(self.steps) == 1 else self
        return core_schema.no_info_plain_validator_function(function)


class Word(Parse):
    """Marks a type whose value is one of some words."""

    def __init__(self, *words: str) -> None:
        super().__init__(self._choose)
        self.words = words

    def _choose(self, value: object) -> str:
        word = text(value)
        if word in self.words:
            return word
        raise fault(f"must be {one_of(self.words)}", did_you_mean(word, self.words))


# Text


def text(value: object) -> str:
    """Accepts any text but an empty one."""
    if isinstance(value, str):
        if not value.strip():
            raise fault("must not be empty")
        return str(value)
    if value is None:
        raise fault("must not be empty")
    raise fault(f"must be text, not {'a mapping' if isinstance(value, dict) else 'a list'}")


def plain_text(value: object) -> str:
    """Accepts the same, with a shorter message."""
    if not isinstance(value, str) or not value.strip():
        raise fault("must be text" if value is not None else "must not be empty")
    return str(value)


def _matching(pattern: str, expectation: str) -> Step:
    """Returns a check of a text's grammar; its message does not repeat the text."""
    regex = re.compile(pattern)

    def check(value: str) -> str:
        if not regex.fullmatch(value):
            raise fault(expectation)
        return value

    return check


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")


def _domain(name: str) -> str:
    bare = name.removeprefix("*.").rpartition("://")[2].partition("/")[0].partition(":")[0]
    if not _DOMAIN.match(name) or len(name) > 253:
        raise fault(
            "must be a host name without scheme, port or *",
            f"write {bare.lower()}" if _DOMAIN.match(bare) else "",
        )
    return name.lower()


def _class_name(name: str) -> str:
    module, colon, kind = name.partition(":")
    if not colon or not kind.isidentifier() or not all(map(str.isidentifier, module.split("."))):
        raise fault("must be module:Class", "such as custom_router:CustomRouter")
    return name


def _field_name(name: str) -> str:
    """Lowers the case of headers; S3's query parameters have no hyphen, and their case counts."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", name):
        raise fault("must be the name of a query parameter or header")
    return name.lower() if "-" in name else name


def _network(value: str) -> str:
    """Checks the address of a machine or a network, and writes it as a network."""
    try:
        loose = ipaddress.ip_network(value, strict=False)
    except ValueError:
        loose = None
    if loose is None or "%" in value:
        raise fault("must be an address, or a network such as 10.0.0.0/8")
    if loose.version == 6 and loose.subnet_of(_MAPPED):
        hint = f"write {loose.network_address.ipv4_mapped}/{loose.prefixlen - 96}"
        raise fault("stands for IPv4 addresses, which are known by themselves", hint)
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise fault("has bits behind the length of its prefix", f"write {loose}") from None


_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def _glob(pattern: str) -> str:
    literal = re.sub(r"\[!?\]?[^\]]*\]", "", pattern) if "[" in pattern else pattern
    if "[" in literal:
        raise fault("has a [ without its ]")
    strange = re.search(r"[^A-Za-z0-9._*?\]-]", literal)
    if strange:
        raise fault(f"can never match: {strange[0]!r} is in no bucket name", "give a bucket glob")
    return pattern


_PART = re.compile(r"\{([A-Za-z][A-Za-z0-9_]{0,31})\}")


def _pattern(pattern: str) -> str:
    """Checks a bucket glob that may name parts: `team-{team}-*`."""
    if "{" not in pattern and "}" not in pattern:
        return _glob(pattern)
    names = _PART.findall(pattern)
    plain = _PART.sub("x", pattern)
    if "{" in plain or "}" in plain:
        raise fault("has a brace that belongs to no part", "write a part as {name}")
    for name in names:
        if names.count(name) > 1:
            raise fault(f"names the part {{{name}}} twice")
    if re.search(r"[*}]\{|\}\*", pattern):
        raise fault(
            "has a part next to a star or another part", "put text between them, as in {a}-*"
        )
    _glob(plain)
    return pattern


def _key_glob(pattern: str) -> str:
    """Checks a glob on keys."""
    literal = re.sub(r"\[!?\]?[^\]]*\]", "", pattern)
    if "[" in literal:
        raise fault("has a [ without its ]", "a key with a [ is written [[]")
    if "{" in literal:
        raise fault(
            "has a {: only routing.rules[].pattern names parts", "a { of a key is written [{]"
        )
    if len(pattern.encode()) > MAX_KEY_BYTES:
        raise fault(f"has more than {MAX_KEY_BYTES} bytes, and no key has")
    return pattern


def _key_prefix(prefix: str) -> str:
    """Checks the beginning of keys."""
    if len(prefix.encode()) > MAX_KEY_BYTES:
        raise fault(f"has more than {MAX_KEY_BYTES} bytes, and no key has")
    if any(ord(char) < 32 or ord(char) == 127 for char in prefix):
        raise fault("has a control character")
    if any(segment in (".", "..") for segment in prefix.split("/")):
        raise fault("has a segment . or .., which a store may take for another place")
    return prefix


def _new_bucket(bucket: str) -> str:
    """Checks the name of a bucket in which `{part}` may stand."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", _PART.sub("xx", bucket)):
        raise fault("must be the name of a bucket")
    return bucket


def _one_star(pattern: str) -> str:
    if pattern.count("*") > 1:
        raise fault("can have at most one *")
    return pattern


_ROLE_ARN = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+"
_header_name = _matching(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", "must be a header name")
_origin = _matching(r"[!-~]+", "must be an origin such as https://app.example.com")

_url_path = _matching(
    r"/[!$%&'()*+,./:;=?@A-Z_a-z0-9~-]{0,1023}",
    "must begin with / and have only characters of a URL",
)

Text = Annotated[str, Parse(text)]
URLPath = Annotated[str, Parse(text, _url_path)]
ClassName = Annotated[str, Parse(text, _class_name)]
Domain = Annotated[str, Parse(text, _domain)]
FieldName = Annotated[str, Parse(text, _field_name)]
Glob = Annotated[str, Parse(text, _glob)]
Pattern = Annotated[str, Parse(text, _pattern)]
KeyGlob = Annotated[str, Parse(text, _key_glob)]
KeyPrefix = Annotated[str, Parse(plain_text, _key_prefix)]
NewBucket = Annotated[str, Parse(text, _new_bucket)]
Network = Annotated[str, Parse(text, _network)]
HeaderName = Annotated[str, Parse(text, _header_name)]
HeaderPattern = Annotated[str, Parse(text, _header_name, _one_star)]
Origin = Annotated[str, Parse(text, _origin, _one_star)]
Region = Annotated[str, Parse(text, _matching(r"[A-Za-z0-9-]{1,64}", "must be a region name"))]
Name = Annotated[
    str,
    Parse(text, _matching(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", "must be a short plain name")),
]
KeyID = Annotated[
    str, Parse(text, _matching(KEY_ID, "must be printable ASCII without space, / or comma"))
]
Secret = Annotated[SecretStr, Parse(text, _matching(SECRET, "must be printable ASCII"), SecretStr)]
RoleARN = Annotated[
    str, Parse(text, _matching(_ROLE_ARN, "must be arn:aws:iam::ACCOUNT:role/NAME"))
]


# Numbers and booleans

_WHOLE = re.compile(r"[+-]?[0-9](?:_?[0-9])*\Z")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")


def _boolean(value: object) -> bool:
    word = value.lower() if isinstance(value, str) else ""
    if word in ("true", "false"):
        return word == "true"
    if word in _YAML11_TRUE or word in _YAML11_FALSE:
        raise fault("must be true or false", f"write {str(word in _YAML11_TRUE).lower()}")
    raise fault("must be true or false")


def _whole(value: object) -> int:
    if isinstance(value, str) and len(value) < 20 and _WHOLE.match(value):
        return int(value)
    raise fault("must be a whole number")


def _number(value: object) -> float:
    if isinstance(value, str) and len(value) < 20 and _DECIMAL.match(value):
        return float(value)
    raise fault("must be a number")


def _positive(value: float) -> float:
    if value <= 0:
        raise fault("must be greater than 0")
    if value > 1e12:
        raise fault("must be less than 1000000000000")
    return value


def _positive_or_zero(value: float) -> float:
    if value < 0:
        raise fault("must not be less than 0", "0 turns it off")
    return _positive(value) if value else value


def _percent(value: int) -> int:
    if not 1 <= value <= 100:
        raise fault("must be a number from 1 to 100")
    return value


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise fault("must be a number from 0 to 1")
    return value


def _workers(value: object) -> int | str:
    number = value if isinstance(value, str) else ""
    if number == AUTO:
        return AUTO
    if not number.isascii() or not number.isdigit() or not 1 <= int(number[:9]) <= MAX_WORKERS:
        raise fault(f"must be auto or a number from 1 to {MAX_WORKERS}")
    return int(number)


Boolean = Annotated[bool, Parse(_boolean)]
PositiveWhole = Annotated[int, Parse(_whole, _positive)]
PositiveNumber = Annotated[float, Parse(_number, _positive)]
WholeOrZero = Annotated[int, Parse(_whole, _positive_or_zero)]
NumberOrZero = Annotated[float, Parse(_number, _positive_or_zero)]
Share = Annotated[float, Parse(_number, _share)]
Percent = Annotated[int, Parse(_whole, _percent)]
Workers = Annotated[int | str, Parse(_workers)]


# Lists, and what may be left out


def _list(value: object) -> object:
    if isinstance(value, list):
        if not value:
            raise fault("must not be an empty list", "leave the key out")
        return value
    if isinstance(value, str):
        raise fault("must be a list", "write it in [brackets]" if value else "")
    raise fault("must be a list" if value is not None else "must not be empty")


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def one_or_more_items(value: object) -> object:
    """Accepts a list that is not empty, or the text of one item."""
    return _list(_one_or_more(value))


def _unique(items: tuple[Item, ...]) -> tuple[Item, ...]:
    for index, item in enumerate(items):
        if item in items[:index]:
            raise fault(f"{item} is given twice")
    return items


def _given(value: object) -> object:
    if value is None:
        raise fault("must not be empty", "leave the key out")
    return value


def _mapping(value: object) -> object:
    """Accepts nothing for an empty section: all its settings may be commented out."""
    return {} if value is None else value


def _not_yet(value: object) -> None:
    raise fault(NOT_YET)


Items = Annotated[tuple[Item, ...], BeforeValidator(_list)]
UniqueItems = Annotated[tuple[Item, ...], BeforeValidator(_list), AfterValidator(_unique)]
OneOrMore = BeforeValidator(_one_or_more)
OrEmpty = BeforeValidator(_mapping)
Given = Annotated[Item, BeforeValidator(_given)]
Maybe = Annotated[Item | None, BeforeValidator(_given)]
Later = Annotated[None, Parse(_not_yet)]


def is_later(metadata: Iterable[object]) -> bool:
    """Whether a field's metadata say that it is not supported yet."""
    return any(isinstance(one, Parse) and one.steps == (_not_yet,) for one in metadata)


# Operations


def _operation_word(value: object) -> frozenset[str]:
    word = plain_text(value)
    try:
        return expand(word)
    except KeyError:
        known = [*sorted(ACTIONS), *(m.decode() for m in sorted(METHODS)), *OPERATIONS]
        raise fault(
            f"{word!r} is no operation, HTTP method or class", did_you_mean(word, known)
        ) from None


def _operation_name(name: str) -> str:
    if name not in EVERY_OPERATION:
        raise fault(f"{name!r} is no operation", did_you_mean(name, EVERY_OPERATION))
    return name


def _all_or_list(value: object) -> object:
    if value == "all":
        return None
    if not isinstance(value, list):
        raise fault("must be all or a list")
    return value


def _together(words: list[frozenset[str]] | None) -> frozenset[str] | None:
    return None if words is None else _union(tuple(words))


@lru_cache(maxsize=4096)
def _union(words: tuple[frozenset[str], ...]) -> frozenset[str]:
    """Joins sets. Each result is made once, because many rules name the same operations."""
    return frozenset[str]().union(*words)


class _Operations:
    """Marks a set of operations that is written as a list of words."""

    def __init__(self, check: Step | None) -> None:
        self._check = check

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        word = core_schema.no_info_plain_validator_function(_operation_word)
        schema: CoreSchema = core_schema.nullable_schema(core_schema.list_schema(word))
        if self._check is None:
            schema = core_schema.list_schema(word)
        else:
            schema = core_schema.no_info_before_validator_function(self._check, schema)
        return core_schema.no_info_after_validator_function(_together, schema)


OperationName = Annotated[str, Parse(text, _operation_name)]
Operations = Annotated[frozenset[str], _Operations(_list)]
AnyOperations = Annotated[frozenset[str], _Operations(None)]  # an empty list too
AllOrOperations = Annotated[frozenset[str] | None, _Operations(_all_or_list)]  # None: all
