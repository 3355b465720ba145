"""The demo's comparison of a bucket with what it was moved to finds every kind of loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.demo import migration
from gateway.demo.migration import Stored
from gateway.demo.run import FAILURES

Objects = dict[str, Stored]


def objects() -> Objects:
    return {
        sample.key: Stored(len(sample.body), "digest", sample.content_type, sample.metadata)
        for sample in migration.samples()
    }


def test_the_samples_are_many_sizes_types_and_hard_names() -> None:
    found = list(migration.samples())
    assert len({sample.key for sample in found}) == migration.COUNT
    assert len({sample.body for sample in found}) == migration.COUNT
    assert set("+ %&í本") <= set("".join(sample.key for sample in found))
    sizes = sorted(len(sample.body) for sample in found)
    assert sizes[0] == 0
    assert sizes[-1] == 12 << 20


def test_the_same_objects_are_well() -> None:
    migration.check(objects(), objects())


def lose(new: Objects, key: str) -> None:
    del new[key]


def swap_bytes(new: Objects, key: str) -> None:
    new[key] = replace(new[key], sha256="other")


def lose_type(new: Objects, key: str) -> None:
    new[key] = replace(new[key], content_type="binary/octet-stream")


def lose_metadata(new: Objects, key: str) -> None:
    new[key] = replace(new[key], metadata={})


def add(new: Objects, key: str) -> None:
    new[f"{key} again"] = new[key]


@pytest.mark.parametrize("harm", [lose, swap_bytes, lose_type, lose_metadata, add])
def test_one_object_that_differs_fails_the_demo(harm: Callable[[Objects, str], None]) -> None:
    old, new = objects(), objects()
    key = list(old)[7]
    harm(new, key)
    with pytest.raises(FAILURES, match="1 differences between") as failed:
        migration.check(old, new)
    assert key in str(failed.value)


def test_a_bucket_that_was_not_filled_fails_the_demo() -> None:
    with pytest.raises(FAILURES, match="holds 0 objects instead of 200"):
        migration.check({}, {})
