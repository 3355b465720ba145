from __future__ import annotations

from typing import NamedTuple


class LeftUpload(NamedTuple):
    target: str
    bucket: bytes
    key: bytes
    upload_id: bytes
    request_id: str
