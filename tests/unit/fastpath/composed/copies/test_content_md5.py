"""`fastpath.composed.copies.content_md5`: data that a store locks, and wants the MD5 of."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.doubles.http1 import put
from tests.unit.fastpath.composed.copies.bench import OBJECT, Copying, Heard, error, ranged
from tests.unit.fastpath.composed.copies.test_copy_part import part

TEXTS = [
    "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object "
    "Lock parameters",  # AWS
    "Missing required header for this request: Content-Md5.",  # MinIO
]
LOCK = "x-amz-object-lock-mode: GOVERNANCE"


class LockedCopy(Copying):
    """A copy whose destination locks what it stores."""

    def refuses(self, text: str = TEXTS[0]) -> Heard:
        """The destination has got data without their MD5."""
        heard = self.destination.hears("PUT ")
        message = f"<Message>{text}</Message>"
        self.destination.says(error("InvalidRequest", "400 Bad Request", message))
        return heard

    def reads_part(self) -> None:
        """The source gives its first bytes."""
        self.source.hears("GET ")
        self.source.says(ranged(0, 100))


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


@pytest.mark.parametrize("text", TEXTS)
def test_an_object_that_is_locked_is_sent_again_with_its_md5(text: str) -> None:
    copy = LockedCopy(put("/g-b/k", b"", "x-amz-copy-source: b-b/source", LOCK))
    copy.finds()
    copy.reads()
    assert "content-md5" not in copy.refuses(text).fields
    copy.reads()
    copy.reads()
    stored = copy.stores()
    assert stored.fields["content-md5"] == md5(OBJECT)
    assert stored.fields["x-amz-object-lock-mode"] == "GOVERNANCE"
    assert stored.body == OBJECT
    copy.shows()
    assert copy.ended().status == 200


def test_a_store_that_refuses_it_all_the_same_is_believed() -> None:
    copy = LockedCopy()
    copy.finds()
    copy.reads()
    copy.refuses()
    copy.reads()
    copy.reads()
    assert "content-md5" in copy.refuses().fields
    assert copy.refused() == (400, "InvalidRequest")


def test_a_part_of_the_client_s_upload() -> None:
    copy = LockedCopy(part("x-amz-copy-source-range: bytes=0-99"))
    copy.finds()
    copy.reads_part()
    copy.refuses()
    copy.reads_part()
    copy.reads_part()
    assert copy.stores().fields["content-md5"] == md5(OBJECT[:100])
    assert copy.ended().status == 200
