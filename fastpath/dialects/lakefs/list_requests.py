"""Reads a ListObjects or ListObjectsV2 by S3's rules, and writes the query for lakeFS.

    prefix=main/&start-after=a           ->  from the beginning: `a` sorts before the prefix
    prefix=main/&start-after=main/b      ->  after it
    prefix=main/&start-after=z           ->  nothing: all of the prefix sorts before `z`
    prefix=&marker=dev/                  ->  after the branch `dev`, before `dev-a`

Rules: only parameters that lakeFS reads are sent, each once; at most 1,000 keys are asked for, and
those that were shown before (`list_positions`); a marker in another branch, which lakeFS refuses,
means what it means to S3; a name that lakeFS would truncate, or continue after another key for, is
refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastpath.dialects.lakefs.list_positions import INEXACT, Position, is_exact, read_position
from fastpath.dialects.lakefs.name_checks import is_branch
from fastpath.errors import NOT_IMPLEMENTED, S3Error
from fastpath.s3.continuation_tokens import read_token
from fastpath.s3.list_parameters import (
    check_version,
    first_values,
    invalid_token,
    read_count,
    read_encoding,
    read_text,
)

MAX_KEYS = 1000  # of one page, as of S3
_MAX_ROWS = 10000  # that lakeFS gives at once

Query = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Listing:
    """A requested list.

    after: `start-after` or `marker`, as sent.
    token: the continuation token, as sent.
    begin: where lakeFS continues, and which of its rows were shown before; no mark: the beginning.
    is_empty: no key can be in it.
    """

    bucket: bytes
    is_v2: bool
    prefix: str
    delimiter: str
    after: str
    token: str
    begin: Position
    max_keys: int
    is_empty: bool
    encoded: bool
    owners: bool

    @property
    def lists_branches(self) -> bool:
        """Whether lakeFS lists branches rather than objects."""
        return "/" not in self.prefix

    @property
    def query(self) -> bytes:
        """The query for lakeFS."""
        where = (
            "marker" if not self.is_v2 else "continuation-token" if self.token else "start-after"
        )
        pairs = [
            ("list-type", "2" if self.is_v2 else ""),
            ("prefix", "" if self.prefix.startswith("/") else self.prefix),
            ("delimiter", self.delimiter),
            (where, "" if self.is_empty else self.begin.mark),
            ("max-keys", "0" if self.is_empty else str(self.max_keys + sum(self.begin[1:]))),
        ]
        return "&".join(f"{name}={quote(text, safe='')}" for name, text in pairs if text).encode()


def read_listing(query: Query, bucket: bytes, *, is_v2: bool) -> Listing:
    """Read a list request; the first of a repeated parameter counts. Raises S3Error."""
    values = first_values(query)
    max_keys = read_count(values, "max-keys", "maxKeys", MAX_KEYS)
    check_version(values, is_v2=is_v2)
    encoded = read_encoding(values)
    prefix = read_text(values, "prefix")
    after = read_text(values, "start-after" if is_v2 else "marker")
    token = read_text(values, "continuation-token")
    delimiter = read_text(values, "delimiter")
    _check_readable(prefix, "\n")
    begin = _resume(values, bucket, prefix) or _start_after(after, prefix, delimiter)
    if begin is not None and max_keys + sum(begin[1:]) > _MAX_ROWS:
        raise _cannot_start_there()
    return Listing(
        bucket=bucket,
        is_v2=is_v2,
        prefix=prefix,
        delimiter=delimiter,
        after=after,
        token=token,
        begin=begin or Position(""),
        max_keys=max_keys,
        is_empty=begin is None or not max_keys or prefix.startswith("/"),
        encoded=encoded,
        owners=not is_v2 or values.get("fetch-owner", b"").lower() == b"true",
    )


def _resume(values: dict[str, bytes], bucket: bytes, prefix: str) -> Position | None:
    """Read where a list continues from a token of the gateway's own; V1 has one only at need.

    Raises S3Error for an invalid token.
    """
    token = "continuation-token" in values
    held = read_token(bucket, values["continuation-token"] if token else values.get("marker", b""))
    position = read_position(held) if held else None
    if position is not None and (position.mark.startswith(prefix) or not position.mark):
        return position
    if not token:
        return None
    if not held or not held.startswith(prefix) or not is_exact(held):
        raise invalid_token()
    return Position(held if "/" in prefix else _start_of_branches(held, prefix))


def _start_after(after: str, prefix: str, delimiter: str) -> Position | None:
    """Return where a list begins that continues after a name; None: nothing is after it."""
    # lakeFS lists `dev` before `dev-a`, though on S3 `dev-a/` sorts before `dev/`.
    name = after if "/" in prefix else after.partition("/")[0]
    if name > prefix and not name.startswith(prefix):
        return None
    if name < prefix:
        return Position("")
    _check_readable(after, INEXACT)
    if "/" not in prefix:
        return Position(_start_of_branches(after, prefix))
    return Position(_start_of_keys(after, prefix, delimiter))


def _start_of_branches(after: str, prefix: str) -> str:
    """Return the name after which lakeFS lists branches, which have no slash there, but on S3.

    For `dev/` it is `dev`. For `dev` it is a name before it, because `dev/` sorts after `dev`; or
    nothing, the beginning, if that name sorts before the prefix.
    """
    name, slash, _ = after.partition("/")
    if slash or not is_branch(name.encode()):
        return name
    if name == prefix:
        return ""
    before = chr(ord(name[-1]) - 1).replace("/", ".")  # lakeFS reads a branch up to its first slash
    return f"{name[:-1]}{before}~"  # no branch has a tilde


def _start_of_keys(after: str, prefix: str, delimiter: str) -> str:
    """Return the key after which lakeFS lists: inside a common prefix it would repeat the key."""
    at = after.find(delimiter, len(prefix)) if delimiter else -1
    is_inside = 0 <= at < len(after) - len(delimiter)
    return f"{after}\0" if is_inside else after


def _check_readable(name: str, signs: str) -> None:
    """Refuse a name that lakeFS would read as another one.

    It reads a name up to its first line break, so it would list other keys, or the same keys again
    and again; where it writes U+FFFD it may mean a control character, and a list that continues
    after U+FFFD would leave keys out.
    """
    if any(sign in name for sign in signs):
        raise _cannot_start_there()


def _cannot_start_there() -> S3Error:
    return S3Error(
        NOT_IMPLEMENTED,
        message="A list cannot begin at a key with a line break or a control character on the "
        "storage that serves this bucket.",
    )
