"""Uploads in parts with each checksum, composite and of the whole object, by boto3.

Rules: what comes of it is compared with the same upload straight at the target, byte for byte.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.compat.live import MIB, payload, s3_client, same
from tests.compat.places import Comparison, Place
from tests.doubles.aws_chunked import checksum

PARTS = (payload(5 * MIB), payload(MIB + 1))
# AWS "Checking object integrity": which algorithm can be of which type.
TYPES = [(name, "COMPOSITE") for name in ("crc32", "crc32c", "sha1", "sha256")]
TYPES += [(name, "FULL_OBJECT") for name in ("crc32", "crc32c", "crc64nvme")]


def in_parts(place: Place, algorithm: str, kind: str) -> list[object]:
    client = s3_client(place.endpoint, place.keys, ca=place.door.ca)
    where = {"Bucket": place.bucket, "Key": f"{place.prefix}object"}
    name, field = algorithm.upper(), f"Checksum{algorithm.upper()}"
    begun = client.create_multipart_upload(**where, ChecksumAlgorithm=name, ChecksumType=kind)
    upload = {**where, "UploadId": begun["UploadId"]}
    parts: list[dict[str, Any]] = []
    for number, data in enumerate(PARTS, 1):
        answer = client.upload_part(**upload, PartNumber=number, Body=data, ChecksumAlgorithm=name)
        value = checksum(algorithm, data)
        parts.append({"PartNumber": number, "ETag": answer["ETag"], field: value})
    done = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    got = client.get_object(**where)
    return [
        same(got["Body"].read(), b"".join(PARTS)),
        [part["ETag"] for part in parts],
        {name: done.get(name) for name in ("ETag", field, "ChecksumType")},
        {name: got.get(name) for name in ("ETag", field, "ChecksumType")},
    ]


@pytest.mark.parametrize(("algorithm", "kind"), TYPES)
def test_the_same_as_at_the_target(comparison: Comparison, algorithm: str, kind: str) -> None:
    assert comparison.run(lambda place: in_parts(place, algorithm, kind))[0] is True
