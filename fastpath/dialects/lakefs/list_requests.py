"""What a ListObjects or ListObjectsV2 asks for, held to S3's rules, and how lakeFS is asked for it.

    prefix=main/&start-after=a           ->  from the beginning: `a` stands before the prefix
    prefix=main/&start-after=main/b      ->  behind it
    prefix=main/&start-after=z           ->  nothing: all of the prefix stands before `z`
    prefix=&marker=dev/                  ->  behind the branch `dev`, before `dev-a`

Rules: pure; only parameters that lakeFS reads go up, each once; at most 1,000 keys are asked for,
and those that were shown before (`positions`); a marker of another branch, which lakeFS refuses,
means what it means to S3; what lakeFS would cut off, or start behind another key for, is refused.

Not here: the answer (`list_answers`), tokens (`tokens`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastpath.dialects.lakefs.names import is_branch
from fastpath.dialects.lakefs.positions import UNTOLD, Position, is_told, read_position
from fastpath.dialects.lakefs.tokens import unwrap
from fastpath.errors import INVALID_ARGUMENT, INVALID_URI, NOT_IMPLEMENTED, S3Error

MAX_KEYS = 1000  # of one page, as of S3
_MAX_ROWS = 10000  # that lakeFS gives at once
_MAX_INT = 2147483647
_INTEGER = re.compile(rb"[+-]?[0-9]{1,64}")
# What each version has that the other has not, and AWS's word for it (AWS errors 4.23).
_OF_V2 = (
    ("continuation-token", "continuation-token only supported"),
    ("start-after", "startAfter only supported"),
)
_WITH_V2 = " in REST.GET.BUCKET with list-type=2"
_MARKER_WITH_V2 = "Marker unsupported with REST.GET.BUCKET in list-type=2"

Query = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as it was asked for.

    after: `start-after` or `marker`, as sent.
    token: the continuation token, as sent.
    begin: where lakeFS goes on, and what of its rows was shown before; no mark: the beginning.
    nothing: no key can be in it.
    """

    bucket: bytes
    is_v2: bool
    prefix: str
    delimiter: str
    after: str
    token: str
    begin: Position
    max_keys: int
    nothing: bool
    encoded: bool
    owners: bool

    @property
    def of_branches(self) -> bool:
        """Whether lakeFS answers with the branches of this name."""
        return "/" not in self.prefix

    @property
    def query(self) -> bytes:
        """The query that goes up."""
        where = (
            "marker" if not self.is_v2 else "continuation-token" if self.token else "start-after"
        )
        pairs = [
            ("list-type", "2" if self.is_v2 else ""),
            ("prefix", "" if self.prefix.startswith("/") else self.prefix),
            ("delimiter", self.delimiter),
            (where, "" if self.nothing else self.begin.mark),
            ("max-keys", "0" if self.nothing else str(self.max_keys + sum(self.begin[1:]))),
        ]
        return "&".join(f"{name}={quote(text, safe='')}" for name, text in pairs if text).encode()


def read_listing(query: Query, bucket: bytes, *, is_v2: bool) -> Listing:
    """The list that a query asks for; of a repeated parameter the first counts. Raises S3Error."""
    values: dict[str, bytes] = {}
    for name, value in query:
        values.setdefault(name.decode("latin-1"), value)
    max_keys = read_count(values, "max-keys", "maxKeys", MAX_KEYS)
    _check_version(values, is_v2=is_v2)
    encoded = _reads_encoding(values)
    prefix = _text(values, "prefix")
    after = _text(values, "start-after" if is_v2 else "marker")
    token = _text(values, "continuation-token")
    delimiter = _text(values, "delimiter")
    _refuse_cut(prefix, "\n")
    begin = _resumed(values, bucket, prefix) or _after(after, prefix, delimiter)
    if begin is not None and max_keys + sum(begin[1:]) > _MAX_ROWS:
        raise _not_told()
    return Listing(
        bucket=bucket,
        is_v2=is_v2,
        prefix=prefix,
        delimiter=delimiter,
        after=after,
        token=token,
        begin=begin or Position(""),
        max_keys=max_keys,
        nothing=begin is None or not max_keys or prefix.startswith("/"),
        encoded=encoded,
        owners=not is_v2 or values.get("fetch-owner", b"").lower() == b"true",
    )


def read_count(values: dict[str, bytes], name: str, shown: str, most: int) -> int:
    """A number of rows, as AWS reads it (AWS errors 4.19, 4.20); at most `most`. Raises S3Error."""
    sent = values.get(name, b"")
    if not sent:
        return most
    number = int(sent) if _INTEGER.fullmatch(sent) else _MAX_INT + 1
    if not -_MAX_INT - 1 <= number <= _MAX_INT:
        text = f"Provided {name} not an integer or within integer range"
        raise invalid(name, text, sent.decode("utf-8", "replace"))
    if number < 0:
        text = f"Argument {shown} must be an integer between 0 and {_MAX_INT}"
        raise invalid(shown, text, str(number))
    return min(number, most)


def invalid(name: str, text: str, value: str | None = None) -> S3Error:
    """The refusal of a parameter."""
    extras = [("ArgumentName", name)]
    if value is not None:
        extras.append(("ArgumentValue", value))
    return S3Error(INVALID_ARGUMENT, *extras, message=text)


def _check_version(values: dict[str, bytes], *, is_v2: bool) -> None:
    kind = values.get("list-type", b"1")
    if kind not in (b"1", b"2"):
        text = "Invalid List Type specified in Request"
        raise invalid("list-type", text, kind.decode("utf-8", "replace"))
    if is_v2:
        if "marker" in values:
            raise invalid("marker", _MARKER_WITH_V2)
        return
    for name, text in _OF_V2:
        if name in values:
            raise invalid(name, text + _WITH_V2)


def _reads_encoding(values: dict[str, bytes]) -> bool:
    """Whether names are to be encoded (AWS errors 4.21)."""
    sent = values.get("encoding-type")
    if sent is not None and sent.lower() != b"url":
        text = "Invalid Encoding Method specified in Request"
        raise invalid("encoding-type", text, sent.decode("utf-8", "replace"))
    return sent is not None


def _text(values: dict[str, bytes], name: str) -> str:
    try:
        return values.get(name, b"").decode()
    except UnicodeDecodeError:
        raise S3Error(INVALID_URI) from None


def _resumed(values: dict[str, bytes], bucket: bytes, prefix: str) -> Position | None:
    """Where a list goes on that was made here: of V1, only what no key can say.

    Raises S3Error for a token that is none.
    """
    token = "continuation-token" in values
    held = unwrap(bucket, values["continuation-token"] if token else values.get("marker", b""))
    position = read_position(held) if held else None
    if position is not None and (position.mark.startswith(prefix) or not position.mark):
        return position
    if not token:
        return None
    if not held or not held.startswith(prefix) or not is_told(held):
        raise invalid("continuation-token", "The continuation token provided is incorrect")
    return Position(held if "/" in prefix else _behind_branch(held, prefix))


def _after(after: str, prefix: str, delimiter: str) -> Position | None:
    """Where a list begins that is to begin behind a name; None: there is nothing behind it."""
    if after > prefix and not after.startswith(prefix):
        return None
    if after < prefix:
        return Position("")
    _refuse_cut(after, UNTOLD)
    if "/" not in prefix:
        return Position(_behind_branch(after, prefix))
    return Position(_behind_key(after, prefix, delimiter))


def _behind_branch(after: str, prefix: str) -> str:
    """The name that branches must sort behind; to lakeFS they have no slash, to S3 they end in one.

    Of `dev/` it is `dev`. Of `dev` it is a name before it, because `dev/` stands behind `dev`; and
    nothing, the beginning, if that name stands before the prefix.
    """
    name, slash, _ = after.partition("/")
    if slash or not is_branch(name.encode()):
        return name
    if name == prefix:
        return ""
    before = chr(ord(name[-1]) - 1).replace("/", ".")  # lakeFS reads a branch up to its first slash
    return f"{name[:-1]}{before}~"  # no branch has a tilde


def _behind_key(after: str, prefix: str, delimiter: str) -> str:
    """lakeFS begins with the key itself: inside a common prefix it must begin with the next."""
    at = after.find(delimiter, len(prefix)) if delimiter else -1
    is_inside = 0 <= at < len(after) - len(delimiter)
    return f"{after}\0" if is_inside else after


def _refuse_cut(name: str, signs: str) -> None:
    """lakeFS reads a name up to its first line break, and so would list other keys, or the same
    again and again; where it writes U+FFFD it may mean a control character, and going on behind
    U+FFFD would leave keys out.
    """
    if any(sign in name for sign in signs):
        raise _not_told()


def _not_told() -> S3Error:
    return S3Error(
        NOT_IMPLEMENTED,
        message="A list cannot begin at a key with a line break or a control character on the "
        "storage that serves this bucket.",
    )
