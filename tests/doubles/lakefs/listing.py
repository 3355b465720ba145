"""ListBuckets, ListObjects of both versions, and the small answers about a bucket.

Rules: a prefix without a slash lists branches, one with a slash the objects of that ref; a token is
the plain last key or branch; lists begin at it and leave out what is it, so that a key inside a
common prefix shows the prefix; encoding-type, fetch-owner and max-buckets are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.doubles.lakefs import addressing, store
from tests.doubles.lakefs.call import Call, in_milliseconds, refuse_unsupported
from tests.doubles.lakefs.errors import Refusal
from tests.doubles.lakefs.store import Blob, Entries
from tests.doubles.lakefs.wire import Answer, raw_bytes
from tests.doubles.lakefs.xml import VERSIONING, element

DEFAULT_KEYS = 1000
MAX_KEYS = 10000
UNSUPPORTED_GET = (
    "inventory metrics publicAccessBlock ownershipControls intelligent-tiering analytics policy"
    " lifecycle encryption object-lock replication notification events acl cors website accelerate"
    " requestPayment logging tagging versions policyStatus"
)

Item = tuple[str, Blob | None]  # a key and its object, or a common prefix


def list_buckets(call: Call) -> Answer:
    refuse_unsupported(call, "events")
    prefix = call.query.get("prefix", "")
    with call.store.lock:
        found = sorted(call.store.repositories.items())
    buckets = [
        element(
            "Bucket",
            element("Name", name),
            element("CreationDate", in_milliseconds(repository.created)),
        )
        for name, repository in found
        if name.startswith(prefix)
    ]
    owner = element("Owner", element("ID"), element("DisplayName"))
    return call.xml(element("ListAllMyBucketsResult", owner, element("Buckets", *buckets)))


def head_bucket(call: Call) -> Answer:
    refuse_unsupported(call, "acl")
    return Answer(200)


def get_bucket(call: Call) -> Answer:
    refuse_unsupported(call, UNSUPPORTED_GET)
    if "location" in call.query:
        region = "" if call.region == "us-east-1" else call.region
        return call.xml(element("LocationConstraint", region, namespace=True))
    if "versioning" in call.query:
        return call.xml(VERSIONING)
    version = call.query.get("list-type", "1")
    if version not in ("1", "2"):
        raise Refusal("BadRequest")
    return call.xml(_list(_Asked(call, is_v2=version == "2")))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A ListObjects request; names of parameters are those of its version."""

    call: Call
    is_v2: bool

    @property
    def prefix(self) -> str:
        return self.call.query.get("prefix", "")

    @property
    def delimiter(self) -> str:
        return self.call.query.get("delimiter", "")

    @property
    def token(self) -> str:
        return self.call.query.get("continuation-token", "") if self.is_v2 else ""

    @property
    def after(self) -> str:
        """Where to go on: a token beats start-after."""
        query = self.call.query
        return (self.token or query.get("start-after", "")) if self.is_v2 else self.marker

    @property
    def marker(self) -> str:
        return self.call.query.get("marker", "")

    @property
    def shown_limit(self) -> int:
        """What MaxKeys echoes."""
        asked = self.call.query.get("max-keys", "")
        return int(asked) if re.fullmatch(r"-?\d{1,9}", asked) else DEFAULT_KEYS

    @property
    def limit(self) -> int:
        return self.shown_limit if 0 <= self.shown_limit <= MAX_KEYS else MAX_KEYS


def _list(asked: _Asked) -> bytes:
    try:
        ref, path, is_inside = addressing.split_key(asked.prefix) if asked.prefix else ("", "", 0)
        if not is_inside:
            return _list_branches(asked, ref, asked.after)
        after_ref, after_path = _after(asked)
    except ValueError:
        raise Refusal("BadRequest") from None
    if after_ref and after_ref.lower() != ref.lower():
        raise Refusal("BadRequest")
    items = _items(_entries(asked, ref), path, asked.delimiter, after_path)
    return _document(asked, [(f"{ref}/{name}", blob) for name, blob in items])


def _after(asked: _Asked) -> tuple[str, str]:
    return addressing.split_key(asked.after)[:2] if asked.after else ("", "")


def _entries(asked: _Asked, ref: str) -> Entries:
    try:
        return asked.call.store.snapshot(asked.call.repository, ref)
    except store.BadRef:
        raise Refusal("BadRequest") from None
    except store.Missing:
        if asked.is_v2:
            raise Refusal("BadRequest") from None
        return {}


def _list_branches(asked: _Asked, prefix: str, after: str) -> bytes:
    """Branches as common prefixes, whatever the delimiter; never tags, never objects.

    `after` is compared with the names as it is: `dev/` stands behind `dev-a`.
    """
    with asked.call.store.lock:
        names = sorted(asked.call.repository.branches)
    found = [name for name in names if name.startswith(prefix) and name > after]
    return _document(asked, [(f"{name}/", None) for name in found], is_root=True)


def _items(entries: Entries, prefix: str, delimiter: str, after: str) -> Iterator[Item]:
    """Keys and common prefixes from `after` on in the order of their bytes, each once."""
    done = None
    for key in sorted(entries, key=raw_bytes):
        if not key.startswith(prefix) or raw_bytes(key) < raw_bytes(after):
            continue
        if done is not None and key.startswith(done):
            continue
        rest, shown = key[len(prefix) :], key
        if delimiter and delimiter in rest:
            done = shown = prefix + rest[: rest.index(delimiter) + len(delimiter)]
        if shown != after:
            yield shown, None if shown == done else entries[key]


def _document(asked: _Asked, items: list[Item], *, is_root: bool = False) -> bytes:
    shown = items[: asked.limit]
    is_cut = len(items) > len(shown)
    prefixes = [name for name, blob in shown if blob is None]
    contents = [_content(name, blob) for name, blob in shown if blob is not None]
    count = 0 if is_root and not asked.is_v2 else len(shown)
    last = shown[-1][0] if shown else ""
    return element(
        "ListBucketResult",
        element("Name", asked.call.repository.name),
        element("IsTruncated", "true" if is_cut else "false"),
        element("Prefix", asked.prefix),
        element("Delimiter", asked.delimiter) if asked.delimiter else b"",
        element("KeyCount", str(count)),
        element("MaxKeys", str(asked.shown_limit)),
        *(element("CommonPrefixes", element("Prefix", name)) for name in prefixes),
        *_marks(asked, last.removesuffix("/") if is_root else last, is_cut),
        *contents,
    )


def _marks(asked: _Asked, last: str, is_cut: bool) -> list[bytes]:
    """Where the list began and where the next one goes on; V1 only tells it with a delimiter."""
    if not asked.is_v2:
        marks = [element("Marker", asked.marker)]
        return marks + ([element("NextMarker", last)] if is_cut and asked.delimiter else [])
    marks = [element("NextContinuationToken", last)] if is_cut else []
    return marks + ([element("ContinuationToken", asked.token)] if asked.token else [])


def _content(name: str, blob: Blob) -> bytes:
    return element(
        "Contents",
        element("Key", name),
        element("LastModified", in_milliseconds(blob.modified)),
        element("ETag", f'"{blob.etag}"'),
        element("Size", str(len(blob.data))),
        element("StorageClass", "STANDARD"),
    )
