"""The seed's rules with conditions, as they stand in its custom router, written in `routing`.

Rules: the rules are the example's own, taken from its text; in one of two gateways another
`default_target`, because its rules for images and batches lead where its default does. The hour is
that of the gateway's local time, which the test sets by its time zone. What landed is read from the
servers directly.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway import config
from tests.compat.live import CLIENT, MIB, configuration, read_directly, reader, s3_client, stores
from tests.compat.shared import Store
from tests.process.harness import Gateway

__all__ = ["stores"]  # a fixture

EXAMPLE = Path(__file__).parent / "files" / "10-custom-router.py"
LARGEST = 100 * MIB  # the example's own number


def seed_routing() -> dict[str, Any]:
    """The `routing` of the example's `config`."""
    found: dict[str, Any] = {}
    exec(compile(EXAMPLE.read_text(), EXAMPLE.name, "exec"), found)
    routing: dict[str, Any] = found["config"]["routing"]
    return routing


def written(stores: dict[str, Store], **routing: object) -> dict[str, object]:
    document = configuration(stores, CLIENT)
    targets: Any = document["targets"]
    for target in targets.values():  # the keys here are such that SeaweedFS sorts them
        target["profile_overrides"] = {"lists": ["encoding-type", "sorted", "start-after"]}
    return {**document, "routing": {**seed_routing(), **routing}}


def started(stores: dict[str, Store], hour: int = 12, **routing: object) -> Gateway:
    """A gateway whose local time is in that hour."""
    west = (datetime.now(UTC).hour - hour) % 24
    zone = f"Etc/GMT{west:+d}" if west <= 12 else f"Etc/GMT-{24 - west}"
    return Gateway.start(written(stores, **routing), 1, environ={"TZ": zone}, fresh=True)


@pytest.fixture(scope="module")
def names(stores: dict[str, Store]) -> dict[str, str]:
    """Buckets that both servers have, by the pattern that they match."""
    made = {kind: f"{kind}-{uuid.uuid4().hex[:12]}" for kind in ("large-files", "images", "batch")}
    for store in stores.values():
        for name in made.values():
            reader(store).create_bucket(Bucket=name)
    return made


@pytest.fixture(scope="module")
def as_written(stores: dict[str, Store]) -> Iterator[Any]:
    with started(stores) as running:
        yield s3_client(running.url, CLIENT)


@pytest.fixture(scope="module")
def otherwise_s3(stores: dict[str, Store]) -> Iterator[Any]:
    with started(stores, default_target="s3") as running:
        yield s3_client(running.url, CLIENT)


def landed(stores: dict[str, Store], bucket: str, key: str) -> list[str]:
    """The names of the servers that have an object."""
    return [name for name, store in stores.items() if read_directly(store, bucket, key) is not None]


def test_the_rules_load_as_they_stand(stores: dict[str, Store], tmp_path: Path) -> None:
    import yaml

    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump(written(stores)))
    loaded = config.load({"config": str(file)}, {})
    assert loaded.problems == []
    assert loaded.model is not None
    sizes, types, hours = (rule.conditions for rule in loaded.model.rules)
    assert sizes is not None
    assert sizes.max_size == LARGEST
    assert types is not None
    assert types.content_types == ("image/jpeg", "image/png", "image/gif")
    assert hours is not None
    assert (hours.time_range, hours.timezone) == ((2, 6), None)


@pytest.mark.parametrize(
    ("size", "target"),
    [(1, "s3"), pytest.param(LARGEST, "s3", marks=pytest.mark.slow), (LARGEST + 1, "lakefs")],
)
def test_up_to_its_size_a_file_goes_to_s3(
    as_written: Any, stores: dict[str, Store], names: dict[str, str], size: int, target: str
) -> None:
    """As its code says; its comment says the contrary. Reads, lists and deletes find both."""
    where = {"Bucket": names["large-files"], "Key": f"of {size} bytes"}
    as_written.put_object(**where, Body=bytes(size))
    assert landed(stores, *where.values()) == [target]
    assert as_written.head_object(**where)["ContentLength"] == size
    listed = as_written.list_objects_v2(Bucket=where["Bucket"])["Contents"]
    assert (where["Key"], size) in [(row["Key"], row["Size"]) for row in listed]
    as_written.delete_object(**where)
    assert landed(stores, *where.values()) == []
    with pytest.raises(ClientError, match="404"):
        as_written.head_object(**where)


@pytest.mark.slow  # 100 MiB; `process/test_chains` has it with less
def test_a_file_that_grows_moves(
    as_written: Any, stores: dict[str, Store], names: dict[str, str]
) -> None:
    """What is read first must not keep the old copy."""
    where = {"Bucket": names["large-files"], "Key": "grows"}
    as_written.put_object(**where, Body=b"small")
    assert landed(stores, *where.values()) == ["s3"]
    as_written.put_object(**where, Body=bytes(LARGEST + 1))
    assert landed(stores, *where.values()) == ["lakefs"]
    assert as_written.head_object(**where)["ContentLength"] == LARGEST + 1
    as_written.put_object(**where, Body=b"small again")
    assert as_written.get_object(**where)["Body"].read() == b"small again"
    as_written.delete_object(**where)
    assert landed(stores, *where.values()) == []


@pytest.mark.parametrize(
    ("kind", "target"),
    [("image/png", "lakefs"), ("image/gif", "lakefs"), ("image/tiff", "s3"), ("", "s3")],
)
def test_images_of_its_types_go_to_lakefs(
    otherwise_s3: Any, stores: dict[str, Store], names: dict[str, str], kind: str, target: str
) -> None:
    where = {"Bucket": names["images"], "Key": f"of {kind}"}
    otherwise_s3.put_object(**where, Body=b"image", **({"ContentType": kind} if kind else {}))
    assert landed(stores, *where.values()) == [target]
    assert otherwise_s3.get_object(**where)["Body"].read() == b"image"


@pytest.mark.parametrize(
    ("hour", "target"),
    [
        pytest.param(1, "s3", marks=pytest.mark.slow),
        pytest.param(2, "lakefs", marks=pytest.mark.slow),
        pytest.param(4, "lakefs", marks=pytest.mark.slow),
        (6, "lakefs"),
        (7, "s3"),
    ],
)
def test_batches_go_to_lakefs_in_its_hours(
    stores: dict[str, Store], names: dict[str, str], hour: int, target: str
) -> None:
    """Those in parts too, whatever the hour when their parts come."""
    where = {"Bucket": names["batch"], "Key": f"at {hour}"}
    in_parts = {"Bucket": names["batch"], "Key": f"in parts at {hour}"}
    with started(stores, hour, default_target="s3") as running:
        client = s3_client(running.url, CLIENT)
        client.put_object(**where, Body=b"batch")
        upload = client.create_multipart_upload(**in_parts)["UploadId"]
    with started(stores, 12, default_target="s3") as running:
        client = s3_client(running.url, CLIENT)
        assert client.get_object(**where)["Body"].read() == b"batch"
        part = client.upload_part(**in_parts, UploadId=upload, PartNumber=1, Body=b"part")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        client.complete_multipart_upload(**in_parts, UploadId=upload, MultipartUpload=parts)
        assert client.get_object(**in_parts)["Body"].read() == b"part"
    assert landed(stores, *where.values()) == [target]
    assert landed(stores, *in_parts.values()) == [target]
