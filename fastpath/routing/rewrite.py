"""Names the objects of a client's bucket as their target does, and back.

    client   old-bucket / a/b           key_prefix "main/", bucket "lakefs-new"
    target   lakefs-new / main/a/b

Rules: keys go up and come down one to one: only keys that begin with `strip_prefix` go up, and only
those that begin with `key_prefix` come down.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The names that a target has for what clients name otherwise.

    bucket: the target's bucket; empty: the client's.
    strip_prefix: what keys lose at their beginning on the way up.
    key_prefix: what they get there instead.
    """

    bucket: bytes = b""
    key_prefix: bytes = b""
    strip_prefix: bytes = b""

    @property
    def is_part(self) -> bool:
        """Whether the client's bucket is a part of the target's, or has a part there."""
        return bool(self.key_prefix or self.strip_prefix)

    def bucket_up(self, bucket: bytes) -> bytes:
        """Return the target's name of a client's bucket."""
        return self.bucket or bucket

    def key_up(self, key: bytes) -> bytes:
        """Return the target's name of a client's key. Raises ValueError: it has none."""
        if not key.startswith(self.strip_prefix):
            raise ValueError("the key does not begin with strip_prefix")
        return self.key_prefix + key[len(self.strip_prefix) :]

    def key_down(self, key: bytes) -> bytes:
        """Return the client's name of a target's key. Raises ValueError: it has none."""
        if not key.startswith(self.key_prefix):
            raise ValueError("the key does not begin with key_prefix")
        return self.strip_prefix + key[len(self.key_prefix) :]
