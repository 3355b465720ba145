"""Uploads in the streaming modes on a real server that is sent the plain bodies.

Rules: what is there afterwards is read from the server itself, past the gateway.
"""

from __future__ import annotations

import uuid
from itertools import product

import pytest

from tests.compat.live import (
    CLIENT,
    MIB,
    TARGETS,
    Side,
    payload,
    read_directly,
    reader,
    s3_client,
    same,
)
from tests.compat.test_integrity import raw_client
from tests.doubles.aws_chunked import (
    CHECKSUMS,
    MODES,
    SIGNED_TRAILER,
    UNSIGNED_TRAILER,
    cut,
    upload,
)
from tests.doubles.mutations import CASES, IDS, Mutation
from tests.process.harness import Gateway

PART = 5 * MIB


def faults(*kinds: str) -> pytest.MarkDecorator:
    """Every one; these in the fast tier: the rig sees them all (`test_payload_matrix`)."""
    cases = [
        pytest.param(*case, id=name, marks=() if case[0].name in kinds else pytest.mark.slow)
        for case, name in zip(CASES, IDS, strict=True)
    ]
    return pytest.mark.parametrize(("mutation", "mode"), cases)


@faults("signature last", "truncated middle", "wrong value")
def test_a_fault_changes_nothing(
    gateway: Gateway, sides: dict[str, Side], prefix: str, mutation: Mutation, mode: str
) -> None:
    side = sides["s3"]
    raw = raw_client(gateway.url, CLIENT)
    target = f"/{side.bucket}/{prefix}object".encode()
    assert raw.send("PUT", target, b"before")[0] == 200
    answer = mutation.make(raw, target, mode).send()
    assert (answer.status, answer.code) == (mutation.status, mutation.code)
    # Another write on the same server, so that the cut one has had its time there too.
    assert raw.send("PUT", target + b"-after", b"after")[0] == 200
    assert read_directly(side.here, side.bucket, f"{prefix}object") == b"before"


@pytest.fixture(scope="module")
def begun(gateway: Gateway, sides: dict[str, Side]) -> dict[str, str]:
    """An upload in parts that is never completed."""
    place = {"Bucket": sides["s3"].bucket, "Key": f"{uuid.uuid4().hex}/parts"}
    client = s3_client(gateway.url, CLIENT)
    return {**place, "UploadId": client.create_multipart_upload(**place)["UploadId"]}


@faults("data last", "decoded length one more", "other trailer")
def test_a_fault_leaves_no_part(
    gateway: Gateway, sides: dict[str, Side], begun: dict[str, str], mutation: Mutation, mode: str
) -> None:
    raw = raw_client(gateway.url, CLIENT)
    path = f"/{begun['Bucket']}/{begun['Key']}?uploadId={begun['UploadId']}&partNumber="
    answer = mutation.make(raw, f"{path}1".encode(), mode).send()
    assert (answer.status, answer.code) == (mutation.status, mutation.code)
    assert upload(raw, f"{path}2".encode(), mode, [b"good"]).send().status == 200
    store = sides["s3"].here
    direct, where = reader(store), {"Bucket": begun["Bucket"]}
    (own,) = direct.list_multipart_uploads(**where, Prefix=begun["Key"])["Uploads"]
    stored = direct.list_parts(**where, Key=own["Key"], UploadId=own["UploadId"])["Parts"]
    # A set: SeaweedFS lists a part as often as it was uploaded.
    assert {(part["PartNumber"], part["Size"]) for part in stored} == {(2, 4)}


@pytest.mark.parametrize("chunked", [0, 100_000], ids=["length", "chunks"])
@pytest.mark.parametrize(
    ("side", "size"),
    [
        # Two servers of one kind: in the fast tier each gets half of the sizes.
        pytest.param(side, size, marks=() if number % 2 == (side == "s3") else pytest.mark.slow)
        for side in TARGETS
        for number, size in enumerate([0, 1, MIB, 3 * MIB + 1])
    ],
    indirect=["side"],
)
@pytest.mark.parametrize("mode", MODES)
def test_an_upload_is_stored_as_it_was(
    gateway: Gateway, side: Side, prefix: str, mode: str, size: int, chunked: int
) -> None:
    raw = raw_client(gateway.url, CLIENT)
    chunks = cut(payload(size), 131072)
    made = upload(raw, f"/{side.bucket}/{prefix}object".encode(), mode, chunks)
    assert made.send(chunked=chunked).status == 200
    found = read_directly(side.here, side.bucket, f"{prefix}object")
    assert found is not None
    assert same(found, payload(size))
    head = reader(side.here).head_object(Bucket=side.bucket, Key=f"{prefix}object")
    assert "aws-chunked" not in head.get("ContentEncoding", "")


# Every algorithm in the fast tier, by one of the four ways; the rig has each by both modes.
IN_PARTS = [
    pytest.param(*way, algorithm, marks=() if number % 4 == turn else pytest.mark.slow)
    for number, algorithm in enumerate(CHECKSUMS)
    for turn, way in enumerate(product(TARGETS, [SIGNED_TRAILER, UNSIGNED_TRAILER]))
]


@pytest.mark.parametrize(("side", "mode", "algorithm"), IN_PARTS, indirect=["side"])
def test_an_upload_in_parts_with_each_checksum(
    gateway: Gateway, side: Side, prefix: str, algorithm: str, mode: str
) -> None:
    raw = raw_client(gateway.url, CLIENT)
    client = s3_client(gateway.url, CLIENT)
    place = {"Bucket": side.bucket, "Key": f"{prefix}object"}
    upload_id = client.create_multipart_upload(**place)["UploadId"]
    whole, parts = payload(PART + MIB), []
    for number, data in enumerate([whole[:PART], whole[PART:]], 1):
        query = f"partNumber={number}&uploadId={upload_id}"
        target = f"/{side.bucket}/{prefix}object?{query}".encode()
        chunks = cut(data, 262144)
        bad = upload(raw, target, mode, chunks, algorithm=algorithm)
        bad.body.frames[-2].data = b"!" + bad.body.frames[-2].data[1:]
        assert bad.send().status in (400, 403)
        answer = upload(raw, target, mode, chunks, algorithm=algorithm).send()
        assert answer.status == 200
        parts.append({"PartNumber": number, "ETag": answer.fields["etag"]})
    client.complete_multipart_upload(**place, UploadId=upload_id, MultipartUpload={"Parts": parts})
    found = read_directly(side.here, side.bucket, f"{prefix}object")
    assert found is not None
    assert same(found, whole)
