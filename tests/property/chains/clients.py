"""What clients do with a chain: each piece of work as its requests, and the events it tells.

A piece of work is a generator. It yields requests and gets their answers (None: the connection
broke); what it tells of the keys it is about goes into the events.

Rules: each new object has a size of its own, by which every answer that shows an object can be
recognised: a part of it, a row of a list, a HEAD; a copy is known by its ETag. An answer that S3
would not give in such a case is a fault, but for a 5xx after something went wrong.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.doubles.http1 import Answer
from tests.property.chains.history import Event, State
from tests.property.chains.stores import BUCKET

KEYS = ("main/a", "main/a/b", "main/a-b", "main/é ü")
LARGE = 3000  # the least size of what counts as large
TYPES = ("text/plain", "image/png")
FOREVER = 1 << 30  # a step that is never played
# What S3 has and a chain, or lakeFS, has not: no more than this may be answered by 501.
MAY_LACK = ("If-Match", "If-None-Match", "Tagging")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a client."""

    method: str
    target: str
    body: bytes = b""
    fields: tuple[tuple[str, str], ...] = ()

    def wire(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", "host: gateway.test"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        if self.body or self.method in ("PUT", "POST"):
            lines.append(f"content-length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


Work = Generator[Asked, "Answer | None", None]


class Fault(AssertionError):
    """Something that the gateway must not do."""


@dataclass
class Known:
    """What all clients together know, and the events that they have seen."""

    dice: random.Random
    now: Callable[[], int]  # the number of the step
    went_wrong: Callable[[int], frozenset[str]]  # what did since this step
    fault: Callable[[str], Exception]
    has_turned: Callable[[], bool]  # one target has become a chain
    events: dict[str, list[Event]] = field(default_factory=lambda: {key: [] for key in KEYS})
    sizes: dict[str, int] = field(default_factory=dict)  # by ETag
    written: dict[str, set[int]] = field(default_factory=lambda: {key: set() for key in KEYS})
    in_parts: set[int] = field(default_factory=set)  # sizes of what uploads make
    count: int = 0
    answers: dict[int, int] = field(default_factory=dict)  # how many of each status

    def body(self, *, large: bool) -> bytes:
        """A new one, unlike all others in its size."""
        self.count += 1
        size = self.count + (LARGE if large else 10)
        made = (b"%d." % self.count).ljust(size, b"x")[:size]
        self.sizes[f'"{hashlib.md5(made, usedforsecurity=False).hexdigest()}"'] = size
        return made

    def new(self, key: str, *, large: bool | None = None) -> bytes:
        """The body of a write of this key."""
        if large is None:
            large = self.dice.random() < 0.5
        made = self.body(large=large)
        self.written[key].add(len(made))
        return made


@dataclass
class Worker:
    """One client: what it is at, and how its answers are read."""

    known: Known
    name: str
    what: str = ""
    has_left: bool = False  # what it asked for may be done as long as the play lasts

    # How answers are told

    def tell(
        self,
        key: str,
        began: int,
        what: str,
        *,
        needs: frozenset[State] | None = None,
        excludes: frozenset[State] = frozenset(),
        leaves: frozenset[State] = frozenset(),
        is_sure: bool = True,
    ) -> None:
        known = self.known
        during = known.went_wrong(began)
        event = Event(
            f"{self.name} {what}",
            began,
            FOREVER if self.has_left else known.now(),
            needs,
            excludes,
            leaves,
            is_sure,
            during,
        )
        known.events[key].append(event)

    def failed(self, answer: Answer | None, began: int) -> bool:
        """Whether nobody knows what became of it. Raises what a fault is, if nothing went wrong."""
        known = self.known
        status = 0 if answer is None else answer.status
        known.answers[status] = known.answers.get(status, 0) + 1
        is_forbidden = status == 403 and any("forbidden" in one for one in known.went_wrong(began))
        if answer is not None and answer.whole and status < 500 and not is_forbidden:
            return False
        if answer is not None and status == 501:
            if any(word in self.what for word in MAY_LACK):
                return False
            raise known.fault(f"{self.what}: 501 {answer.code}")
        if not known.went_wrong(began):
            raise known.fault(f"{self.what}: {status} {self._code(answer)}, and nothing went wrong")
        return True

    def _code(self, answer: Answer | None) -> str:
        return "" if answer is None else answer.code or str(answer.body[:200])

    def surprised(self, answer: Answer | None) -> Exception:
        status = 0 if answer is None else answer.status
        return self.known.fault(f"{self.what}: not expected: {status} {self._code(answer)}")

    # Reads

    def get(self, key: str, method: str = "GET", *, part: bool = False) -> Work:
        fields = (("range", "bytes=0-4"),) if part else ()
        self.what = f"{method}{' of a range' if part else ''} {key}"
        began = self.known.now()
        answer = yield Asked(method, _path(key), fields=fields)
        if self.failed(answer, began):
            return
        assert answer is not None
        if answer.status == 404:
            self.saw(key, began, None)
        elif answer.status in (200, 206):
            size = self._size(answer, method)
            self.known.sizes.setdefault(answer.fields["etag"], size)
            self.saw(key, began, size)
        else:
            raise self.surprised(answer)

    def _size(self, answer: Answer, method: str) -> int:
        if answer.status == 206:
            size = int(answer.fields["content-range"].rpartition("/")[2])
            whole = answer.body == _body(answer.body, size)[:5]
        elif method == "HEAD":
            return int(answer.fields["content-length"])
        else:
            size = len(answer.body)
            whole = answer.body == _body(answer.body, size)
        if not whole:
            raise self.known.fault(f"{self.what}: pieces of several objects: {answer.body[:40]!r}")
        return size

    def saw(self, key: str, began: int, state: State) -> None:
        self.tell(key, began, f"{self.what} -> {state}", needs=frozenset({state}))

    # Writes

    def put(self, key: str, fields: Sequence[tuple[str, str]] = ()) -> Work:
        kind = self.known.dice.choice(TYPES)
        body = self.known.new(key)
        self.what = f"PUT {key} {kind}, {len(body)}"
        began = self.known.now()
        answer = yield Asked("PUT", _path(key), body, (("content-type", kind), *fields))
        self._wrote(key, began, answer, frozenset({len(body)}))

    def put_if(self, key: str, *, is_new: bool) -> Work:
        """A write with a condition: no object, or the one that somebody has seen last."""
        known = self.known
        # What came in parts has another ETag than a copy of it, and the same size.
        plain = known.written[key] - known.in_parts
        seen = [etag for etag, size in known.sizes.items() if size in plain]
        if is_new or not seen:
            condition, needs = ("If-None-Match", "*"), frozenset[State]({None})
        else:
            etag = known.dice.choice(seen[-3:])
            condition, needs = ("If-Match", etag), frozenset[State]({known.sizes[etag]})
        body = known.new(key)
        self.what = f"PUT {key}, {len(body)}, {condition[0]}: {condition[1]} ({next(iter(needs))})"
        began = known.now()
        answer = yield Asked("PUT", _path(key), body, (condition,))
        self._wrote(key, began, answer, frozenset({len(body)}), needs)

    def _wrote(
        self,
        key: str,
        began: int,
        answer: Answer | None,
        leaves: frozenset[State],
        needs: frozenset[State] | None = None,
    ) -> None:
        """Tell what an answer says of a write."""
        is_failed = self.failed(answer, began)
        if answer is None or is_failed or answer.status == 200:
            if not is_failed and answer is not None and "etag" in answer.fields:
                self.known.sizes[answer.fields["etag"]] = int(next(iter(leaves)) or 0)
            self.tell(key, began, self.what, needs=needs, leaves=leaves, is_sure=not is_failed)
        elif needs is not None and answer.status == 412:
            self.tell(key, began, f"{self.what} -> 412", excludes=needs)
        elif needs is not None and None not in needs and answer.status == 404:
            self.tell(key, began, f"{self.what} -> 404", needs=frozenset({None}))
        elif needs is None or answer.status not in (409, 501):
            raise self.surprised(answer)

    def upload(self, key: str) -> Work:
        """An object in two parts."""
        known = self.known
        body = known.new(key)
        known.in_parts.add(len(body))
        pieces = [body[:100], body[100:]] if len(body) > 100 else [body]
        self.what = f"CreateMultipartUpload {key}, {len(body)}"
        began = known.now()
        answer = yield Asked("POST", f"{_path(key)}?uploads")
        if self.failed(answer, began):
            return
        if answer is None or answer.status != 200:
            raise self.surprised(answer)
        upload = _text(answer.body, "UploadId")[0]
        named = f"{_path(key)}?uploadId={quote(upload, safe='')}"
        rows = yield from self._parts(key, named, pieces)
        if rows and (yield from self._complete(key, named, rows, len(body))):
            return
        yield from self._give_up(key, named)

    def _parts(
        self, key: str, named: str, pieces: Sequence[bytes]
    ) -> Generator[Asked, Answer | None, str]:
        """Send the parts; the rows of the document that names them, empty if one failed."""
        rows = ""
        for number, piece in enumerate(pieces, 1):
            self.what = f"UploadPart {number} {key}"
            began = self.known.now()
            answer = yield Asked("PUT", f"{named}&partNumber={number}", piece)
            if self.failed(answer, began):
                return ""
            if answer is None or answer.status != 200:
                raise self.surprised(answer)
            etag = escape(answer.fields["etag"])
            rows += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        return rows

    def _complete(
        self, key: str, named: str, rows: str, size: int
    ) -> Generator[Asked, Answer | None, bool]:
        """Make the object of the parts; whether that is sure."""
        self.what = f"CompleteMultipartUpload {key}, {size}"
        began = self.known.now()
        document = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
        answer = yield Asked("POST", named, document)
        is_failed = self.failed(answer, began)
        # An error may come after the head: then the document is the error. And to a lakeFS that
        # fails, the gateway looks for a reason, and finds that parts are small.
        is_error = answer is not None and answer.status == 200 and b"<Error>" in answer.body
        is_small = answer is not None and answer.code == "EntityTooSmall"
        is_failed = is_failed or ((is_error or is_small) and bool(self.known.went_wrong(began)))
        if not is_failed:
            if answer is None or answer.status != 200:
                raise self.surprised(answer)
            self.known.sizes |= dict.fromkeys(_text(answer.body, "ETag"), size)
        self.tell(key, began, self.what, leaves=frozenset({size}), is_sure=not is_failed)
        return not is_failed

    def _give_up(self, key: str, named: str) -> Work:
        self.what = f"AbortMultipartUpload {key}"
        began = self.known.now()
        answer = yield Asked("DELETE", named)
        if self.failed(answer, began):
            return
        if answer is None or answer.status not in (204, 404):
            raise self.surprised(answer)

    def copy(self, key: str, source: str) -> Work:
        """A copy between two keys, which may be at two targets."""
        known = self.known
        self.what = f"CopyObject {source} to {key}"
        began = known.now()
        field_ = ("x-amz-copy-source", f"/{BUCKET}/{quote(source)}")
        answer = yield Asked("PUT", _path(key), b"", (field_,))
        if answer is not None and answer.code == "ServiceUnavailable":
            is_failed = True  # S3 copies one version; the gateway wants the source to stay the same
        else:
            is_failed = self.failed(answer, began)
        if answer is not None and answer.status == 200 and b"<Error>" in answer.body:
            is_failed = True
        sizes: frozenset[State] = frozenset(known.written[source])
        if is_failed:
            known.written[key] |= known.written[source]
            self.tell(key, began, self.what, leaves=sizes, is_sure=False)
        elif answer is not None and answer.status == 404:
            self.saw(source, began, None)
        elif answer is not None and answer.status == 200:
            # Of an upload that failed and was done all the same, nobody knows the ETag.
            size = known.sizes.get(_text(answer.body, "ETag")[0])
            sizes = frozenset(known.written[source] if size is None else {size})
            known.written[key] |= {one for one in sizes if one is not None}
            self.tell(key, began, f"{self.what}: {size}", leaves=sizes)
            self.tell(source, began, f"{self.what} -> {size}", needs=sizes)
        else:
            raise self.surprised(answer)

    def tag(self, key: str) -> Work:
        self.what = f"PutObjectTagging {key}"
        body = b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
        yield from self._of_tags(key, Asked("PUT", f"{_path(key)}?tagging", body))

    def tags(self, key: str) -> Work:
        self.what = f"GetObjectTagging {key}"
        yield from self._of_tags(key, Asked("GET", f"{_path(key)}?tagging"))

    def _of_tags(self, key: str, asked: Asked) -> Work:
        began = self.known.now()
        answer = yield asked
        if asked.method == "PUT" and answer is not None and answer.code == "ServiceUnavailable":
            return  # it was moved, or deleted, since it was looked for
        if self.failed(answer, began):
            return
        if answer is not None and answer.status == 404:
            self.saw(key, began, None)
        elif answer is not None and answer.status == 200:
            # lakeFS answers for keys that are not there; the gateway's HEAD before it may fail.
            if not any("lake" in one for one in self.known.went_wrong(began)):
                self.tell(key, began, f"{self.what} -> there", excludes=frozenset({None}))
        elif answer is None or answer.status != 501:
            raise self.surprised(answer)

    # Deletes

    def delete(self, key: str) -> Work:
        self.what = f"DELETE {key}"
        began = self.known.now()
        answer = yield Asked("DELETE", _path(key))
        is_failed = self.failed(answer, began)
        if not is_failed and (answer is None or answer.status != 204):
            raise self.surprised(answer)
        self.tell(key, began, self.what, leaves=frozenset({None}), is_sure=not is_failed)

    def delete_batch(self, keys: Sequence[str]) -> Work:
        self.what = f"DeleteObjects {' '.join(keys)}"
        rows = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        began = self.known.now()
        document = f"<Delete>{rows}</Delete>".encode()
        answer = yield Asked("POST", f"/{BUCKET}?delete", document, (_sha256(document),))
        is_failed = self.failed(answer, began)
        deleted: dict[str, str] = {}
        if not is_failed:
            if answer is None or answer.status != 200:
                raise self.surprised(answer)
            deleted = _results(answer.body)
            if set(deleted) != set(keys):
                raise self.known.fault(f"{self.what}: answered are {sorted(deleted)}")
        for key in keys:
            code = deleted.get(key, "?")
            if code and not self.known.went_wrong(began):
                raise self.known.fault(f"{self.what}: {key}: {code}, and nothing went wrong")
            what = f"{self.what}: {key}"
            self.tell(key, began, what, leaves=frozenset({None}), is_sure=not code)

    # Lists

    def list(self, version: int, size: int, delimiter: str = "") -> Work:
        """A list in pages; each page says of each key in its range whether it is there."""
        after = token = ""
        while True:
            query = f"max-keys={size}&encoding-type=url&prefix=main%2F"
            query += f"&delimiter={delimiter}" if delimiter else ""
            if version == 2:
                query += "&list-type=2"
                query += f"&continuation-token={quote(token, safe='')}" if token else ""
            elif after:
                query += f"&marker={quote(after)}"
            self.what = f"ListObjectsV{version} after {after!r}{' /' if delimiter else ''}"
            began = self.known.now()
            answer = yield Asked("GET", f"/{BUCKET}?{query}")
            if self.failed(answer, began):
                return
            # A token of one target's own list says nothing to a chain, and the other way round.
            if token and answer is not None and answer.status == 400 and self.known.has_turned():
                return
            if answer is None or answer.status != 200 or b"<Error>" in answer.body:
                raise self.surprised(answer)
            names, is_cut = self._page(answer.body, began, after, delimiter, size)
            if not is_cut:
                return
            after = max(names, key=str.encode)
            token = ([*_text(answer.body, "NextContinuationToken"), ""])[0]

    def _page(
        self, document: bytes, began: int, after: str, delimiter: str, size: int
    ) -> tuple[list[str], bool]:
        """Tell what a page says of the keys in its range; its names, and whether there are more."""
        rows = _rows(document)
        groups = [unquote_plus(name) for name in _groups(document)]
        names = sorted([*rows, *groups], key=str.encode)
        is_cut = _text(document, "IsTruncated") == ["true"]
        if len(set(names)) != len(names) or len(names) > size:
            raise self.known.fault(f"{self.what}: {names}")
        if list(rows) != sorted(rows, key=str.encode):
            raise self.known.fault(f"{self.what}: not in the order of bytes: {list(rows)}")
        if is_cut and not names:
            raise self.known.fault(f"{self.what}: cut, and without rows")
        if any(name.encode() <= after.encode() for name in names):
            raise self.known.fault(f"{self.what}: {names}")
        last = names[-1] if is_cut else None
        for key in KEYS:
            group = _group(key, delimiter)
            name = group or key
            is_within = name.encode() > after.encode()
            if not is_within or (last is not None and name.encode() > last.encode()):
                continue
            if not group:
                self.saw(key, began, rows.get(key))
            elif name not in groups:
                self.saw(key, began, None)
            elif sum(_group(other, delimiter) == group for other in KEYS) == 1:
                self.tell(key, began, f"{self.what} -> {name}", excludes=frozenset({None}))
        return names, is_cut

    def head_bucket(self) -> Work:
        self.what = "HeadBucket"
        began = self.known.now()
        answer = yield Asked("HEAD", f"/{BUCKET}")
        if not self.failed(answer, began) and (answer is None or answer.status != 200):
            raise self.surprised(answer)


def _path(key: str) -> str:
    return f"/{BUCKET}/{quote(key)}"


def _body(found: bytes, size: int) -> bytes:
    """The object of this size that begins so."""
    return (found.partition(b".")[0] + b".").ljust(size, b"x")


def _sha256(body: bytes) -> tuple[str, str]:
    return "x-amz-content-sha256", hashlib.sha256(body).hexdigest()


def _group(key: str, delimiter: str) -> str:
    """The group of a list below `main/` that a key is in; empty: it has a row of its own."""
    head, found, _ = key.removeprefix("main/").partition(delimiter or "\0")
    return f"main/{head}{found}" if found else ""


def _named(document: bytes, name: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(document.strip())
    return [node for node in root.iter() if node.tag.rpartition("}")[2] == name]


def _text(document: bytes, name: str) -> list[str]:
    return [node.text or "" for node in _named(document, name)]


def _member(row: ElementTree.Element, name: str) -> str:
    return next((node.text or "" for node in row if node.tag.rpartition("}")[2] == name), "")


def _rows(document: bytes) -> dict[str, int]:
    """Key -> size; a key that is there twice is there under another name, for `_page` to see."""
    found: dict[str, int] = {}
    for row in _named(document, "Contents"):
        key = unquote_plus(_member(row, "Key"))
        found[f"{key} (again)" if key in found else key] = int(_member(row, "Size"))
    return found


def _groups(document: bytes) -> list[str]:
    return [_member(row, "Prefix") for row in _named(document, "CommonPrefixes")]


def _results(document: bytes) -> dict[str, str]:
    """Key -> code of its error, or nothing: it is deleted."""
    found = {_member(row, "Key"): "" for row in _named(document, "Deleted")}
    return found | {
        _member(row, "Key"): _member(row, "Code") or "?" for row in _named(document, "Error")
    }
