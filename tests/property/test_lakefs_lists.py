"""Lists of the lakeFS double, read page by page through the translation, are those of S3.

    random branches and keys -> S3's list of them, cut into pages
                             -> the double's pages, translated, each gone on from as a client does

Rules: L2, L3, L17, L19: each key and common prefix once and in order, on the page where S3 has it,
whatever the size of the pages; a name that XML cannot hold is shown with U+FFFD. Where lakeFS
differs on purpose, so does the model: a prefix without a slash lists branches, by their names.
"""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree

from hypothesis import example, given
from hypothesis import strategies as st

from fastpath.dialects.lakefs.list_answers import ListAnswer, empty_list
from fastpath.dialects.lakefs.list_requests import Listing, read_listing
from fastpath.http.query import parse_query
from tests.doubles.lakefs import listing
from tests.doubles.lakefs.bodies import reader
from tests.doubles.lakefs.call import BlockStore, Call
from tests.doubles.lakefs.errors import Refusal
from tests.doubles.lakefs.store import Blob, Store
from tests.doubles.lakefs.wire import Body, Request

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
INEXACT = re.compile("[\n\ufffd]")
NOT_OF_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
BLOB = Blob(b"x", "text/plain", {}, "etag")

branches = st.lists(
    st.sampled_from(["dev", "dev-a", "dev-a-b", "dev0", "dev_", "d", "main", "Main", "z"]),
    min_size=1,
    max_size=5,
    unique=True,
)
signs = st.sampled_from("ab/-~ +&é\0\x01\x1f\n\r\t\ufffd\ufffe\U0001f600")
names = st.text(signs, max_size=5) | st.text(st.sampled_from("a/\x01\ufffe"), max_size=4)
paths = st.lists(names.filter(bool), max_size=9, unique=True)


@dataclass(frozen=True)
class Tree:
    branches: list[str]
    paths: list[str]  # of each branch

    @property
    def keys(self) -> list[str]:
        return [f"{branch}/{path}" for branch in self.branches for path in self.paths]


trees = st.builds(Tree, branches, paths)


@dataclass(frozen=True)
class ClientRequest:
    """What a client wants listed, and how it goes about it."""

    is_v2: bool
    prefix: str
    delimiter: str
    after: str
    size: int
    encoded: bool


@st.composite
def lists(draw: st.DrawFn) -> tuple[Tree, ClientRequest]:
    tree = draw(trees)
    starts = [branch[:end] for branch in tree.branches for end in range(len(branch) + 1)]
    starts += [f"{branch}/" for branch in tree.branches] * 3
    starts += [key[:end] for key in tree.keys for end in range(len(key) + 1)]
    somewhere = st.one_of(
        st.just(""), st.sampled_from(starts), st.builds(str.__add__, st.sampled_from(starts), names)
    ).filter(lambda name: not INEXACT.search(name))
    delimiters = st.sampled_from(["", "/", "/", "a", "b/", "//", "\x01", "\n"])
    return tree, ClientRequest(
        draw(st.booleans()),
        draw(somewhere.filter(lambda name: not name.startswith("/"))),
        draw(delimiters),
        draw(somewhere),
        draw(st.integers(1, 4)),
        draw(st.booleans()),
    )


# S3


def expected(tree: Tree, asked: ClientRequest) -> list[tuple[str, bool]]:
    """Names in order, and whether they are common prefixes."""
    if "/" not in asked.prefix:
        name, slash, _ = asked.after.partition("/")
        found = [one for one in sorted(tree.branches) if one.startswith(asked.prefix)]
        return [(f"{one}/", True) for one in found if one > name or (one == name and not slash)]
    rows = []
    for key in sorted(tree.keys):
        if key.startswith(asked.prefix) and key > asked.after:
            end = key.find(asked.delimiter, len(asked.prefix)) if asked.delimiter else -1
            row = (key[: end + len(asked.delimiter)], True) if end >= 0 else (key, False)
            if row not in rows and row != (asked.after, True):
                rows.append(row)
    return rows


def as_shown(name: str) -> str:
    return NOT_OF_XML.sub("\ufffd", name)


# The gateway


@dataclass(frozen=True)
class Page:
    prefixes: list[str]
    keys: list[str]
    next: str  # how it goes on, as a client would ask; empty at the end


def pages(tree: Tree, asked: ClientRequest) -> Iterator[Page]:
    store = Store()
    repository = store.add_repository("repo", tree.branches[0], read_only=False)
    for branch in tree.branches:
        if branch != tree.branches[0]:
            repository.add_branch(branch, tree.branches[0])
        repository.branches[branch].entries.update(dict.fromkeys(tree.paths, BLOB))
    begin = f"&{'start-after' if asked.is_v2 else 'marker'}={quote(asked.after)}"
    begin = begin if asked.after else ""
    while True:
        query = f"prefix={quote(asked.prefix)}&max-keys={asked.size}{begin}"
        query += f"&delimiter={quote(asked.delimiter)}&list-type={2 if asked.is_v2 else 1}"
        query += "&encoding-type=url" if asked.encoded else ""
        ours = read_listing(parse_query(query.encode()), b"repo", is_v2=asked.is_v2)
        page = read_page(answer(store, ours), asked)
        yield page
        if not page.next:
            return
        begin = page.next


def answer(store: Store, ours: Listing) -> bytes:
    stream = io.BytesIO()
    with socket.socket() as unconnected:
        request = Request("GET", b"/repo?" + ours.query, [], Body(stream, unconnected, 0))
        repository = store.repositories["repo"]
        read = reader(request, None)
        call = Call(request, store, BlockStore("s3"), repository, "", "", read, "us-east-1")
        try:
            document = listing.get_bucket(call).body
        except Refusal:  # of a ref that is not there
            return empty_list(ours)
    translated = ListAnswer(ours)
    return translated.feed(document) + translated.finish()


def read_page(document: bytes, asked: ClientRequest) -> Page:
    tree = ElementTree.fromstring(document)

    def texts(path: str) -> list[str]:
        found = [
            one.text or "" for one in tree.findall(NAMESPACE + path.replace("/", f"/{NAMESPACE}"))
        ]
        return [unquote_plus(one) for one in found] if asked.encoded else found

    prefixes, keys = texts("CommonPrefixes/Prefix"), texts("Contents/Key")
    if asked.is_v2:
        assert texts("KeyCount") == [str(len(prefixes) + len(keys))]
    if texts("IsTruncated") == ["false"]:
        return Page(prefixes, keys, "")
    if asked.is_v2:
        (token,) = texts("NextContinuationToken")
        return Page(prefixes, keys, f"&continuation-token={quote(token)}")
    marker = (texts("NextMarker") or [keys[-1]])[0]
    return Page(prefixes, keys, f"&marker={quote(marker)}")


def tree_of(*paths: str) -> Tree:
    return Tree(["main"], list(paths))


@example((tree_of("dir/", "dir/a"), ClientRequest(True, "main/dir/", "", "main/dir/", 1, False)))
@example((tree_of("dir/", "dir/a"), ClientRequest(False, "main/dir/", "", "main/dir/", 1, False)))
@example((Tree(["dev", "dev-a", "main"], []), ClientRequest(False, "", "/", "", 1, False)))
@example((tree_of("b/1", "b/2", "c"), ClientRequest(True, "main/", "/", "main/b/2", 1, False)))
@example((tree_of("b/1", "b/1\0", "c"), ClientRequest(True, "main/", "/", "main/b/1", 1, False)))
@example(
    (
        tree_of("a\x01", "a\x02", "b", "a\x01/", "b/"),
        ClientRequest(False, "main/", "/", "", 1, True),
    )
)
@example((tree_of("b/1", "c\x01", "d"), ClientRequest(True, "main/", "/", "", 2, False)))
@example((tree_of("b\x01/1", "c", "c\x01", "e/1"), ClientRequest(True, "main/", "/", "", 3, False)))
@example((Tree(["dev", "dev-a"], []), ClientRequest(False, "dev-", "", "dev/", 1, False)))
@given(lists())
def test_every_page_is_that_of_s3(case: tuple[Tree, ClientRequest]) -> None:
    tree, asked = case
    wanted = expected(tree, asked)
    shown = []
    for number, page in enumerate(pages(tree, asked)):
        rows = wanted[number * asked.size : (number + 1) * asked.size]
        assert page.prefixes == [as_shown(name) for name, is_prefix in rows if is_prefix]
        assert page.keys == [as_shown(name) for name, is_prefix in rows if not is_prefix]
        shown.append(page)
        assert len(shown) <= len(wanted) // asked.size + 1
    assert sum(len(page.prefixes) + len(page.keys) for page in shown) == len(wanted)
