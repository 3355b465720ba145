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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from fastpath.request.across import AlongChain, MergedList, SplitBatch
from fastpath.request.admitted import Admitted
from fastpath.request.chains import Placed, Why
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


def what_becomes(treatment: Treatment, placed: Placed, hides: Sequence[Decision]) -> list[str]:
    """Returns what becomes of a request at each place. `hides`: where a write removes its key."""
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
            return list(
                _of_write(placed, hides, "written here", "before the write is acknowledged")
            )
        case Treatment.UPLOAD:
            before = chain.before(placed.decision) if chain.candidates > 1 else ()
            return list(_of_write(placed, before, "the upload is here", "when it is completed"))
        case Treatment.LIST | Treatment.REFUSED:
            return [""] * len(chain.places)


def _of_write(placed: Placed, hides: Sequence[Decision], own: str, when: str) -> Iterator[str]:
    for place in placed.chain.places:
        if place.is_same_place(placed.decision):
            yield own
        elif any(place.is_same_place(other) for other in hides):
            yield f"the key is removed here {when}"
        else:
            yield "what is here stays, and no read finds it"


def remarks_about(treatment: Treatment, why: Why | None, *, is_along: bool) -> Iterator[str]:
    """Yields what is to say of a request, besides its places."""
    if why is Why.TO_CHANGE:
        yield "the request goes to the place where the object is found"
    if why is Why.TO_JUDGE:
        yield (
            "its condition is about the object that reads see, which is looked for along the chain "
            "before the request goes up"
        )
    if why is Why.TO_MEASURE:
        yield (
            "size and type of a copy are those of its source, which is asked for them first; here "
            "--size and --content-type say them"
        )
    if treatment is Treatment.LIST:
        yield (
            "one list is merged from these places; a key is in it where a read of that key would "
            "find it"
        )
    if treatment is Treatment.PRIMARY and is_along:
        yield "a version, or what is about the bucket, concerns the first place alone"
