"""Upload ids as clients get them, sealed with the key of the snapshot of `wire.document`."""

from __future__ import annotations

from fastpath.routing.sealed_ids import Sealer, UploadOrigin
from tests.doubles.wire import SEAL_KEY


def sealed(
    upload_id: str = "u1",
    bucket: str = "b-b",
    key: str = "k",
    *,
    target: str = "first",
    checksum_dropped: bool = False,
    seal_key: str = SEAL_KEY,
) -> str:
    """The client's id of an upload; bucket and key are the client's, `upload_id` the target's."""
    origin = UploadOrigin(target, bucket.encode(), None, checksum_dropped)
    sealer = Sealer([bytes.fromhex(seal_key)])
    return sealer.seal(origin, upload_id.encode(), bucket.encode(), key.encode()).decode()
