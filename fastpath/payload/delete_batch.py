"""Removes refused keys from the body of a DeleteObjects, and collects their errors.

With a `rename`, keys go up by the target's names. `check_key` gets these, and `refused` has them,
because so has the answer that the errors are added to. A key that has no name at the target is in
`unnamed`, by the client's.

Rules: the body is gathered, because its digest is in the upstream head; at most MAX_BATCH_BYTES and
MAX_KEYS, as on AWS; a document that cannot be read is refused, because the target might read it in
another way; without a refused or renamed key the body is sent byte for byte, otherwise it is
written anew from what was read; if no key is left, nothing is sent.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from fastpath.errors import MALFORMED_XML, MAX_MESSAGE_LENGTH, USER_KEY, S3Error
from fastpath.payload.body_checks import Check
from fastpath.payload.body_headers import BodyHeaders
from fastpath.payload.checksums import HEADER_PREFIX
from fastpath.routing.profiles import Profile
from fastpath.s3.addressing import checked_key, is_only_slashes, only_slashes_refused
from fastpath.s3.xml_reader import Bounds, TooLarge, Unexpected, XmlError, XmlReader
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element
from fastpath.signing.sigv4.chain import Chain

MAX_BATCH_BYTES = 2048000  # AWS errors 4.17
MAX_KEYS = 1000  # AWS errors 4.15
# Delete, Object, Key; of a key 1,024 bytes make no more text, not even as references.
_BOUNDS = Bounds(depth=3, text=16384)

KeyCheck = Callable[[bytes], S3Error | None]
Rename = Callable[[bytes], bytes]  # raises S3Error


class RefusedKey(NamedTuple):
    """A key that is not deleted, and why."""

    key: str
    version: str
    error: S3Error


class Batch(NamedTuple):
    """A Delete document.

    entries: of each Object the texts of its children, by name.
    quiet: the text of its Quiet; empty without one.
    """

    entries: Sequence[Mapping[str, str]]
    quiet: str = ""

    @property
    def is_quiet(self) -> bool:
        """Whether the client wants to hear of errors alone."""
        return self.quiet.lower() in ("true", "1")


class DeleteBatch:
    """A BodyFilter. `check_key` returns an error for a key that the target must not get.

    rename: returns the target's name of a key, or raises the S3Error of a key that has none.
    """

    __slots__ = (
        "_body",
        "_check_key",
        "_checks",
        "_fields",
        "_reader",
        "_refused_by_client_name",
        "_refuses_only_slashes",
        "_size",
        "is_rewritten",
        "refused",
        "rename",
        "unnamed",
    )

    def __init__(self, check_key: KeyCheck | None = None) -> None:
        self._check_key = check_key
        self._checks: Sequence[Check] = ()
        self._fields: Mapping[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._refuses_only_slashes = False  # the target takes keys of only slashes for the bucket
        self._reader = _Reader()
        self._refused_by_client_name: list[RefusedKey] = []
        self.rename: Rename | None = None
        self.is_rewritten = False  # the body that goes up is not the client's
        self.refused: list[RefusedKey] = []
        self.unnamed: list[RefusedKey] = []

    @property
    def refused_for_client(self) -> Sequence[RefusedKey]:
        """Every key that is not sent, by the client's name."""
        return self._refused_by_client_name

    def require(
        self, checks: Sequence[Check], fields: Mapping[bytes, bytes], profile: Profile
    ) -> None:
        """Set the checks of the client's body, its headers, and the target's profile."""
        self._checks = checks
        self._fields = fields
        self._refuses_only_slashes = profile.mistakes_keys

    def begin(self, chain: Chain) -> None:
        """No chunks are made."""

    def feed(self, data: bytes, last: bool) -> bytes:
        """Return nothing until `last`, then the whole body. Raises S3Error."""
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
            return b""  # the target refuses an empty body
        left = [entry for entry in self._reader.finish() if self.refusal_of(entry) is None]
        return self._written(left) if self.is_rewritten else b"".join(self._body)

    def refusal_of(self, entry: dict[str, str]) -> S3Error | None:
        """Return why an entry does not go up; None: it does, and its key is renamed now."""
        key = entry["Key"]
        version = entry.get("VersionId", "")
        if self.rename is not None:
            try:
                entry["Key"] = self.rename(key.encode()).decode()
            except S3Error as error:
                self._refuse(self.unnamed, key, RefusedKey(key, version, error))
                return error
            if entry["Key"] != key:
                self.is_rewritten = True
        refusal = self._error_of(entry["Key"].encode())
        if refusal is not None:
            self._refuse(self.refused, key, RefusedKey(entry["Key"], version, refusal))
        return refusal

    def _refuse(self, refused: list[RefusedKey], key: str, entry: RefusedKey) -> None:
        self.is_rewritten = True
        refused.append(entry)
        self._refused_by_client_name.append(entry._replace(key=key))

    def _error_of(self, key: bytes) -> S3Error | None:
        try:
            checked_key(key)
        except S3Error as error:
            return error
        if self._refuses_only_slashes and is_only_slashes(key):
            return only_slashes_refused()
        return self._check_key(key) if self._check_key is not None else None

    def _written(self, left: Sequence[Mapping[str, str]]) -> bytes:
        return write_batch(Batch(left, self._reader.quiet)) if left else b""

    def body_headers(self, body: bytes) -> BodyHeaders:
        """Return the headers for a body that was written anew."""
        checksums = [name for name in self._fields if name.startswith(HEADER_PREFIX)]
        md5 = hashlib.md5(body, usedforsecurity=False).digest()
        return BodyHeaders(
            hashlib.sha256(body).hexdigest().encode(),
            len(body),
            (b"content-md5", b"x-amz-sdk-checksum-algorithm", *checksums),
            b"",
            ((b"content-md5", base64.b64encode(md5)),),
        )


class _Reader:
    """Reads the entries of a Delete document: of each, the texts of its children by name."""

    def __init__(self) -> None:
        self.quiet = ""
        self._entries: list[dict[str, str]] = []
        self._in_object = False
        self._reader = XmlReader(self._ended, self._started, _BOUNDS)

    def feed(self, data: bytes) -> None:
        """Read more of the document."""
        self._reader.feed_and_keep_error(data)

    def finish(self) -> list[dict[str, str]]:
        """Return all entries. Raises S3Error MalformedXML or UserKeyMustBeSpecified."""
        try:
            self._reader.finish()
        except XmlError:
            raise S3Error(MALFORMED_XML) from None
        if any("Key" not in entry for entry in self._entries):
            raise S3Error(MALFORMED_XML)
        if not all(entry["Key"] for entry in self._entries):
            raise S3Error(USER_KEY)
        return self._entries

    def _started(self, name: str, depth: int) -> None:
        if depth == 3:
            if not self._in_object or name in self._entries[-1]:
                raise Unexpected
        elif depth == 2:
            self._in_object = name == "Object"
            if self._in_object:
                if len(self._entries) == MAX_KEYS:
                    raise TooLarge
                self._entries.append({})
            elif name != "Quiet":
                raise Unexpected
        elif name != "Delete":
            raise Unexpected

    def _ended(self, name: str, depth: int, text: str) -> None:
        if depth == 3:
            self._entries[-1][name] = text
        elif depth == 2 and not self._in_object:
            self.quiet = text.strip()


def read_batch(document: bytes) -> Batch:
    """Read the document of a DeleteObjects. Raises S3Error: it cannot be read."""
    reader = _Reader()
    reader.feed(document)
    return Batch(reader.finish(), reader.quiet)


def write_batch(batch: Batch) -> bytes:
    """Write the document of a DeleteObjects."""
    quiet = element("Quiet", batch.quiet) if batch.quiet else ""
    objects = [
        f"<Object>{''.join(element(name, text) for name, text in entry.items())}</Object>"
        for entry in batch.entries
    ]
    inner = quiet + "".join(objects)
    return f'{DECLARATION}<Delete xmlns="{NAMESPACE}">{inner}</Delete>'.encode()
