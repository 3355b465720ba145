"""Merged lists of random stores, read page by page, are what a dictionary of their keys lists.

random places, keys, styles of documents -> the gateway's pages, each gone on from as a client
does -> the names of the dictionary, each once, in order, with the row of the right place
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from fastpath.renaming.object_pages import _cut_page, _read_page
from fastpath.routing.rewrite import Rewrite
from tests.doubles.listed_store import ListedStore, Style
from tests.unit.fastpath.composed.merging import Merging, Page, Shown, merged, query_of

REWRITES = (
    None,
    Rewrite(b"other"),
    Rewrite(b"part", b"main/"),
    Rewrite(b"stripped", b"", b"a/"),
    Rewrite(b"moved", b"m~/", b"ab/"),
)
GLOBS = (None, None, ("a*",), ("*b*",), ("a/*", "b"), ("?/é*",), ("b/*",))
ANY = "ab/-+ %&<>\"'é\0\x01\n\r~*\ufffe\U0001f600="
OF_XML = "ab/-+ %&<>\"'é\n\r~*\U0001f600="
styles = st.builds(
    Style,
    encodes=st.booleans(),
    quotes=st.sampled_from(["plus", "all", "path"]),
    between=st.sampled_from(["", "", "\n  ", "<!-- -->"]),
    prefix=st.sampled_from(["", "", "s3:"]),
    key_last=st.sampled_from([False, False, True]),
    counts=st.sampled_from([True, True, False]),
    page=st.sampled_from([1, 2, 3, 1000]),
    repeats=st.booleans(),
)


def keys(signs: str) -> st.SearchStrategy[list[str]]:
    plain = st.text(st.sampled_from("ab/"), min_size=1, max_size=5)
    odd = st.text(st.sampled_from(signs), min_size=1, max_size=5)
    return st.lists(plain | odd, max_size=12, unique=True)


@dataclass(frozen=True)
class Case:
    """Places, and what a client wants listed of them."""

    places: list[Shown]
    turned: bool  # keys with a `b` are looked for in the other order
    is_v2: bool
    prefix: str
    delimiter: str
    after: str
    size: int
    encoded: bool

    def in_other_order(self, key: bytes) -> bool:
        return self.turned and b"b" in key

    @property
    def objects(self) -> dict[str, str]:
        """What a read of each key would find."""
        found: dict[str, str] = {}
        for place in self.places:
            rewrite = place.rewrite or Rewrite()
            for key, tag in place.store.objects.items():
                if not key.encode().startswith(rewrite.key_prefix):
                    continue
                name = rewrite.key_down(key.encode())
                if name and place.shows(name):
                    later = not self.in_other_order(name)
                    if not (later and name.decode() in found):
                        found[name.decode()] = tag
        return found

    def names(self, after: str) -> list[str]:
        prefix, delimiter, names = self.prefix, self.delimiter, set()
        for key in self.objects:
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            if key.startswith(prefix):
                names.add(key if at < 0 else key[: at + len(delimiter)])
        return sorted((one for one in names if one.encode() > after.encode()), key=str.encode)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rewrites = draw(st.lists(st.sampled_from(REWRITES), min_size=2, max_size=3, unique=True))
    names, places = draw(keys(OF_XML)), []
    for number, rewrite in enumerate(rewrites):
        style = draw(styles)
        own = draw(keys(ANY if style.encodes else OF_XML))
        shared = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
        up = (rewrite or Rewrite()).key_prefix.decode()
        stored = draw(st.lists(st.sampled_from([up, up, ""]), min_size=1, max_size=1))[0]
        objects = {
            f"{stored}{key}": f"{number}-{at}"
            for at, key in enumerate(dict.fromkeys([*own, *shared]))
        }
        target = draw(st.sampled_from(["first", "generic"]))
        places.append(
            Shown(target, ListedStore(objects, style), rewrite, draw(st.sampled_from(GLOBS)))
        )
    known = sorted({*names, "a", "a/b", "ab", "é", "ab/"})
    beginnings = [key[:end] for key in known for end in range(len(key) + 1)]
    return Case(
        places,
        turned=draw(st.booleans()),
        is_v2=draw(st.booleans()),
        prefix=draw(st.sampled_from(["", "", *beginnings])),
        delimiter=draw(st.sampled_from(["", "/", "/", "b/", "é", "ab", "/a", "b"])),
        after=draw(st.sampled_from(["", "", *beginnings])),
        size=draw(st.sampled_from([1, 2, 3, 7, 1000, 2000])),
        encoded=draw(st.booleans()),
    )


def shown(text: str) -> str:
    """A name as XML can hold it."""
    return "".join("\ufffd" if sign in "\0\x01\ufffe" else sign for sign in text)


@given(cases())
def test_pages_are_those_of_one_store(case: Case) -> None:
    record = merged(case.places, case.in_other_order)
    if case.turned:  # whoever says that no key need be looked up says that the order is one
        record = record._replace(takes_all=False)
    merging = Merging(case.places, record)
    objects, size = case.objects, min(case.size, 1000)
    after, seen = case.after, 0
    asked: dict[str, str | int] = {"max_keys": case.size, "prefix": case.prefix}
    if case.delimiter:
        asked["delimiter"] = case.delimiter
    if case.encoded:
        asked["encoding_type"] = "url"
    where = {"start_after" if case.is_v2 else "marker": after} if after else {}
    while True:
        kind: dict[str, str | int] = {"list_type": 2} if case.is_v2 else {}
        page = merging.page(query_of(**kind, **asked, **where))
        expected = case.names(after)
        names = expected[:size]
        read = names if case.encoded else [shown(one) for one in names]
        keys_first = sorted(read, key=lambda one: (is_group(case, one), names_at(read, one)))
        assert page.names == keys_first
        assert page.is_truncated == (len(expected) > size)
        tags = [f'"{objects[one]}"' for one in names if not is_group(case, one)]
        assert [tag for tag in page.etags if tag] == tags
        check_fields(case, page, len(names))
        seen += 1
        if not page.is_truncated:
            break
        after = names[-1]
        if case.is_v2:
            where = {"continuation_token": page.fields["NextContinuationToken"]}
        else:
            where = {"marker": after}
    assert not merging.rig.defects
    assert merging.is_at_rest


def names_at(names: list[str], one: str) -> int:
    return names.index(one)


def is_group(case: Case, name: str) -> bool:
    return bool(case.delimiter) and name.find(case.delimiter, len(case.prefix)) >= 0


def check_fields(case: Case, page: Page, count: int) -> None:
    fields = page.fields
    assert fields["MaxKeys"] == str(min(case.size, 1000))
    assert fields.get("KeyCount") == (str(count) if case.is_v2 else None)
    assert ("NextMarker" in fields) == (
        page.is_truncated and bool(case.delimiter) and not case.is_v2
    )


@given(st.lists(st.text(st.sampled_from(OF_XML), min_size=1, max_size=5), max_size=9), styles)
def test_cut_pages_are_pages_that_were_read(names: list[str], style: Style) -> None:
    store = ListedStore(dict.fromkeys(names, "tag"), style)
    for query in ("list-type=2&encoding-type=url&delimiter=b", "list-type=2&max-keys=3"):
        document = store.answer(query)
        cut, read = _cut_page(document), _read_page(document)
        if cut is not None:
            assert cut.keys == read.keys
            assert replace_all(cut) == replace_all(read)


def replace_all(page: object) -> object:
    return page._replace(texts=[], rows=[], is_plain=False)  # type: ignore[attr-defined]
