"""An identity of the gateway: a name and the key pair that it signs with.

Rules: `repr` never shows the secret, so it cannot reach a log line or a traceback.
"""

from __future__ import annotations


class Identity:
    """One access key. Built once per snapshot, never changed."""

    __slots__ = ("access_key_id", "name", "secret")

    def __init__(self, name: str, access_key_id: bytes, secret: bytes) -> None:
        self.name = name
        self.access_key_id = access_key_id
        self.secret = secret

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"
