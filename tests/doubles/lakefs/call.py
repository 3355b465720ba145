"""One S3 request as the operations see it, and the forms their answers share.

Rules: operations raise Refusal or Bodyless; nothing else reaches the dispatch on purpose.

Not here: the operations.
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
        return self.kind not in ("local", "mem")

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


def asks_if_absent(request: Request) -> bool:
    """If-None-Match of a write. Raises Refusal for any condition but `*`."""
    wanted = request.header("if-none-match")
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
