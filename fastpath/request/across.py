"""The records of requests that one target alone cannot answer: a composed operation does.

    CopySource      a copy, whose source may be on another target than its destination
    AlongChain      a read or a delete of what several targets may have
    SplitBatch      a DeleteObjects whose keys are in several places
    MergedList      a list of objects that are on several targets
    AllBuckets      a ListBuckets, whose buckets are on several targets

Rules: a record says where the parts of the request are, by the decisions that were made for this
caller; what the parts ask of a target is checked when they are sent (`composed/calls`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from fastpath.http.head import RequestHead
from fastpath.http.query import parse_query
from fastpath.request.sources import SourceName, source_of
from fastpath.routing.chain import Chain, Decision
from fastpath.routing.key_globs import Coverage
from fastpath.s3.addressing import COPY_SOURCE


class CopySource(NamedTuple):
    """The source of a copy.

    version: that the client asks for; empty: the current one.
    chain: the places where it may be.
    headers: the client's, each once, with those that a presigner moved into the query.
    is_elsewhere: no target makes the copy by itself: its source is on another one, or the target
        would not do as S3 does.
    """

    name: SourceName
    version: bytes
    chain: Chain
    headers: Sequence[tuple[bytes, bytes]]
    is_elsewhere: bool


class AlongChain(NamedTuple):
    """The places of one object, or of a bucket."""

    chain: Chain

    @property
    def is_elsewhere(self) -> bool:
        """Whether no target can answer by itself."""
        return True


class SplitBatch(NamedTuple):
    """Where each key of a DeleteObjects is, by the client's name of the key, in their order."""

    chains: Mapping[bytes, Chain]

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
    """Where the objects are that a list shows.

    places: those of keys with the list's prefix, in the order in which reads look.
    takes_all: each place shows all that it has of them, as far as no earlier one has the key too.
    chain_of: the chain of a key, for a read of this caller.
    coverage: for the keys with a prefix, how many of them each of the places shows.
    """

    places: Sequence[Decision]
    takes_all: bool
    chain_of: Callable[[bytes], Chain]
    coverage: Callable[[bytes], Sequence[Coverage]]

    @property
    def is_elsewhere(self) -> bool:
        """Whether no target can answer by itself."""
        return True


Across: TypeAlias = CopySource | AlongChain | SplitBatch | MergedList | AllBuckets


def copy_source(head: RequestHead, chain: Chain, *, is_elsewhere: bool) -> CopySource:
    """Return the record of a copy; `head` is merged. Raises S3Error: its source cannot be read."""
    sent = head.fields[COPY_SOURCE].partition(b"?")[2]
    version = next((value for name, value in parse_query(sent) if name == b"versionId"), b"")
    source = source_of(head, COPY_SOURCE)
    headers = tuple(head.fields.items())  # lines of one name are one header
    return CopySource(source, version, chain, headers, is_elsewhere)
