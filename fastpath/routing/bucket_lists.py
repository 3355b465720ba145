"""Says which targets' buckets a ListBuckets shows, so that each is one that a read would find.

    rules           the targets of rules that may take a read, and the default target
    custom router   every target, as it may name any of them
    custom_reads    the first of those: every read goes there

Rules: worked out once for a snapshot; a target that only uploads may still be at is not shown, nor
one of rules that take no reads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fastpath.routing.custom_routing import CustomRouting
from fastpath.routing.table import RoutingTable


@dataclass(frozen=True, slots=True)
class BucketLists:
    """How a ListBuckets is answered from more than what one target lists.

    targets: by name, in the order of the configuration, the identities whose reads may go there;
        None: everybody's.
    refuses: a list that would lack the buckets of a target is refused.
    """

    targets: Mapping[str, frozenset[str] | None]
    refuses: bool

    def shown_to(self, identity: str) -> list[str]:
        """Return the targets whose buckets an identity may find."""
        return [name for name, who in self.targets.items() if who is None or identity in who]


def bucket_lists(
    table: RoutingTable, custom: CustomRouting | None, targets: Collection[str], *, refuses: bool
) -> BucketLists | None:
    """Return how a ListBuckets is answered; None: as the default target answers it."""
    default = table.default.target
    found: Mapping[str, frozenset[str] | None]
    if custom is None:
        reading = table.reading_targets()
        found = {name: reading[name] for name in targets if name in reading}
        is_plain = not table.renames_buckets
    elif custom.reads:
        found, is_plain = {custom.reads[0]: None}, True
    else:
        found, is_plain = dict.fromkeys(targets), False
    if is_plain and list(found) == [default]:
        return None
    return BucketLists(found, refuses)
