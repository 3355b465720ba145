"""Replaces the target's names of a request by the client's, where an error has them.

    Key, BucketName, UploadId, Resource, ArgumentValue   the names of this request and its source
    Message                                              where it has an ARN or a path

Rules: a value that is none of these names stays, but for a key and a bucket of an error document,
which are never another's: they become the client's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote_from_bytes

from fastpath.errors import S3Error
from fastpath.renaming.members import PARAMETERS
from fastpath.renaming.names import Names
from fastpath.renaming.queries import first_value

Query = Sequence[tuple[bytes, bytes]]

_MESSAGE = "Message"
_ENDPOINT = "Endpoint"
_BUCKETS = frozenset(("Bucket", "BucketName", "Name"))
_KEY = "Key"
_UPLOAD_ID = "UploadId"
_RESOURCE = "Resource"
# Elements that repeat what was sent.
_OTHERS = frozenset(
    (
        "ArgumentValue",
        "Argument",
        "HeaderValue",
        "KeyMarker",
        "Marker",
        "ObjectName",
        "Path",
        "Prefix",
        "StartAfter",
        "Value",
    )
)
ELEMENTS = _BUCKETS | _OTHERS | {_MESSAGE, _ENDPOINT, _KEY, _UPLOAD_ID, _RESOURCE}


class ErrorNames:
    """The names of one request in errors; `query` and `upstream_query` are its decoded pairs."""

    def __init__(self, names: Names, query: Query, upstream_query: Query) -> None:
        self._names = names
        self._pairs = _pairs_of(names, query, upstream_query)
        self._paths = _paths_of(names)

    def rename(self, error: S3Error) -> S3Error:
        """Put the client's names into an error that was raised with the target's."""
        error.extras = tuple(
            (name, self.exact(name, text) if name in ELEMENTS else text)
            for name, text in error.extras
        )
        error.message = self._message(error.message)
        return error

    def renamed(self, name: str, text: str) -> str:
        """Return what the client gets for the text of an element of an error document."""
        new = self.exact(name, text)
        if new != text or not text:
            return new
        names = self._names
        if name == _KEY:
            return _decoded(self._key_of_another(text.encode()))
        if name in _BUCKETS and names.bucket != names.upstream_bucket:
            return _decoded(names.bucket)
        if name == _UPLOAD_ID and names.upload_id:
            return _decoded(names.upload_id)
        if name == _RESOURCE and self.holds_name(text.encode()):
            return _path(names.bucket, names.key)
        return new

    def exact(self, name: str, text: str) -> str:
        """Return the client's name for a text that is, or for a message that has, the target's."""
        if name == _MESSAGE:
            return self._message(text)
        names = self._names
        if name == _ENDPOINT:
            host = _decoded(names.upstream_bucket) + "."
            return (
                _decoded(names.bucket) + "." + text[len(host) :] if text.startswith(host) else text
            )
        if name == _KEY:
            keys = self._keys()
            return _decoded(keys[text.encode()]) if text.encode() in keys else text
        if name in _BUCKETS:
            buckets = self._buckets()
            return _decoded(buckets[text.encode()]) if text.encode() in buckets else text
        return self._paths.get(text) or self._pairs.get(text, text)

    def holds_name(self, document: bytes) -> bool:
        """Whether something has a name that only the target has for what the request names."""
        names = self._names
        held = [names.upstream_upload_id] if names.upload_id != names.upstream_upload_id else []
        if names.bucket != names.upstream_bucket:
            held.append(names.upstream_bucket)
        held.append(names.rewrite.key_prefix)
        return any(name in document for name in held if name)

    def _keys(self) -> dict[bytes, bytes]:
        names = self._names
        keys = {names.source.upstream_key: names.source.key} if names.source is not None else {}
        return keys | {names.upstream_key: names.key}

    def _buckets(self) -> dict[bytes, bytes]:
        names = self._names
        source = names.source
        buckets = {source.upstream_bucket: source.bucket} if source is not None else {}
        return buckets | {names.upstream_bucket: names.bucket}

    def _key_of_another(self, key: bytes) -> bytes:
        """Return the client's name of a key that is not the request's own."""
        names = self._names
        if key == names.key or (names.source is not None and key == names.source.key):
            return key
        try:
            return names.rewrite.key_down(key)
        except ValueError:
            return names.key

    def _message(self, text: str) -> str:
        names = self._names
        # The longest first: `lakefs-new/main/a` has `main/a` in it.
        for before, after in sorted(self._paths.items(), key=lambda pair: -len(pair[0])):
            if before != after and before.count("/") > 1 and before[1:] in text:
                text = text.replace(before[1:], after[1:])
        if names.bucket != names.upstream_bucket:
            bucket, upstream = _decoded(names.bucket), _decoded(names.upstream_bucket)
            for left, right in ((":::", ""), ("/", "/"), ("'", "'"), ('"', '"')):
                text = text.replace(left + upstream + right, left + bucket + right)
        if names.upstream_upload_id:
            word = rf"(?<![\w.-]){re.escape(_decoded(names.upstream_upload_id))}(?![\w.-])"
            text = re.sub(word, _decoded(names.upload_id), text)
        return text


def _pairs_of(names: Names, query: Query, upstream_query: Query) -> Mapping[str, str]:
    """Return the client's name for each of the target's, the request's own last."""
    pairs: dict[bytes, bytes] = {}
    for name in PARAMETERS.values():
        if value := first_value(upstream_query, name):
            pairs[value] = first_value(query, name)
    if (source := names.source) is not None:
        pairs[source.upstream_bucket] = source.bucket
        pairs[source.upstream_key] = source.key
    pairs |= {
        names.upstream_bucket: names.bucket,
        names.upstream_key: names.key,
        names.upstream_upload_id: names.upload_id,
    }
    pairs.pop(b"", None)
    return {_decoded(before): _decoded(after) for before, after in pairs.items()}


def _paths_of(names: Names) -> Mapping[str, str]:
    """Return the client's path for each of the target's, decoded and encoded."""
    found = [((names.upstream_bucket, names.upstream_key), (names.bucket, names.key))]
    if (source := names.source) is not None:
        found.insert(
            0, ((source.upstream_bucket, source.upstream_key), (source.bucket, source.key))
        )
    paths: dict[str, str] = {}
    for before, after in found:
        paths[_path(before[0], b"")] = _path(after[0], b"")
        if before[1]:
            paths["/" + _decoded(before[1])] = "/" + _decoded(after[1])
        for encode in (lambda name: name, lambda name: quote_from_bytes(name, safe="/~").encode()):
            up, down = [(bucket, encode(key)) for bucket, key in (before, after)]
            paths[_path(*up)] = _path(*down)
            paths[_path(*up)[1:]] = _path(*down)[1:]
    return paths


def _path(bucket: bytes, key: bytes) -> str:
    return _decoded(b"/" + bucket + (b"/" + key if key else b""))


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "replace")
