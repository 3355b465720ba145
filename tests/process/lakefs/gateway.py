"""A gateway in front of the double: its configuration, and what its tests look at.

Rules: one identity, everything is routed to lakeFS.
"""

from __future__ import annotations

from tests.doubles.lakefs import LakeFS

KEYS = ("lakefs-client", "lakefs-client-secret")
PATH = "/repo/main/a.txt"
OBJECT = b"0123456789"


def configuration(lakefs: LakeFS) -> dict[str, object]:
    ((key_id, secret),) = lakefs.keys.items()
    target = {"endpoint": lakefs.endpoint, "access_key_id": key_id, "secret_access_key": secret}
    known = {"name": "client", "access_key_id": KEYS[0], "secret_access_key": KEYS[1]}
    return {
        "lakefs": target,
        "s3": {"region": "us-east-1", "access_key_id": "unused", "secret_access_key": "unused"},
        "auth": {"identities": [known]},
        "routing": {"default_target": "lakefs"},
    }


def stored(lakefs: LakeFS, key: str = "a.txt", branch: str = "main") -> bytes | None:
    blob = lakefs.store.repositories["repo"].branches[branch].entries.get(key)
    return blob.data if blob else None
