"""Writes a client's names into a document: as they are, or encoded for `encoding-type=url`.

Rules: names are read as any store encodes them (`+` or `%20`, `/` or `%2F`), and written as AWS
does; of a key that begins as its prefix is written, the rest stays byte for byte; a key outside the
prefix is refused.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.routing.rewrite import Rewrite
from fastpath.s3.xml_writer import escaped, url_encoded


class Texts:
    """Reads and writes the names of one document; `encoded`: it has them with encoding-type=url."""

    def __init__(self, rewrite: Rewrite, *, encoded: bool) -> None:
        self._rewrite = rewrite
        self._encoded = encoded
        self.key_prefix = self.written(rewrite.key_prefix)
        self.strip_prefix = self.written(rewrite.strip_prefix)

    def read(self, text: str) -> bytes:
        """Return the name that a text is."""
        if not self._encoded:
            return text.encode()
        return unquote_to_bytes(text.replace("+", " "))

    def written(self, name: bytes) -> bytes:
        """Return a name as the raw text of an element."""
        if self._encoded:
            return escaped(url_encoded(name)).encode()
        return self.plain(name)

    @staticmethod
    def plain(name: bytes) -> bytes:
        """Return a name as the raw text of an element that is never encoded."""
        return escaped(name.decode("utf-8", "replace")).encode()

    def key_down(self, text: str) -> bytes:
        """Return the client's name of a target's key. Raises S3Error ServiceUnavailable."""
        try:
            return self._rewrite.key_down(self.read(text))
        except ValueError:
            raise outside_prefix() from None

    def renamed(self, text: str, raw: bytes) -> bytes:
        """Return the raw text of a target's key with the client's name. Raises S3Error."""
        if raw.startswith(self.key_prefix):
            return self.strip_prefix + raw[len(self.key_prefix) :]
        return self.written(self.key_down(text))


def outside_prefix() -> S3Error:
    """Return the error for a response with a key that is not the client's."""
    return _unusable("a key that does not begin with the key_prefix of its rule, as was asked for")


def of_another_list() -> S3Error:
    """Return the error for a list with a key that was not asked for."""
    return _unusable("a key that does not begin with the prefix of its list")


def unreadable_response() -> S3Error:
    """Return the error for a response that was not understood."""
    return _unusable(
        "what cannot be renamed: no document of S3 (is the target's endpoint an S3 endpoint, or a "
        "web page or a proxy before it?)"
    )


def too_large_response() -> S3Error:
    """Return the error for a response that is too large to be renamed."""
    return _unusable("a document that is too large to be renamed (ask for fewer rows)")


def _unusable(what: str) -> S3Error:
    error = S3Error(SERVICE_UNAVAILABLE, retry_after=1)
    error.note = f"answered {what}"
    return error
