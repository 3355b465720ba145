"""One S3 request as the operations see it, and the forms their answers share.

Rules: operations raise Refusal or Bodyless; nothing else reaches the dispatch on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from tests.doubles.lakefs import addressing, store
from tests.doubles.lakefs.bodies import Reader
from tests.doubles.lakefs.errors import ReadFault, Refusal
from tests.doubles.lakefs.store import Repository, Store
from tests.doubles.lakefs.wire import Answer, Request
from tests.doubles.lakefs.xml import DECLARATION

Operation = Callable[["Call"], Answer]


@dataclass(frozen=True, slots=True)
class BlockStore:
    """What lakeFS keeps data in: it decides some of the answers."""

    kind: str

    @property
    def lists_parts(self) -> bool:
        return self.kind in ("s3", "gs", "mem")

    @property
    def lists_uploads(self) -> bool:
        return self.kind in ("s3", "mem")

    @property
    def checks_parts(self) -> bool:
        """Numbers, ETags and sizes of parts, and the document that lists them."""
        return self.kind not in ("local", "mem")

    @property
    def counts_parts(self) -> bool:
        """Whether the ETag that Complete answers ends in the number of parts."""
        return self.kind != "mem"

    @property
    def dies_of_panics(self) -> bool:
        """Whether bodies are read where Go's server does not recover from a panic."""
        return self.kind == "s3"

    @property
    def presigns(self) -> bool:
        return self.kind not in ("local", "mem")


@dataclass(frozen=True, slots=True)
class Call:
    """A request to an operation of an existing repository (of "" for ListBuckets)."""

    request: Request
    store: Store
    blocks: BlockStore
    repository: Repository
    ref: str
    key: str
    read: Reader
    region: str

    @property
    def location(self) -> str:
        """Where a Complete says that the object is: at the Host that it was asked under."""
        return f"http://{self.request.header('host')}{self.request.path}"

    @property
    def query(self) -> dict[str, str]:
        return self.request.query

    def body(self) -> bytes:
        """The body. Raises Refusal InternalError if it cannot be read or is not what was signed."""
        try:
            return self.read()
        except ReadFault:
            raise Refusal("InternalError") from None

    def xml(self, document: bytes) -> Answer:
        """A document, with the type that the Accept header chooses."""
        return Answer(200, DECLARATION + document, {"Content-Type": xml_type(self.request)})

    def is_asked_for(self, names: str) -> bool:
        """Whether the query has one of these sub-resources."""
        return any(name in self.query for name in names.split())


def xml_type(request: Request) -> str:
    if not request.has_header("accept"):
        return "application/xml"
    accepted = request.header("accept")
    for kind in ("application/xml", "text/xml"):
        if kind in accepted:
            return kind
    return "text/xml; charset=utf-8"


def refuse_unsupported(call: Call, names: str) -> None:
    if call.is_asked_for(names):
        raise Refusal("ERRLakeFSNotSupported")


def check_names(call: Call) -> None:
    """The form of branch and key, before a write. Raises Refusal InternalError."""
    if not (addressing.is_branch_name(call.ref) and addressing.is_key(call.key)):
        raise Refusal("InternalError")


def check_branch(call: Call) -> None:
    """Whether the branch is there, first of all in a PUT. Raises Refusal."""
    if not addressing.is_branch_name(call.ref):
        raise Refusal("InternalError")
    with refusals(), call.store.lock:
        call.repository.branch(call.ref)


def asks_if_absent(call: Call) -> bool:
    """If-None-Match of a write: whether the object must be absent.

    Raises Refusal: PreconditionFailed for `*` if it is there, whatever the other conditions;
    NotImplemented for any other condition.
    """
    request = call.request
    wanted = request.header("if-none-match")
    if wanted == "*":
        with call.store.lock:
            branch = call.repository.branches.get(call.ref)
            if branch and call.key in branch.entries:
                raise Refusal("PreconditionFailed")
    if request.header("if-match") or wanted not in ("", "*"):
        raise Refusal("NotImplemented")
    return wanted == "*"


@contextmanager
def refusals() -> Iterator[None]:
    """What a write to the store runs into, as an error of S3."""
    try:
        yield
    except store.Missing:
        raise Refusal("NoSuchBucket") from None
    except store.Protected:
        raise Refusal("ErrWriteToProtectedBranch") from None
    except store.Exists:
        raise Refusal("PreconditionFailed") from None


def in_milliseconds(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
