"""The seed's CustomRouter, run as it stands in the router's own process, before two real servers.

Rules: the example's text is not touched. What it is given after its text, and why: its own
`config` instead of the gateway's, whose rules it has no need of; a clock that the test sets;
in one of two gateways another `default_target`, because the example's rules for images and batches
lead where its default does. What landed is read from the servers directly.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.compat.live import CLIENT, MIB, configuration, read_directly, reader, s3_client, stores
from tests.compat.shared import Store
from tests.process.harness import Gateway

__all__ = ["stores"]  # a fixture

SEED = (Path(__file__).parent / "files" / "10-custom-router.py").read_text()
# `large-files-*` below or above this: the example's own number.
LARGEST = 100 * MIB
AFTER = """
import pathlib
class Clock:
    @property
    def hour(self):
        return int(pathlib.Path(__file__).with_name("hour").read_text())
class datetime:
    now = Clock
_compile = CustomRouter.__init__
CustomRouter.__init__ = lambda self, _: _compile(self, config)
"""
OTHERWISE_S3 = "config['routing']['default_target'] = 's3'\n"


@pytest.fixture(scope="module")
def names(stores: dict[str, Store]) -> dict[str, str]:
    """Buckets that both servers have, by the pattern that they match."""
    made = {kind: f"{kind}-{uuid.uuid4().hex[:12]}" for kind in ("large-files", "images", "batch")}
    for store in stores.values():
        for name in made.values():
            reader(store).create_bucket(Bucket=name)
    return made


def started(stores: dict[str, Store], directory: Path, after: str, **routing: object) -> Gateway:
    (directory / "custom_router.py").write_text(SEED + after)
    (directory / "hour").write_text("12")
    custom = {"custom": "custom_router:CustomRouter", "custom_path": str(directory), **routing}
    # More than the default of 50 ms: on a busy machine it is about what it says, not when.
    routing = {"default_target": "s3", "custom_timeout_ms": 5000, **custom}
    return Gateway.start({**configuration(stores, CLIENT), "routing": routing}, 1)


@pytest.fixture(scope="module")
def as_written(stores: dict[str, Store], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a gateway with the example's own rules."""
    with started(stores, tmp_path_factory.mktemp("router"), AFTER) as running:
        yield s3_client(running.url, CLIENT)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("router")


@pytest.fixture(scope="module")
def otherwise_s3(stores: dict[str, Store], directory: Path) -> Iterator[Any]:
    """The same, with `s3` as the example's default; reads look at both, whatever it answers."""
    after = AFTER + OTHERWISE_S3
    with started(stores, directory, after, custom_reads=["lakefs", "s3"]) as running:
        yield s3_client(running.url, CLIENT)


def landed(stores: dict[str, Store], bucket: str, key: str) -> list[str]:
    """The names of the servers that have an object."""
    return [name for name, store in stores.items() if read_directly(store, bucket, key) is not None]


@pytest.mark.parametrize(
    ("size", "target"),
    [
        (1, "s3"),
        pytest.param(LARGEST, "s3", marks=pytest.mark.slow),
        (LARGEST + 1, "lakefs"),
    ],
)
def test_up_to_its_size_a_file_goes_to_s3(
    as_written: Any, stores: dict[str, Store], names: dict[str, str], size: int, target: str
) -> None:
    """As its code says; its comment says the contrary. Without `custom_reads` a GET has no size,
    which its code takes for none, so that larger files are not found."""
    where = {"Bucket": names["large-files"], "Key": f"of {size} bytes"}
    as_written.put_object(**where, Body=bytes(size))
    assert landed(stores, *where.values()) == [target]
    if target == "s3":
        assert as_written.get_object(**where)["ContentLength"] == size
        return
    with pytest.raises(ClientError, match="NoSuchKey"):
        as_written.get_object(**where)


@pytest.mark.parametrize(
    ("kind", "target"),
    [("image/png", "lakefs"), ("image/gif", "lakefs"), ("image/tiff", "s3"), ("", "s3")],
)
def test_images_of_its_types_go_to_lakefs_and_all_are_read(
    otherwise_s3: Any, stores: dict[str, Store], names: dict[str, str], kind: str, target: str
) -> None:
    """Where `custom_reads` says, one after the other."""
    where = {"Bucket": names["images"], "Key": f"of {kind}"}
    otherwise_s3.put_object(**where, Body=b"image", **({"ContentType": kind} if kind else {}))
    assert landed(stores, *where.values()) == [target]
    assert otherwise_s3.get_object(**where)["Body"].read() == b"image"


@pytest.mark.parametrize(
    ("hour", "target"), [(1, "s3"), (2, "lakefs"), (4, "lakefs"), (6, "lakefs"), (7, "s3")]
)
def test_batches_go_to_lakefs_in_its_hours(
    otherwise_s3: Any,
    directory: Path,
    stores: dict[str, Store],
    names: dict[str, str],
    hour: int,
    target: str,
) -> None:
    (directory / "hour").write_text(str(hour))
    where = {"Bucket": names["batch"], "Key": f"at {hour}"}
    otherwise_s3.put_object(**where, Body=b"batch")
    in_parts = {"Bucket": names["batch"], "Key": f"in parts at {hour}"}
    upload = otherwise_s3.create_multipart_upload(**in_parts)["UploadId"]  # a POST
    (directory / "hour").write_text("12")  # its parts follow it whatever the hour
    part = otherwise_s3.upload_part(**in_parts, UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    otherwise_s3.complete_multipart_upload(**in_parts, UploadId=upload, MultipartUpload=parts)
    assert landed(stores, *where.values()) == [target]
    assert landed(stores, *in_parts.values()) == [target]


def test_other_operations_of_a_batch_go_where_its_default_says(
    stores: dict[str, Store], names: dict[str, str], tmp_path: Path
) -> None:
    """Without `custom_reads`: its rule for batches is about PUT and POST, not GET and DELETE."""
    where = {"Bucket": names["batch"], "Key": "on both"}
    for store in stores.values():
        reader(store).put_object(**where, Body=store.name.encode())
    with started(stores, tmp_path, AFTER + OTHERWISE_S3) as running:
        (tmp_path / "hour").write_text("4")
        client = s3_client(running.url, CLIENT)
        assert client.get_object(**where)["Body"].read() == b"s3"
        client.delete_object(**where)
    assert landed(stores, *where.values()) == ["lakefs"]
