"""polars (with an object_store of its own) at a target and through the gateway."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compat.places import Comparison, Place

polars = pytest.importorskip("polars", reason="polars is not installed (extra `dev`)")


def options(place: Place, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found = {
        "aws_endpoint_url": place.endpoint,
        "aws_access_key_id": place.keys.access_key_id,
        "aws_secret_access_key": place.keys.secret_access_key,
        "aws_region": "us-east-1",
    }
    if place.door.ca is None:
        return {**found, "aws_allow_http": "true"}
    monkeypatch.setenv("SSL_CERT_FILE", str(place.door.ca))  # it has no option of its own
    return found


def frames(place: Place, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    stored: Any = options(place, monkeypatch)
    root = f"s3://{place.path}"
    frame = polars.DataFrame({"number": range(200_000), "part": ["a", "b"] * 100_000})
    frame.write_parquet(f"{root}/whole.parquet", storage_options=stored)
    frame.lazy().sink_parquet(f"{root}/a b+c.parquet", storage_options=stored)
    frame.write_csv(f"{root}/rows.csv", storage_options=stored)
    whole = polars.scan_parquet(f"{root}/*.parquet", storage_options=stored)
    few = whole.filter(polars.col("number").is_between(7, 9)).select("number")
    rows = polars.scan_csv(f"{root}/rows.csv", storage_options=stored)
    return [
        polars.read_parquet(f"{root}/whole.parquet", storage_options=stored).equals(frame),
        sorted(few.collect()["number"].to_list()),
        rows.group_by("part").len().sort("part").collect().rows(),
    ]


def test_the_same_as_at_the_target(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    found = comparison.run(lambda place: frames(place, monkeypatch))
    assert found == [True, [7, 7, 8, 8, 9, 9], [("a", 100_000), ("b", 100_000)]]
