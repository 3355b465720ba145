"""Which requests are S3, and what repository, ref and key they name.

Rules: an unsigned request on an unknown host is never S3; paths are split as decoded, nothing is
cleaned; keys in queries and documents are split by a regular expression that ends at a newline.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.doubles.lakefs.wire import Request, raw_bytes

DEFAULT_DOMAIN = "s3.local.lakefs.io"
KEY_BYTES = 1024  # without repository and ref

_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9-]{2,62}\Z")
_BRANCH = re.compile(r"\w[-\w]*\Z", re.ASCII)
_REF = re.compile(r"\S+\Z")
_IN_DOCUMENT = re.compile(r"/?([^/]+)(?:/(.*))?")  # no end anchor, and `.` is no newline


@dataclass(frozen=True, slots=True)
class Place:
    """What a path names. `ref` and `key` are None where the path has no such segment."""

    repository: str
    ref: str | None = None
    key: str | None = None

    @property
    def is_bucket(self) -> bool:
        return bool(self.repository) and self.ref is None

    @property
    def is_object(self) -> bool:
        return bool(self.repository and self.ref and self.key)


def is_s3(request: Request, domains: tuple[str, ...]) -> bool:
    """Whether the S3 gateway gets the request, rather than the API and the UI."""
    host = _without_port(request)
    subdomain = host.partition(".")[2]
    return host in domains or subdomain in domains or _looks_signed(request)


def _looks_signed(request: Request) -> bool:
    return (
        request.header("authorization").startswith(("AWS4", "AWS "))
        or request.has_header("x-amz-signature")
        or "AWSAccessKeyId" in request.query
        or "X-Amz-Credential" in request.query
    )


def place(request: Request, domains: tuple[str, ...]) -> Place:
    """Virtual-host style below a configured domain, path style everywhere else."""
    host = _without_port(request)
    path = request.path.removeprefix("/")
    for domain in domains:
        if host.endswith(f".{domain}"):
            repository = host.removesuffix(f".{domain}")
            return _place(repository, path.split("/", 1))
    repository, *rest = path.split("/", 2)
    return _place(repository, rest)


def _place(repository: str, rest: list[str]) -> Place:
    if not rest or rest == [""]:
        return Place(repository)
    return Place(repository, rest[0], rest[1] if len(rest) > 1 else "")


def _without_port(request: Request) -> str:
    return request.header("host").rpartition(":")[0] or request.header("host")


def is_repository_name(name: str) -> bool:
    return bool(_REPOSITORY.match(name))


def is_branch_name(name: str) -> bool:
    return bool(_BRANCH.match(name))


def is_ref(name: str) -> bool:
    return bool(_REF.match(name))


def is_key(key: str) -> bool:
    return 1 <= len(raw_bytes(key)) <= KEY_BYTES


def split_key(key: str) -> tuple[str, str, bool]:
    """Ref, path and whether there was a slash between them. Raises ValueError for `/` alone."""
    found = _IN_DOCUMENT.match(key)
    if not found:
        raise ValueError(key)
    return found[1], found[2] or "", found[2] is not None
