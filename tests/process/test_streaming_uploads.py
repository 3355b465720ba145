"""Uploads in the streaming modes through real processes to a store that keeps what it is told.

Rules: the store believes every whole request, so that an object there is one the gateway let by.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from tests.doubles.aws_chunked import MODES, read, upload
from tests.doubles.mutations import CASES, CHUNKS, IDS, Mutation
from tests.doubles.recording import RecordingStore, recording_store
from tests.doubles.signing import RawClient
from tests.doubles.uploads import begun
from tests.process.harness import Gateway

KEY = ("STREAMINGCLIENT", "streaming-secret")
TARGET_SECRET = "target-secret"
SHAPES: dict[str, list[bytes]] = {
    "empty": [],
    "small": [b"small"],
    "many": CHUNKS,
    "large": [bytes(range(256)) * 8192] * 2,
}
PARTS = {"PutObject": False, "UploadPart": True}
BUCKETS = ("takes-it", "lacks-it")
SPEEDS = {"at once": False, "byte by byte": True}
# Every fault in each of these ways; the fast tier has one of each kind in one of them, in turn:
# what breaks off, what is wrong where a chunk, the body or a trailer ends, what ends too early. The
# rig has them all (tests/unit/fastpath/payload/test_payload_matrix.py).
WAYS = list(product(BUCKETS, PARTS, SPEEDS))
KINDS = {
    "signature middle",
    "data unsigned last",
    "truncated first",
    "no last chunk",
    "decoded length one less",
    "wrong value",
    "trailer signature",
    "empty, truncated",
}
ONE_OF_EACH = [case for case in CASES if case[0].name in KINDS]
FAULTS = [
    pytest.param(
        *case,
        bucket,
        PARTS[part],
        SPEEDS[speed],
        id=f"{name}-{bucket}-{part}-{speed}",
        marks=()
        if case in ONE_OF_EACH and ONE_OF_EACH.index(case) % len(WAYS) == turn
        else pytest.mark.slow,
    )
    for case, name in zip(CASES, IDS, strict=True)
    for turn, (bucket, part, speed) in enumerate(WAYS)
]
HTTP_CHUNKS = {"length": 0, "chunks": 65536}


@pytest.fixture(scope="module")
def store() -> Iterator[RecordingStore]:
    with recording_store() as running:
        yield running


@pytest.fixture(scope="module")
def client(store: RecordingStore) -> Iterator[RawClient]:
    def target(profile: str) -> dict[str, str]:
        keys = {"access_key_id": "TARGETKEY", "secret_access_key": TARGET_SECRET}
        return {"profile": profile, "endpoint": store.endpoint, **keys}

    identity = {"name": "client", "access_key_id": KEY[0], "secret_access_key": KEY[1]}
    config = {
        "auth": {"identities": [identity]},
        "targets": {"takes": target("s3"), "lacks": target("generic")},
        "routing": {
            "rules": [{"pattern": "lacks-*", "target": "lacks"}],
            "default_target": "takes",
        },
    }
    with Gateway.start(config, workers=1) as gateway:
        yield RawClient(*gateway.address, *KEY)


@pytest.fixture(scope="module")
def upload_ids(client: RawClient) -> dict[str, str]:
    """Of an upload to `object` in each bucket."""
    return {
        bucket: begun(client.send("POST", f"/{bucket}/object?uploads".encode())[1])
        for bucket in BUCKETS
    }


def place(bucket: str, upload_ids: dict[str, str], *, part: bool) -> bytes:
    query = f"?partNumber=1&uploadId={upload_ids[bucket]}" if part else ""
    return f"/{bucket}/object{query}".encode()


@pytest.mark.parametrize(("mutation", "mode", "bucket", "part", "slowly"), FAULTS)
def test_a_fault_leaves_no_object(
    client: RawClient,
    store: RecordingStore,
    upload_ids: dict[str, str],
    mutation: Mutation,
    mode: str,
    bucket: str,
    part: bool,
    slowly: bool,
) -> None:
    store.forget()
    made = mutation.make(client, place(bucket, upload_ids, part=part), mode)
    answer = made.send(slowly=slowly)
    assert (answer.status, answer.code) == (mutation.status, mutation.code)
    # One more request on the way behind it: the store has had its time.
    control = upload(client, f"/{bucket}/control".encode(), mode, CHUNKS)
    assert control.send().status == 200
    assert set(store.objects) == {f"/{bucket}/control".encode()}


@pytest.mark.parametrize("chunked", HTTP_CHUNKS.values(), ids=HTTP_CHUNKS)
@pytest.mark.parametrize(
    "part",
    [
        pytest.param(part, id=name, marks=pytest.mark.slow if part else ())
        for name, part in PARTS.items()
    ],
)
@pytest.mark.parametrize("bucket", BUCKETS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_a_good_upload_is_stored_as_it_was(
    client: RawClient,
    store: RecordingStore,
    upload_ids: dict[str, str],
    mode: str,
    shape: str,
    bucket: str,
    part: bool,
    chunked: int,
) -> None:
    store.forget()
    made = upload(client, place(bucket, upload_ids, part=part), mode, SHAPES[shape])
    assert made.send(chunked=chunked).status == 200
    stored = store.last()
    body = stored.body
    if bucket == "takes-it":
        body, _ = read(stored.head, body, TARGET_SECRET)
    assert body == b"".join(SHAPES[shape])
