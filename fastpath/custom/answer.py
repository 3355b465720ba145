"""Says what the custom router is asked, and what its answer means.

Rules: an answer that is not understood as a whole decides nothing; a target that the configuration
does not have is a failure, never a guess; no prefix lets a key climb out of its bucket.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from fastpath.routing.rewrite import Rewrite
from fastpath.s3.addressing import MAX_KEY_BYTES, is_bucket

_MEMBERS: Final = ("target", "bucket", "key_prefix")
_SHOWN: Final = 80  # characters of a value in a message


class RouterFailed(Exception):
    """The router gave no answer that can be used; the text is for the operator."""


class Question(NamedTuple):
    """What the router is asked about.

    bucket: as the client names it.
    method: `GET`, `PUT`, ...; that of the operation, for a key of DeleteObjects `DELETE`.
    content_length: bytes of the body; None if the client did not say.
    content_type: empty if the client did not say.
    key: decoded; empty if the request names none.
    identity: the name of the caller; empty without one.
    s3_operation: `PutObject`.
    """

    bucket: bytes
    method: bytes
    content_length: int | None
    content_type: bytes
    key: bytes
    identity: str
    s3_operation: str

    def as_arguments(self) -> list[object]:
        """Return what `route_request` is called with: text, and numbers, as JSON has them.

        What the client did not say is left out, so that `metadata.get("content_length", 0)` is a
        number.
        """
        metadata: dict[str, object] = {
            "key": self.key.decode("utf-8", "surrogateescape"),
            "identity": self.identity,
            "s3_operation": self.s3_operation,
        }
        if self.content_length is not None:
            metadata["content_length"] = self.content_length
        if self.content_type:
            metadata["content_type"] = self.content_type.decode("latin-1")
        return [self.bucket.decode("latin-1"), self.method.decode("latin-1"), metadata]


class Answer(NamedTuple):
    """What the router decided.

    targets: where a read looks, in order; writes go to the first.
    rewrite: the target's names for bucket and key; None: the client's.
    """

    targets: tuple[str, ...]
    rewrite: Rewrite | None = None


def read_answer(value: object, targets: Collection[str]) -> Answer | None:
    """Return the answer; None if the rules are to decide. Raises RouterFailed on anything else."""
    if value is None:
        return None
    if isinstance(value, str):
        return Answer((_target(value, targets),))
    if isinstance(value, list | tuple):
        if not value:
            raise RouterFailed("it returned an empty list: return None to have the rules decide")
        return Answer(tuple(dict.fromkeys(_target(name, targets) for name in value)))
    if isinstance(value, Mapping):
        return _read_mapping(value, targets)
    raise RouterFailed(
        f"it returned {_shown(value)}: return a target's name, a list of names, a mapping or None"
    )


def _read_mapping(value: Mapping[object, object], targets: Collection[str]) -> Answer:
    for name in value:
        if name not in _MEMBERS:
            known = ", ".join(_MEMBERS)
            raise RouterFailed(f"it returned a mapping with {_shown(name)}: known are {known}")
    if "target" not in value:
        raise RouterFailed("it returned a mapping without target")
    target = _target(value["target"], targets)
    rewrite = Rewrite(_bucket(value.get("bucket")), _key_prefix(value.get("key_prefix")))
    return Answer((target,), None if rewrite == Rewrite() else rewrite)


def _target(name: object, targets: Collection[str]) -> str:
    if not isinstance(name, str):
        raise RouterFailed(f"it returned {_shown(name)} where a target's name belongs")
    if name not in targets:
        known = ", ".join(sorted(targets)[:10])
        raise RouterFailed(f"it returned {_shown(name)}, which is no target: there are {known}")
    return name


def _bucket(name: object) -> bytes:
    """Return the bucket; empty without one."""
    if name is None:
        return b""
    if not isinstance(name, str) or not is_bucket(name.encode("utf-8", "replace")):
        raise RouterFailed(f"it returned {_shown(name)} as bucket, which no bucket can be called")
    return name.encode()


def _key_prefix(prefix: object) -> bytes:
    """Return the prefix; empty without one."""
    if prefix is None:
        return b""
    if not isinstance(prefix, str):
        raise RouterFailed(f"it returned {_shown(prefix)} as key_prefix, which is no text")
    try:
        raw = prefix.encode()
    except UnicodeEncodeError:
        raise RouterFailed(f"it returned {_shown(prefix)} as key_prefix: not UTF-8") from None
    if len(raw) > MAX_KEY_BYTES:
        raise RouterFailed(f"it returned a key_prefix of {len(raw)} bytes: {MAX_KEY_BYTES} at most")
    if any(segment in (b".", b"..") for segment in raw.split(b"/")):
        raise RouterFailed(f"it returned {_shown(prefix)} as key_prefix: no part may be . or ..")
    if not prefix.isprintable():
        raise RouterFailed(f"it returned {_shown(prefix)} as key_prefix: not printable")
    return raw


def _shown(value: object) -> str:
    try:
        text = ascii(value)
    except RecursionError:
        return "a value of too many levels"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
