"""Translates requests and responses for targets whose S3 differs from AWS's. Pure.

Rules: a profile names the dialect of its targets; for a target without one, only the operations in
PLAIN are translated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastpath.dialects import delete_objects, lakefs, location_urls, parts_of_buckets
from fastpath.dialects.translation import ClientRequest, Translation

PLAIN: Mapping[str, Callable[[ClientRequest], Translation]] = {
    **location_urls.OPERATIONS,
    "DeleteObjects": delete_objects.DeleteObjects,
}
DIALECTS: Mapping[str, Callable[[ClientRequest], Translation]] = {"lakefs": lakefs.translate}


def translate(dialect: str | None, client_request: ClientRequest) -> Translation:
    """Translate a request for a target of this dialect. Raises S3Error."""
    if dialect is None:
        if client_request.is_part and client_request.operation == "CreateBucket":
            return parts_of_buckets.CreateBucket(client_request)
        return PLAIN[client_request.operation](client_request)
    return DIALECTS[dialect](client_request)
