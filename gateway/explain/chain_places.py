"""Says what becomes of a request at each place of a chain.

    read       looked at in order, until one has the object
    delete     deleted in reverse order
    write      written to one candidate; removed at those before it; what is behind stays
    upload     as a write, once it is complete
    change     looked for in order; it goes where the object is
    primary    the first place alone
    list       merged from all

Rules: how a request is treated is read off the worker's own record of it; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from fastpath.request.across import AlongChain, MergedList, SplitBatch
from fastpath.request.admitted import Admitted
from fastpath.request.chains import Placed, Why, places_before
from fastpath.routing.chain import FAILURES, Chain, Decision
from fastpath.routing.rules import CREATING

_BEGIN = "CreateMultipartUpload"


class Treatment(Enum):
    """How a request is treated whose object may be in several places."""

    READ = 0
    DELETE = 1
    WRITE = 2
    UPLOAD = 3
    CHANGE = 4
    PRIMARY = 5
    LIST = 6
    REFUSED = 7

    @property
    def is_everywhere(self) -> bool:
        """Whether the request may come to each of the places."""
        return self in (Treatment.READ, Treatment.DELETE, Treatment.CHANGE, Treatment.LIST)


@dataclass(frozen=True, slots=True)
class Admission:
    """The worker's record of a request, and why it looks for its object first; None: it does not.

    admitted: None: the gateway answers, or the request is refused.
    """

    admitted: Admitted | None = None
    why: Why | None = None

    @property
    def treatment(self) -> Treatment:
        """How the request is treated."""
        if self.admitted is None:
            return Treatment.REFUSED
        across, operation = self.admitted.across, self.admitted.operation
        if self.why is Why.TO_CHANGE:
            return Treatment.CHANGE
        if isinstance(across, MergedList):
            return Treatment.LIST
        if isinstance(across, SplitBatch) or operation.name == "DeleteObject":
            return Treatment.DELETE
        if isinstance(across, AlongChain):
            return Treatment.READ
        if operation.name == _BEGIN:
            return Treatment.UPLOAD
        return Treatment.WRITE if operation.name in CREATING else Treatment.PRIMARY


@dataclass(frozen=True, slots=True)
class ChainPlace:
    """One place of a chain.

    role: `candidate` or `fallback`; empty for a list of keys that have several chains.
    names: bucket and key as the target has them.
    what: becomes of the request there; empty if it is refused.
    """

    decision: Decision
    role: str
    names: tuple[str, str]
    what: str = ""


def roles(chain: Chain) -> list[str]:
    """Returns the role of each place."""
    count = chain.candidates
    return ["candidate" if index < count else "fallback" for index in range(len(chain.places))]


def moves_on(chain: Chain) -> list[str]:
    """Returns what moves a read on, in the words of `fallback_on`."""
    return ["404", *(word for word in FAILURES if word in chain.passes)]


def what_becomes(treatment: Treatment, placed: Placed) -> list[str]:
    """Returns what becomes of a request at each place."""
    chain = placed.chain
    after = f"then here, after {' or '.join(moves_on(chain))}"
    rest = len(chain.places) - 1
    match treatment:
        case Treatment.READ:
            return ["a read looks here first", *[after] * rest]
        case Treatment.CHANGE:
            return ["the object is looked for here first", *[after] * rest]
        case Treatment.DELETE:
            return [*["then here"] * rest, "the key is deleted here first"]
        case Treatment.PRIMARY:
            return ["the request goes here alone", *["is not asked"] * rest]
        case Treatment.WRITE:
            return list(_of_write(placed, "written here", "before the write is acknowledged"))
        case Treatment.UPLOAD:
            return list(_of_write(placed, "the upload is here", "when the upload is completed"))
        case Treatment.LIST | Treatment.REFUSED:
            return [""] * len(chain.places)


def _of_write(placed: Placed, own: str, when: str) -> Iterator[str]:
    chain, decision = placed
    before = places_before(placed)
    for place in chain.places:
        if place.is_same_place(decision):
            yield own
        elif place in before:
            yield f"an object of this key is removed here {when}"
        else:
            yield "an object of this key stays here, and no read finds it"


def remarks_about(treatment: Treatment, why: Why | None, *, is_along: bool) -> Iterator[str]:
    """Yields what is to say of a request, besides its places."""
    if why is Why.TO_CHANGE:
        yield "it goes where a read finds the object"
    if why is Why.TO_COMPARE:
        yield "its condition is about the object that a read finds; here as if none did"
    if why is Why.TO_MEASURE:
        yield (
            "size and type are those of the source, which is looked at first; here --size and "
            "--content-type say them"
        )
    if treatment is Treatment.LIST:
        yield (
            "each of these lists its own keys, and the client gets one list: of each key what a "
            "read would find"
        )
    if treatment is Treatment.PRIMARY and is_along:
        yield "a version, or what is about the bucket, concerns the first place alone"
