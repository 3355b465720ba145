"""A rig with stores behind it, whose clients' lists are merged from places that a test names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree

from fastpath.composed.object_lists.list_objects import list_objects
from fastpath.composed.operation import Composed, ComposedRequest
from fastpath.request.across import MergedList
from fastpath.routing.chain import Chain, Decision
from fastpath.routing.key_globs import Coverage, KeyGlobs
from fastpath.routing.rewrite import Rewrite
from tests.doubles.http1 import Answer, get, ok, read_answers, read_requests
from tests.doubles.listed_store import ListedStore
from tests.doubles.wire import Peer
from tests.unit.fastpath.composed.bench import Bench

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
SORTED = {"lists": ["sorted", "start-after", "encoding-type"]}
BUCKET = "b-b"
_GLOBAL = re.compile("GET /([^?]*)[?]([^ ]*) ")


@dataclass(frozen=True)
class Shown:
    """A place, and which keys are there; `globs`: None: all."""

    target: str
    store: ListedStore = field(default_factory=ListedStore)
    rewrite: Rewrite | None = None
    globs: tuple[str, ...] | None = None

    @property
    def decision(self) -> Decision:
        return Decision(self.target, 1, self.rewrite)

    @property
    def bucket(self) -> str:
        return ((self.rewrite or Rewrite()).bucket or BUCKET.encode()).decode()

    def shows(self, key: bytes) -> bool:
        strip_prefix = (self.rewrite or Rewrite()).strip_prefix
        matches = self.globs is None or KeyGlobs(self.globs).match(key)
        return matches and key.startswith(strip_prefix)

    def coverage(self, prefix: bytes) -> Coverage:
        return Coverage.ALL if self.globs is None else KeyGlobs(self.globs).coverage(prefix)


def merged(places: Sequence[Shown], turned: Callable[[bytes], bool] = lambda _: False) -> Any:
    """The record that admission makes; `turned`: keys whose chain has the other order."""

    def chain_of(key: bytes) -> Chain:
        found = [place.decision for place in places if place.shows(key)]
        return Chain(tuple(found[::-1] if turned(key) else found))

    return MergedList(
        [place.decision for place in places],
        takes_all=all(place.globs is None for place in places),
        chain_of=chain_of,
        coverage=lambda prefix: [place.coverage(prefix) for place in places],
    )


@dataclass
class Page:
    """What a client reads of a list."""

    names: list[str]
    fields: Mapping[str, str]
    etags: list[str]

    @property
    def is_truncated(self) -> bool:
        return self.fields["IsTruncated"] == "true"


def read_page(document: bytes) -> Page:
    root = ElementTree.fromstring(document)
    assert root.tag == f"{NAMESPACE}ListBucketResult"
    fields = {one.tag.removeprefix(NAMESPACE): one.text or "" for one in root if not len(one)}
    encoded = fields.get("EncodingType") == "url"
    names, etags = [], []
    for one in root:
        if len(one):
            name = next(leaf for leaf in one if leaf.tag[len(NAMESPACE) :] in ("Key", "Prefix"))
            names.append(unquote_plus(name.text or "") if encoded else name.text or "")
            etags.append(one.findtext(f"{NAMESPACE}ETag") or "")
    return Page(names, fields, etags)


class Merging(Bench):
    """A client of merged lists, before stores that answer by themselves.

    asked: target, bucket and query of each request that a store got.
    """

    def __init__(self, places: Sequence[Shown], record: Any = None, **options: Any) -> None:
        super().__init__(**{"overrides": SORTED, **options})
        self.places = places
        self.asked: list[tuple[str, str, str]] = []
        self.spoilt: Callable[[str, bytes], bytes | None] = lambda _, __: None
        self._answered: dict[int, int] = {}
        across = record or merged(places)

        async def run(request: ComposedRequest) -> None:
            exchange: Any = request._exchange
            exchange.admitted = replace(exchange.admitted, across=across)
            await list_objects(request)

        names = ("ListObjects", "ListObjectsV2")
        self.rig.worker.composed = dict.fromkeys(names, Composed(run, is_always=True))

    def ask(self, query: str = "list-type=2", *lines: str, play: bool = True) -> None:
        self.client.says(get(f"/{BUCKET}?{query}", *lines))
        if play:
            self.play()

    def play(self) -> None:
        """Have every store answer until none is asked."""
        while [peer for peer in self.rig.targets if self._answers(peer)]:
            pass

    def _answers(self, peer: Peer) -> bool:
        requests = read_requests(peer.heard)
        done = self._answered.get(id(peer), 0)
        if len(requests) == done or peer.ended:
            return False
        self._answered[id(peer)] = done + 1
        head = requests[done][0].decode("latin-1")
        found = _GLOBAL.match(head)
        assert found, head
        target = re.findall("(?i)\r\nhost: ([a-z]+)", head)[0]
        self.asked.append((target, found[1], found[2]))
        place = next(
            one for one in self.places if (one.target, one.bucket) == (target, found[1].strip("/"))
        )
        document = place.store.answer(found[2])
        spoilt = self.spoilt(target, document)
        peer.says(ok(document) if spoilt is None else spoilt)
        return True

    def taken(self) -> Answer:
        """The answer, which is taken."""
        (answer,) = read_answers(self.client.take(), [b"GET"], ended=self.client.ended)
        assert answer.whole
        return answer

    def page(self, query: str = "list-type=2", *lines: str) -> Page:
        self.ask(query, *lines)
        answer = self.taken()
        assert answer.status == 200, answer.body
        return read_page(answer.body)

    def told(self) -> list[tuple[str, str]]:
        """Target and message of each warning."""
        return [(line["target"], line["message"]) for line in self.rig.lines("event")]


def query_of(**values: str | int) -> str:
    """A query; names have a dash for each underscore."""
    pairs = [(name.replace("_", "-"), str(value)) for name, value in values.items()]
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
