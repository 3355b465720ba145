"""Holds the names of one request: the client's, the target's, and the ids of its upload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fastpath.routing.rewrite import Rewrite


class UploadIds(Protocol):
    """Makes the upload ids that clients see."""

    def seal(self, upload_id: bytes, client_key: bytes, /) -> bytes:
        """Return the client's id for a target's id of an upload to `client_key`."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a copy or a rename, by both names."""

    bucket: bytes
    key: bytes
    upstream_bucket: bytes
    upstream_key: bytes


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one request; keys are decoded.

    bucket, key: the client's; the key is empty for a bucket.
    upstream_bucket, upstream_key: the target's.
    upload_ids: seals the ids that the target gives.
    upload_id, upstream_upload_id: the upload that the request names, in `uploadId` or
        `upload-id-marker`, by the client's id and by the target's; both empty without one.
    source: of a copy or a rename; it has a rewrite of its own.
    """

    bucket: bytes
    key: bytes
    upstream_bucket: bytes
    upstream_key: bytes
    rewrite: Rewrite
    upload_ids: UploadIds
    upload_id: bytes = b""
    upstream_upload_id: bytes = b""
    source: Source | None = None

    @property
    def are_changed(self) -> bool:
        """Whether the target has other names than the client, but for upload ids."""
        rewrite = self.rewrite
        source = self.source
        return (
            self.bucket != self.upstream_bucket
            or bool(rewrite.key_prefix or rewrite.strip_prefix)
            or (
                source is not None
                and (source.bucket, source.key) != (source.upstream_bucket, source.upstream_key)
            )
        )
