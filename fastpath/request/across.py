"""The records of requests that one target alone cannot answer: a composed operation does.

    CopySource      a copy, whose source may be on another target than its destination
    SplitBatch      a DeleteObjects whose keys are in several places
    AllBuckets      a ListBuckets, whose buckets are on several targets
    MergedList      a ListObjects whose keys may be in several places

Rules: a record says where the parts of the request are, by the decisions that were made for this
caller; what the parts ask of a target is checked when they are sent (`composed/calls`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from fastpath.http.head import RequestHead
from fastpath.http.query import parse_query
from fastpath.request.sources import SourceName, source_of
from fastpath.routing.chain import Chain
from fastpath.routing.key_globs import Coverage
from fastpath.routing.table import Decision
from fastpath.s3.addressing import COPY_SOURCE


class CopySource(NamedTuple):
    """The source of a copy.

    version: that the client asks for; empty: the current one.
    headers: the client's, each once, with those that a presigner moved into the query.
    is_elsewhere: no target makes the copy by itself: its source is on another one, or the target
        would not do as S3 does.
    """

    name: SourceName
    version: bytes
    decision: Decision
    headers: Sequence[tuple[bytes, bytes]]
    is_elsewhere: bool


class SplitBatch(NamedTuple):
    """Where each key of a DeleteObjects is, by the client's name of the key, in their order."""

    decisions: Mapping[bytes, Decision]

    @property
    def is_elsewhere(self) -> bool:
        """Whether no target can answer by itself."""
        return True


class AllBuckets(NamedTuple):
    """The names of the targets whose buckets a ListBuckets shows, in the order of configuration."""

    targets: Sequence[str]

    @property
    def is_elsewhere(self) -> bool:
        """Whether no target can answer by itself."""
        return True


class MergedList(NamedTuple):
    """Where the keys of a ListObjects are.

    places: that may have keys with the list's prefix, in the order in which reads look; two or
        more.
    takes_all: each of these places shows every key with the prefix, so that none is looked up.
    chain_of: the chain of a client's key, for a read of this caller.
    coverage: of each place, how many of the keys that begin with a prefix it shows.
    """

    places: Sequence[Decision]
    takes_all: bool
    chain_of: Callable[[bytes], Chain]
    coverage: Callable[[bytes], Sequence[Coverage]]

    @property
    def is_elsewhere(self) -> bool:
        """Whether no target can answer by itself."""
        return True


Across: TypeAlias = CopySource | SplitBatch | AllBuckets | MergedList


def copy_source(head: RequestHead, decision: Decision, *, is_elsewhere: bool) -> CopySource:
    """Return the record of a copy; `head` is merged. Raises S3Error: its source cannot be read."""
    sent = head.fields[COPY_SOURCE].partition(b"?")[2]
    version = next((value for name, value in parse_query(sent) if name == b"versionId"), b"")
    source = source_of(head, COPY_SOURCE)
    headers = tuple(head.fields.items())  # lines of one name are one header
    return CopySource(source, version, decision, headers, is_elsewhere)
