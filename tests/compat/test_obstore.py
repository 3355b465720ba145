"""obstore (Rust's object_store, as polars has it too) at a target and through the gateway."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compat.live import MIB, payload, same
from tests.compat.places import Comparison, Place

obstore = pytest.importorskip("obstore", reason="obstore is not installed (extra `dev`)")
stores = pytest.importorskip("obstore.store", reason="obstore is not installed (extra `dev`)")


def store(place: Place) -> Any:
    options: dict[str, object] = {"allow_http": True}
    if place.door.ca is not None:
        options = {"root_certificate": place.door.ca.read_bytes()}
    return stores.S3Store(
        place.bucket,
        endpoint=place.endpoint,
        access_key_id=place.keys.access_key_id,
        secret_access_key=place.keys.secret_access_key,
        region="us-east-1",
        client_options=options,
    )


def files(place: Place) -> list[object]:
    bucket, prefix = store(place), place.prefix
    obstore.put(bucket, f"{prefix}empty", b"")
    obstore.put(bucket, f"{prefix}a b+c", b"small", attributes={"Content-Type": "x/y"})
    obstore.put(bucket, f"{prefix}large", payload(12 * MIB), chunk_size=5 * MIB)
    obstore.put(bucket, f"{prefix}doomed", b"x")
    obstore.delete(bucket, f"{prefix}doomed")
    obstore.copy(bucket, f"{prefix}a b+c", f"{prefix}deep/copy")
    listed = [entry for batch in obstore.list(bucket, prefix) for entry in batch]
    shallow = obstore.list_with_delimiter(bucket, prefix)
    return [
        same(bytes(obstore.get(bucket, f"{prefix}large").bytes()), payload(12 * MIB)),
        bytes(obstore.get_range(bucket, f"{prefix}large", start=7 * MIB, end=7 * MIB + 100)),
        sorted((place.own(entry["path"]), entry["size"], entry["e_tag"]) for entry in listed),
        [place.own(name) for name in shallow["common_prefixes"]],
        sorted(place.own(entry["path"]) for entry in shallow["objects"]),
        obstore.get(bucket, f"{prefix}a b+c").attributes,
    ]


def conditions(place: Place) -> list[object]:
    bucket, key = store(place), f"{place.prefix}once"
    outcomes = []
    for body in (b"first", b"second"):
        try:
            obstore.put(bucket, key, body, mode="create")
            outcomes.append("created")
        except obstore.exceptions.BaseError as error:
            outcomes.append(type(error).__name__)
    try:
        obstore.get(bucket, f"{place.prefix}missing")
    except FileNotFoundError as error:
        outcomes.append(type(error).__name__)
    return [outcomes, bytes(obstore.get(bucket, key).bytes())]


def test_files_are_the_same_as_at_the_target(comparison: Comparison) -> None:
    assert comparison.run(files)[0] is True


def test_conditions_are_the_same_as_at_the_target(comparison: Comparison) -> None:
    outcomes, body = comparison.run(conditions)
    assert outcomes == ["created", "AlreadyExistsError", "FileNotFoundError"]
    assert body == b"first"
