"""s3fs at a target and through the gateway: the same work, the same outcome."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.compat.live import MIB, payload
from tests.compat.places import Comparison, Place

s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed (extra `dev`)")


@contextlib.contextmanager
def file_system(place: Place) -> Iterator[Any]:
    found = s3fs.S3FileSystem(
        key=place.keys.access_key_id,
        secret=place.keys.secret_access_key,
        endpoint_url=place.endpoint,
        client_kwargs={} if place.door.ca is None else {"verify": str(place.door.ca)},
        skip_instance_cache=True,
    )
    try:
        yield found
    finally:
        if found._s3 is not None:
            s3fs.S3FileSystem.close_session(found.loop, found._s3)


def files(place: Place) -> list[object]:
    with file_system(place) as fs:
        fs.pipe(f"{place.path}/a b+c", b"small")
        with fs.open(f"{place.path}/large", "wb", block_size=5 * MIB) as writer:
            writer.write(payload(12 * MIB))
        with fs.open(f"{place.path}/large", "rb") as reader:
            reader.seek(7 * MIB)
            middle = reader.read(1000)
        fs.cp_file(f"{place.path}/a b+c", f"{place.path}/deep/copy")
        fs.pipe(f"{place.path}/doomed", b"x")
        fs.rm(f"{place.path}/doomed")
        return [
            fs.cat(f"{place.path}/a b+c"),
            middle == payload(12 * MIB)[7 * MIB :][:1000],
            [place.own(name) for name in sorted(fs.find(place.path))],
            [place.own(name) for name in sorted(fs.ls(place.path, refresh=True))],
            fs.info(f"{place.path}/large")["size"],
            fs.exists(f"{place.path}/doomed"),
        ]


def tree(place: Place) -> list[object]:
    source = place.directory / "tree"
    (source / "deep").mkdir(parents=True)
    for number in range(5):
        (source / "deep" / f"{number}.txt").write_text("x" * number)
    with file_system(place) as fs:
        fs.put(f"{source}/", f"{place.path}/tree/", recursive=True)
        fs.get(f"{place.path}/tree/", f"{place.directory}/back/", recursive=True)
        back = sorted((place.directory / "back").rglob("*.txt"))
        fs.rm(f"{place.path}/tree/deep/4.txt")
        return [[place.own(str(file)) for file in back], [file.read_text() for file in back]]


def frames(place: Place) -> list[object]:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra `dev`)")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"number": list(range(50_000)), "name": ["odd", "even"] * 25_000})
    with file_system(place) as fs:
        parquet.write_table(table, f"{place.path}/table.parquet", filesystem=fs)
        back = parquet.read_table(f"{place.path}/table.parquet", filesystem=fs, columns=["name"])
        return [back.num_rows, back.column_names, back.column("name")[1].as_py()]


@pytest.mark.parametrize("work", [files, tree, frames])
def test_the_same_as_at_the_target(comparison: Comparison, work: Any) -> None:
    comparison.run(work)
