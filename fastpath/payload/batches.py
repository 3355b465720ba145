"""The body of a DeleteObjects: keys that must not go up are taken out, and told of one by one.

Rules: gathered, because its head goes up with the digest of what is left; at most MAX_BATCH_BYTES
and MAX_KEYS, as on AWS; what cannot be read is refused rather than left to another reader to
understand; without a refused key the body goes up byte for byte, otherwise it is written anew from
what was read; without any key left nothing goes up.

Not here: what else a target would mistake (`deletions`), the errors in its answer (`dialects`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from xml.parsers import expat

from fastpath.errors import MALFORMED_XML, MAX_MESSAGE_LENGTH, USER_KEY, S3Error
from fastpath.payload.checks import Check
from fastpath.payload.checksums import HEADER_PREFIX
from fastpath.payload.reframing import Reframing
from fastpath.routing.profiles import Profile
from fastpath.s3.addressing import checked_key, is_bucket_itself, mistaken_key
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element
from fastpath.signing.sigv4.chain import Chain

MAX_BATCH_BYTES = 2048000  # AWS errors 4.17
MAX_KEYS = 1000  # AWS errors 4.15
_MAX_TEXT = 16384  # characters of one text; 1,024 bytes make no more, not even as references

Judge = Callable[[bytes], S3Error | None]


class Refused(NamedTuple):
    """A key that is not deleted, and why."""

    key: str
    version: str
    error: S3Error


class _Unfit(Exception):
    """No document that S3 describes."""


class Batch:
    """A BodyFilter. `judge` says what else than the rule of paths is wrong with a key."""

    __slots__ = (
        "_body",
        "_checks",
        "_fields",
        "_judge",
        "_mistaken",
        "_reader",
        "_size",
        "refused",
    )

    def __init__(self, judge: Judge | None = None) -> None:
        self._judge = judge
        self._checks: Sequence[Check] = ()
        self._fields: Mapping[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._mistaken = False  # the target takes some keys for the bucket
        self._reader = _Reader()
        self.refused: list[Refused] = []

    def require(
        self, checks: Sequence[Check], fields: Mapping[bytes, bytes], profile: Profile
    ) -> None:
        """What the body as it was sent must agree with, its headers, and who gets it."""
        self._checks = checks
        self._fields = fields
        self._mistaken = profile.mistakes_keys

    def begin(self, chain: Chain) -> None:
        """Never in chunks."""

    def feed(self, data: bytes, last: bool) -> bytes:
        """Nothing until `last`, then what goes up. Raises S3Error."""
        self._size += len(data)
        if self._size > MAX_BATCH_BYTES:
            raise S3Error(MAX_MESSAGE_LENGTH, ("MaxMessageLengthBytes", str(MAX_BATCH_BYTES)))
        self._body.append(data)
        self._reader.feed(data)
        for check in self._checks:
            check.update(data)
        return self._finish() if last else b""

    def _finish(self) -> bytes:
        for check in self._checks:
            check.confirm()
        if not self._size:
            return b""  # the target says that it is empty
        left = [entry for entry in self._reader.finish() if self._passes(entry)]
        return self._written(left) if self.refused else b"".join(self._body)

    def _passes(self, entry: Mapping[str, str]) -> bool:
        key = entry["Key"]
        error = self._error_of(key.encode())
        if error is not None:
            self.refused.append(Refused(key, entry.get("VersionId", ""), error))
        return error is None

    def _error_of(self, key: bytes) -> S3Error | None:
        try:
            checked_key(key)
        except S3Error as error:
            return error
        if self._mistaken and is_bucket_itself(key):
            return mistaken_key()
        return self._judge(key) if self._judge is not None else None

    def _written(self, left: Sequence[Mapping[str, str]]) -> bytes:
        if not left:
            return b""
        quiet = element("Quiet", self._reader.quiet) if self._reader.quiet else ""
        objects = [
            f"<Object>{''.join(element(name, text) for name, text in entry.items())}</Object>"
            for entry in left
        ]
        inner = quiet + "".join(objects)
        return f'{DECLARATION}<Delete xmlns="{NAMESPACE}">{inner}</Delete>'.encode()

    def reframing(self, body: bytes) -> Reframing:
        """What the head says of a body that was written anew."""
        checksums = [name for name in self._fields if name.startswith(HEADER_PREFIX)]
        md5 = hashlib.md5(body, usedforsecurity=False).digest()
        return Reframing(
            hashlib.sha256(body).hexdigest().encode(),
            len(body),
            (b"content-md5", b"x-amz-sdk-checksum-algorithm", *checksums),
            b"",
            ((b"content-md5", base64.b64encode(md5)),),
        )


class _Reader:
    """The entries of a Delete document, each the texts of its children by name."""

    def __init__(self) -> None:
        self.quiet = ""
        self._entries: list[dict[str, str]] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._unfit = False
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def feed(self, data: bytes) -> None:
        """Take in more of the document."""
        self._parse(data, last=False)

    def finish(self) -> list[dict[str, str]]:
        """What the whole document asks for. Raises S3Error MalformedXML, UserKeyMustBeSpecified."""
        self._parse(b"", last=True)
        if self._unfit or any("Key" not in entry for entry in self._entries):
            raise S3Error(MALFORMED_XML)
        if not all(entry["Key"] for entry in self._entries):
            raise S3Error(USER_KEY)
        return self._entries

    def _parse(self, data: bytes, *, last: bool) -> None:
        if self._unfit:
            return
        try:
            self._parser.Parse(data, last)
        except (_Unfit, expat.ExpatError, ValueError, LookupError):  # the last two: an encoding
            self._unfit = True
            self._entries.clear()

    def _start(self, name: str, _: object) -> None:
        name = name.rpartition(":")[2]
        self._path.append(name)
        path = self._path
        if path[0] != "Delete" or len(path) > 3:
            raise _Unfit
        if len(path) == 2:
            if name not in ("Object", "Quiet") or len(self._entries) == MAX_KEYS + (
                name == "Quiet"
            ):
                raise _Unfit
            if name == "Object":
                self._entries.append({})
        elif len(path) == 3 and (path[1] != "Object" or name in self._entries[-1]):
            raise _Unfit
        self._text.clear()
        self._length = 0

    def _characters(self, data: str) -> None:
        self._length += len(data)
        if self._length > _MAX_TEXT:
            raise _Unfit
        self._text.append(data)

    def _end(self, _: str) -> None:
        text = "".join(self._text)
        if len(self._path) == 3:
            self._entries[-1][self._path[-1]] = text
        elif self._path[1:] == ["Quiet"]:
            self.quiet = text.strip()
        self._text.clear()
        self._length = 0
        self._path.pop()

    def _doctype(self, *_: object) -> None:
        raise _Unfit
