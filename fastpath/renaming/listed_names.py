"""Carries a client's list of objects to a place that renames keys, and the place's pages back.

    strip_prefix old/, key_prefix main/      client's prefix   asked for
                                             old/a             prefix main/a
                                             o                 prefix main/: all that the place has
                                             new/              nothing

Rules: every key of the place has one name, and names are in the order of the keys, because all of
them begin alike on both sides; a common prefix is the one of the client's names: where its
delimiter may begin in `strip_prefix`, the target is asked for keys and they are grouped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import lt
from typing import NamedTuple

from fastpath.renaming.addresses import upstream_prefix
from fastpath.renaming.object_pages import ObjectPage
from fastpath.renaming.queries import after_all
from fastpath.renaming.texts import of_another_list, outside_prefix
from fastpath.routing.rewrite import Rewrite
from fastpath.s3.addressing import MAX_KEY_BYTES
from fastpath.s3.xml_writer import escaped, url_encoded

_LINE_BREAK = 10
# What an escape consists of comes before it: the sign of all of them, and that of a space.
_ORDER_OF_ESCAPES = b"%+ "
_FEW_SIGNS = 16
_HIGHEST = ("\U0010ffff" * 8).encode()
# What stands in a text as it is, encoded or not: AWS encodes the tilde.
_SAFE = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./*"


class NamedPage(NamedTuple):
    """A page by the client's names, in their order.

    rows: of each key, with its text as the client gets it at the beginning.
    last: the last name of the page; empty: it has none.
    """

    keys: list[bytes]
    rows: list[bytes]
    prefixes: list[bytes]
    last: bytes


class OutOfOrder(Exception):
    """A target's page is not in the order of bytes, or not behind the page before it."""


class ListedNames:
    """The names of one list at one place.

    is_empty: no key of the place begins with the client's prefix.
    prefix, delimiter: what the target is asked for.
    groups: whether keys are to be grouped here, because the target gets no delimiter.
    """

    def __init__(self, rewrite: Rewrite, prefix: bytes, delimiter: bytes, *, encoded: bool) -> None:
        """`encoded`: the client gets names URL-encoded. Raises S3Error: the prefix has no name."""
        self._rewrite = rewrite
        self._client_prefix = prefix
        self._client_delimiter = delimiter
        self._encoded = encoded
        strip_prefix = rewrite.strip_prefix
        self.is_empty = False
        self.groups = False
        self.prefix = rewrite.key_prefix
        if prefix.startswith(strip_prefix):
            self.prefix = upstream_prefix(prefix, rewrite)
        elif strip_prefix.startswith(prefix):
            self.groups = bool(delimiter) and _may_begin_in(strip_prefix[len(prefix) :], delimiter)
        else:
            self.is_empty = True
        self.delimiter = b"" if self.groups else delimiter

    @property
    def is_one_group(self) -> bool:
        """Whether all keys of the place are in one common prefix."""
        return self.groups and bool(self.group_of(self._rewrite.strip_prefix))

    def start(self, name: bytes) -> bytes:
        """Return the target's name after which the client's names after `name` come; empty: all.

        It may be one before that: names up to `name` are to be left out all the same.
        """
        strip_prefix = self._rewrite.strip_prefix
        if not name or name < self._client_prefix:
            return b""
        if name.startswith(strip_prefix):
            return _cut(self._rewrite.key_up(name))
        return b"" if name < strip_prefix else after_all(self._rewrite.key_prefix)

    def behind(self, beginning: bytes) -> bytes | None:
        """Return a name of the target behind its keys whose client's names begin so.

        It is before all others; those of a key that goes on with as many of the highest characters
        are behind it, too. None: the place has no other keys.
        """
        if self._rewrite.strip_prefix.startswith(beginning):
            return None
        return _cut(self._rewrite.key_up(beginning) + _HIGHEST)

    def group_of(self, key: bytes) -> bytes:
        """Return the common prefix that a client's key is in; empty: none."""
        at = key.find(self._client_delimiter, len(self._client_prefix))
        return key[: at + len(self._client_delimiter)] if at >= 0 else b""

    def page(self, page: ObjectPage, after: bytes) -> NamedPage:
        """Return a page by the client's names; `after`: the last name of the page before it.

        Raises OutOfOrder, and S3Error for a key that is not the client's.
        """
        rewrite = self._rewrite
        if rewrite.is_part:
            keys, prefixes = self._down(page.keys), self._down(page.prefixes)
        else:
            keys, prefixes = page.keys, page.prefixes
        self._check_prefix(page)
        _check_order(keys, after)
        _check_order(prefixes, after)
        last = max(keys[-1:] + prefixes[-1:], default=b"")
        return NamedPage(keys, self._rows(page, keys), prefixes, last)

    def _check_prefix(self, page: ObjectPage) -> None:
        """Refuse a page of another list. Raises S3Error.

        Of names in order, the first and the last tell of all.
        """
        for names in (page.keys, page.prefixes):
            if not all(name.startswith(self.prefix) for name in (*names[:1], *names[-1:])):
                raise of_another_list()

    def _down(self, names: list[bytes]) -> list[bytes]:
        key_prefix, strip_prefix = self._rewrite.key_prefix, self._rewrite.strip_prefix
        if not all(name.startswith(key_prefix) for name in names):
            raise outside_prefix()
        size = len(key_prefix)
        return [strip_prefix + name[size:] for name in names]

    def _rows(self, page: ObjectPage, keys: list[bytes]) -> list[bytes]:
        """Return the rows with the texts that the client gets."""
        if page.is_plain or self._encoded == page.encoded:
            joined = b"" if self._encoded == page.encoded else b"".join(page.texts)
            if not joined.translate(None, _SAFE):
                return self._rows_of_texts(page)
        texts = self._all_written(keys)
        return [
            text + row[len(old) :]
            for text, old, row in zip(texts, page.texts, page.rows, strict=True)
        ]

    def _rows_of_texts(self, page: ObjectPage) -> list[bytes]:
        """Return the rows with other prefixes, of texts as the client gets them."""
        if self._rewrite.key_prefix == self._rewrite.strip_prefix:
            return page.rows
        key_prefix = self._written(self._rewrite.key_prefix)
        strip_prefix = self._written(self._rewrite.strip_prefix)
        size = len(key_prefix)
        return [
            strip_prefix + row[size:]
            if row.startswith(key_prefix)
            else self._written(self._rewrite.key_down(key)) + row[len(text) :]
            for key, text, row in zip(page.keys, page.texts, page.rows, strict=True)
        ]

    def _all_written(self, keys: list[bytes]) -> list[bytes]:
        """Return names as the client gets them, many at once if possible."""
        joined = b"\n".join(keys)
        if not self._encoded:
            joined = self._written(joined)
        elif len(unsafe := set(joined.translate(None, _SAFE)) - {_LINE_BREAK}) <= _FEW_SIGNS:
            for sign in sorted(unsafe, key=lambda sign: _ORDER_OF_ESCAPES.find(sign) % 4):
                name = bytes((sign,))
                joined = joined.replace(name, self._written(name))
        else:
            return [self._written(key) for key in keys]
        texts = joined.split(b"\n")
        if len(texts) != len(keys):  # a key has a line break
            return [self._written(key) for key in keys]
        return texts

    def _written(self, key: bytes) -> bytes:
        """Return a name as the client gets it."""
        if self._encoded:
            return url_encoded(key).encode()
        return escaped(key.decode("utf-8", "replace")).encode()


def _may_begin_in(text: bytes, delimiter: bytes) -> bool:
    """Whether a delimiter begins in a text, perhaps to end behind it."""
    if delimiter in text:
        return True
    most = min(len(text), len(delimiter) - 1)
    return any(text.endswith(delimiter[:size]) for size in range(1, most + 1))


def _cut(name: bytes) -> bytes:
    """Return a name that stores take as a start: no key is longer, and it may be one before."""
    if len(name) <= MAX_KEY_BYTES:
        return name
    return name[:MAX_KEY_BYTES].decode("utf-8", "ignore").encode()


def _check_order(names: Sequence[bytes], after: bytes) -> None:
    if names and not (names[0] > after and all(map(lt, names, names[1:]))):
        raise OutOfOrder
