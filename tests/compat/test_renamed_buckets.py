"""The work of every client in a bucket that is a part of another one at the target.

Rules: the work is that of the client's own module, whole; here its bucket has another name at the
target, and its keys a prefix of bytes that are escaped in paths, queries and documents. Nothing may
tell a client of either.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from tests.compat import (
    test_boto3_transfer,
    test_duckdb,
    test_multipart_checksums,
    test_obstore,
    test_polars,
    test_presigned,
    test_programs,
    test_pyarrow,
    test_s3fs,
)
from tests.compat.doors import HTTP, HTTPS
from tests.compat.live import MIB, TARGETS
from tests.compat.places import RENAMED, Comparison, Place

Work = Callable[[Place], Any]


def transfer(place: Place) -> Any:
    return test_boto3_transfer.transfer(place, 20 * MIB)


def objects(place: Place) -> Any:
    return test_boto3_transfer.objects(place, None)


def in_parts(place: Place) -> Any:
    return test_multipart_checksums.in_parts(place, "crc64nvme", "FULL_OBJECT")


def with_polars(place: Place) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        return test_polars.frames(place, patch)


# The first work of each client is in the fast tier, once. No work makes, deletes or configures a
# bucket, which a part of one cannot do (docs/cookbook.md): none is left out.
WORK: dict[str, tuple[Work, ...]] = {
    "boto3": (test_boto3_transfer.resources, transfer, objects, in_parts),
    "presigned": (test_presigned.urls, test_presigned.urls_v4),
    "aws-cli": (test_programs.aws_presign, test_programs.aws_sync),
    "rclone": (test_programs.rclone_sync,),
    "s3fs": (test_s3fs.files, test_s3fs.tree, test_s3fs.frames),
    "pyarrow": (test_pyarrow.files, test_pyarrow.frames),
    "obstore": (test_obstore.files, test_obstore.conditions),
    "polars": (with_polars,),
    "DuckDB": (test_duckdb.frames,),
}
FAST = (HTTP, "s3")
CASES = [
    pytest.param(
        (*way, RENAMED),
        work,
        id=f"{'-'.join(way)}-{client}-{work.__name__}",
        marks=() if way == FAST and work is works[0] else pytest.mark.slow,
    )
    for client, works in WORK.items()
    for work in works
    for way in product((HTTP, HTTPS), TARGETS)
]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("comparison", "work"), CASES, indirect=["comparison"])
def test_the_same_as_at_the_target(comparison: Comparison, work: Work) -> None:
    comparison.run(work)
