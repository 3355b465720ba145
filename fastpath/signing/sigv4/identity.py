"""Who signed a request: a name and the key pair it signs with.

Rules: the secret never shows in `repr`, so it cannot reach a log line or a traceback.

Not here: what an identity may do (`identities`).
"""

from __future__ import annotations


class Identity:
    """One access key the gateway knows. Built once per snapshot, never changed."""

    __slots__ = ("access_key_id", "name", "secret")

    def __init__(self, name: str, access_key_id: bytes, secret: bytes) -> None:
        self.name = name
        self.access_key_id = access_key_id
        self.secret = secret

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"
