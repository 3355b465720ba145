"""The types of the values of `conditions` and `fallback_on`: sizes, content types, hours, zones.

Rules: they are as those of `value_types`; whether a time zone exists is asked of this machine's
time zone data, which control packs for workers.
"""

from __future__ import annotations

import base64
import importlib.resources
import re
import zoneinfo
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from gateway.config.problems import did_you_mean, one_of
from gateway.config.value_types import Parse, fault, one_or_more_items, plain_text, text

NOT_FOUND: Final = "404"  # a read moves on in any case
FAILURES: Final = ("5xx", "timeout", "refused")
_OUTCOMES: Final = (NOT_FOUND, *FAILURES)

# S3 tells sizes in binary units; the decimal ones are what disks and clouds are sold by.
_UNITS: Final[dict[str, int]] = {"": 1, "b": 1} | {
    f"{letter}{rest}": int(base**power)
    for power, letter in enumerate("kmgt", 1)
    for base, rest in ((1000, "b"), (1024, "ib"))
}
_MAX_SIZE: Final = 1 << 53  # as far as every JSON reader is exact; S3's objects end far below
_SIZE: Final = re.compile(r"([0-9](?:_?[0-9])*)[ ]?([A-Za-z]*)\Z")
_PRODUCT: Final = re.compile(r"[0-9]{1,15}(?: ?\* ?[0-9]{1,15}){1,4}\Z")

# The tokens of RFC 9110, without the star that stands for a whole subtype.
_TYPE_TOKEN: Final = r"[A-Za-z0-9!#$%&'+.^_`|~-]+"
_TYPE: Final = re.compile(rf"{_TYPE_TOKEN}/(?:{_TYPE_TOKEN}|\*)\Z")
_TOP_LEVEL: Final = ("application", "audio", "font", "image", "model", "text", "video")

# No segment begins with a dot, so that no name leads out of the directory.
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*\Z")

_HOUR: Final = re.compile(r"[0-9]{1,2}\Z")
_CLOCK: Final = re.compile(r"([0-9]{1,2}):[0-9]{2}(?::[0-9]{2})?\Z")


def size_of(value: object) -> int:
    """Reads bytes: `104857600`, `100MiB`, `100 MB`."""
    written = value if isinstance(value, str) else ""
    found = _SIZE.match(written) if len(written) < 24 else None
    factor = _UNITS.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise fault("must be bytes, such as 104857600 or 100MiB", _instead(written))
    size = int(found[1]) * factor
    if size > _MAX_SIZE:
        raise fault("is more than any object has")
    return size


def _instead(written: str) -> str:
    """Suggests the number that a product stands for, or a unit that exists."""
    if _PRODUCT.match(written):
        size = 1
        for factor in written.split("*"):
            size *= int(factor)
        return f"write {size}"
    number = re.match(r"([0-9]+) ?([KMGTkmgt])", written)
    return f"write {number[1]}{number[2].upper()}iB" if number else ""


def _content_type(written: str) -> str:
    """Checks a media type, or a star for every subtype; case does not matter."""
    bare = written.partition(";")[0].strip()
    if _TYPE.match(written):
        return written.lower()
    if written in ("*", "*/*"):
        raise fault("matches every type", "leave content_types out")
    if _TYPE.match(bare):
        raise fault("is compared without parameters", f"write {bare.lower()}")
    hint = f"write {bare.lower()}/*" if bare.lower() in _TOP_LEVEL else ""
    raise fault("must be a type such as image/png or image/*", hint)


def _hour(value: object) -> int:
    written = value if isinstance(value, str) else ""
    if _HOUR.match(written) and int(written) < 24:
        return int(written)
    clock = _CLOCK.match(written)
    good = clock is not None and int(clock[1]) < 24
    raise fault("must be an hour from 0 to 23", f"write {int(clock[1])}" if clock and good else "")


def _two(value: object) -> object:
    if not isinstance(value, list) or len(value) != 2:
        raise fault("must be the first and the last hour", "such as [2, 6]: 2:00 to 6:59")
    return value


def _timezone(name: str) -> str:
    """Checks that the zone is among the time zone data of this machine."""
    if zone_file(name):
        return name
    known = zoneinfo.available_timezones()
    if not known:
        raise fault("cannot be looked up: this machine has no time zone data", "install tzdata")
    raise fault("is no time zone", did_you_mean(name, known) or "such as Europe/Berlin")


def zone_file(name: str) -> str:
    """Returns the TZif file of a zone in base64; empty if there is none of that name.

    A worker gets it in its snapshot, because a container may have no time zone data for it to read.
    """
    if not _ZONE.match(name):
        return ""
    for directory in (*map(Path, zoneinfo.TZPATH), *_of_package()):
        path = directory / name
        if path.is_file():
            return _packed(path, path.stat().st_mtime_ns)
    return ""


@cache
def _of_package() -> list[Path]:
    """Returns where the Python package `tzdata` has its files, if it is installed.

    Python takes 0.7 ms to find a package, and each rule may name a zone.
    """
    try:
        return [Path(str(importlib.resources.files("tzdata")), "zoneinfo")]
    except ModuleNotFoundError:
        return []


@lru_cache(maxsize=64)
def _packed(path: Path, stamp: int) -> str:
    """Packs a file, once for as long as it stays as it is: many rules name the same zone."""
    content = path.read_bytes()
    return base64.b64encode(content).decode() if content.startswith(b"TZif") else ""


class _Outcomes:
    """Marks a set of outcomes that is written as a list of words, or as one."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        word = core_schema.no_info_plain_validator_function(_outcome)
        words = core_schema.no_info_before_validator_function(
            one_or_more_items, core_schema.list_schema(word)
        )
        return core_schema.no_info_after_validator_function(_with_404, words)


def _outcome(value: object) -> str:
    """Reads a word of `fallback_on`; a status that is none of them has a remedy of its own."""
    word = text(value)
    if word in _OUTCOMES:
        return word
    hint = did_you_mean(word, _OUTCOMES)
    if word == "403":
        hint = "a missing key is 403 only where the credentials lack s3:ListBucket: allow it there"
    elif re.fullmatch("5[0-9][0-9]", word):
        hint = "write 5xx"
    raise fault(f"must be {one_of(_OUTCOMES)}", hint)


def _with_404(words: list[str]) -> frozenset[str]:
    if NOT_FOUND not in words:
        message = "must have 404: what a target does not have is looked for in the next one"
        raise fault(message, "add 404")
    return frozenset(words)


Size = Annotated[int, Parse(size_of)]
ContentType = Annotated[str, Parse(text, _content_type)]
Hours = Annotated[tuple[Annotated[int, Parse(_hour)], ...], BeforeValidator(_two)]
TimeZone = Annotated[str, Parse(plain_text, _timezone)]
Outcomes = Annotated[frozenset[str], _Outcomes()]
