"""pyarrow.fs at a target and through the gateway: the same work, the same outcome."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compat.live import MIB, payload, same
from tests.compat.places import Comparison, Place

arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra `dev`)")
fs = pytest.importorskip("pyarrow.fs", reason="pyarrow has no S3 support in this build")
dataset = pytest.importorskip("pyarrow.dataset", reason="pyarrow has no datasets in this build")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow has no parquet in this build")


def file_system(place: Place) -> Any:
    return fs.S3FileSystem(
        access_key=place.keys.access_key_id,
        secret_key=place.keys.secret_access_key,
        endpoint_override=place.host,
        scheme=place.door.scheme,
        tls_ca_file_path=None if place.door.ca is None else str(place.door.ca),
        region="us-east-1",
    )


def files(place: Place) -> list[object]:
    store = file_system(place)
    for name, body in (("empty", b""), ("a b+c", b"small"), ("large", payload(12 * MIB))):
        with store.open_output_stream(f"{place.path}/{name}", metadata={"x": "y"}) as writer:
            writer.write(body)
    with store.open_input_file(f"{place.path}/large") as reader:
        middle = reader.read_at(1000, 7 * MIB)
        whole = same(reader.read(), payload(12 * MIB))
    store.copy_file(f"{place.path}/a b+c", f"{place.path}/deep/copy")
    store.move(f"{place.path}/deep/copy", f"{place.path}/deep/moved")
    listed = store.get_file_info(fs.FileSelector(place.path, recursive=True))
    return [
        middle == payload(12 * MIB)[7 * MIB :][:1000],
        whole,
        sorted((place.own(info.path), info.type.name, info.size) for info in listed),
        store.get_file_info(f"{place.path}/missing").type.name,
    ]


def frames(place: Place) -> list[object]:
    store = file_system(place)
    table = arrow.table({"number": list(range(50_000)), "part": ["a", "b"] * 25_000})
    parquet.write_table(table, f"{place.path}/one.parquet", filesystem=store)
    dataset.write_dataset(
        table,
        f"{place.path}/parts",
        filesystem=store,
        format="parquet",
        partitioning=["part"],
        partitioning_flavor="hive",
        use_threads=False,
    )
    parts = dataset.dataset(f"{place.path}/parts", filesystem=store, partitioning="hive")
    found = parts.to_table(filter=dataset.field("part") == "b", columns=["number"])
    store.delete_dir(f"{place.path}/parts/part=a")
    return [
        parquet.read_table(f"{place.path}/one.parquet", filesystem=store).equals(table),
        sorted(place.own(file) for file in parts.files),
        found.num_rows,
    ]


@pytest.mark.parametrize("work", [files, frames])
def test_the_same_as_at_the_target(comparison: Comparison, work: Any) -> None:
    comparison.run(work)
