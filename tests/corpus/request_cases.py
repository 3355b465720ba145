"""The raw requests of `tests/corpus/requests` as cases, for replay against any reader of requests.

Rules: the files are data; nothing here decides what is right.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent / "requests"

UPLOAD_ID = b"abc"  # of every upload in the cases, which goes to `bucket` and `key`
DOMAINS = (b"s3.example.com",)  # what the cases' virtual hosts live below


@dataclass(frozen=True)
class ExpectedRequest:
    """A request that is understood. None: the case does not say."""

    method: bytes
    bucket: bytes
    key: bytes
    operation: str
    path: bytes | None
    query: bytes | None
    http_minor: int
    keep_alive: bool | None
    expect_continue: bool
    length: int  # bytes of body
    path_style: bool | None
    address_path: bytes | None
    fields: dict[bytes, bytes]


@dataclass(frozen=True)
class ExpectedFault:
    """The error that ends a case."""

    status: int
    code: str
    closes: bool
    stage: str  # head, framing, address or operation
    waits: bool  # only time tells


@dataclass(frozen=True)
class Case:
    """One file of bytes, the requests in it, and the fault they end with, if any."""

    name: str  # valid/001-get-object
    raw: bytes
    summary: str
    source: str
    requests: tuple[ExpectedRequest, ...]
    fault: ExpectedFault | None

    def raw_with(self, upload_id: str) -> bytes:
        """The bytes with the id that a client has of the upload, for a gateway that seals ids."""
        return self.raw.replace(b"uploadId=" + UPLOAD_ID, b"uploadId=" + upload_id.encode())


@cache
def cases() -> list[Case]:
    """Every case, in the order of the files."""
    return [_load(path) for path in sorted(ROOT.glob("*/*.http"))]


def _load(path: Path) -> Case:
    told = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))
    return Case(
        name=f"{path.parent.name}/{path.stem}",
        raw=path.read_bytes(),
        summary=told["summary"],
        source=told["source"],
        requests=tuple(_request(entry) for entry in told.get("request", [])),
        fault=_fault(told) if "status" in told else None,
    )


def _fault(told: dict[str, Any]) -> ExpectedFault:
    return ExpectedFault(
        status=told["status"],
        code=told["code"],
        closes=told["closes"],
        stage=told["stage"],
        waits=told.get("waits", False),
    )


def _request(told: dict[str, Any]) -> ExpectedRequest:
    def told_bytes(name: str) -> bytes | None:
        return told[name].encode() if name in told else None

    return ExpectedRequest(
        method=told["method"].encode(),
        bucket=told["bucket"].encode(),
        key=told["key"].encode(),
        operation=told["operation"],
        path=told_bytes("path"),
        query=told_bytes("query"),
        http_minor=told.get("http_minor", 1),
        keep_alive=told.get("keep_alive"),
        expect_continue=told.get("expect_continue", False),
        length=told.get("length", 0),
        path_style=told.get("path_style"),
        address_path=told_bytes("address_path"),
        fields={
            name.encode("latin-1"): value.encode("latin-1")
            for name, value in told.get("fields", {}).items()
        },
    )
