"""Reads docs/cookbook.md: the configurations, requests, programs and commands of its recipes.

    PUT sales/raw/a as blue of 5 bytes -> archive sales/raw/a     where it lands
    LIST sales/raw/                    -> raw/a raw/b             what is listed
    GET sales/missing                  -> 404 NoSuchKey           what the client is told
    HELD sales/old                     -> s3 sales/old            what its target had before

Rules: a recipe is a block of YAML and what follows it, up to the next one; the first block of the
page is the other part of every configuration, and comes behind. A block of requests may have the
name of an environment, or the time of day when they are sent. Python before a recipe's YAML is a
module that stands beside the configuration; behind it, a program that is run between the requests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cookbook.md"

_BLOCK = re.compile(r"^## (?P<title>[^\n]+)$|^```(?P<kind>[^\n]+)\n(?P<text>.*?)^```$", re.M | re.S)
_REQUEST = re.compile(
    r"(?P<operation>[A-Z]+) (?P<names>\S+(?: \S+/\S+)?)(?: as (?P<identity>\w+))?"
    r"(?: of (?:(?P<size>\d+) bytes|(?P<type>\S+)))? -> (?P<outcome>.+)"
)


@dataclass(frozen=True, slots=True)
class Name:
    """A bucket and a key, or a bucket and a prefix."""

    bucket: str
    key: str

    @classmethod
    def of(cls, text: str) -> Name:
        bucket, _, key = text.partition("/")
        return cls(bucket, key)


@dataclass(frozen=True, slots=True)
class Request:
    """One line: a request, and what comes of it."""

    line: str
    operation: str
    names: tuple[Name, ...]
    identity: str
    size: int | None
    content_type: str | None
    outcome: str

    @property
    def landed(self) -> tuple[str, Name] | None:
        """The target and the name there of an object that was written."""
        target, _, name = self.outcome.partition(" ")
        if self.operation not in ("PUT", "COPY", "HELD") or target.isdigit():
            return None
        return target, Name.of(name)


@dataclass(frozen=True, slots=True)
class Program:
    """Python that a client runs, with the gateway's address and its keys in the environment."""

    source: str


@dataclass(slots=True)
class Recipe:
    """`steps`: by the environment that the gateway is started with, or by time; "": none."""

    title: str
    routing: str
    module: str = ""
    steps: dict[str, list[Request | Program]] = field(default_factory=dict)
    commands: list[tuple[list[str], list[str]]] = field(default_factory=list)

    @property
    def tried(self) -> str:
        """The configuration, with more time for its custom router: a machine that tests is busy."""
        return self.routing.replace(
            "  custom_reads:", "  custom_timeout_ms: 10000\n  custom_reads:"
        )


def hour_of(step: str) -> int | None:
    """The hour of requests that are sent at a time; None: `step` is an environment, or none."""
    found = re.fullmatch(r"(\d\d):\d\d", step)
    return int(found[1]) if found else None


def read() -> tuple[str, list[Recipe]]:
    """The common part of the configurations, and the recipes."""
    common, title, module = "", "", ""
    recipes: list[Recipe] = []
    for found in _BLOCK.finditer(PAGE.read_text()):
        text, (kind, _, environment) = found["text"], (found["kind"] or "").partition(" ")
        if found["title"]:
            title, module = found["title"], ""
        elif kind == "python" and recipes and recipes[-1].title == title:
            recipes[-1].steps.setdefault("", []).append(Program(text))
        elif kind == "python":
            module = text
        elif kind == "yaml" and not common:
            common = text
        elif kind == "yaml":
            recipes.append(Recipe(title, text, module))
        elif kind == "text":
            steps = recipes[-1].steps.setdefault(environment, [])
            steps += [_request(line) for line in text.splitlines()]
        elif kind == "console":
            recipes[-1].commands += _commands(text)
    return common, recipes


def texts() -> list[str]:
    """The blocks that are read, as they stand."""
    kinds = ("python", "yaml", "text", "console")
    found = [one for one in _BLOCK.finditer(PAGE.read_text()) if one["kind"]]
    return [one["text"] for one in found if one["kind"].partition(" ")[0] in kinds]


def _request(line: str) -> Request:
    found = _REQUEST.fullmatch(line)
    assert found is not None, f"no request: {line}"
    return Request(
        line,
        found["operation"],
        tuple(Name.of(name) for name in found["names"].split(" ")),
        found["identity"] or "application",
        int(found["size"]) if found["size"] else None,
        found["type"],
        found["outcome"],
    )


def _commands(text: str) -> list[tuple[list[str], list[str]]]:
    """Each command's words, and the lines that it prints."""
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ ").split(), []))
        else:
            found[-1][1].append(line)
    return found
