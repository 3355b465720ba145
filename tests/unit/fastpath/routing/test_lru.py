"""The bounded cache: what stays and what goes."""

from __future__ import annotations

import pytest

from fastpath.routing.lru import LRU


def filled(*keys: str, capacity: int = 3) -> LRU[str, str]:
    cache: LRU[str, str] = LRU(capacity)
    for key in keys:
        cache.put(key, key.upper())
    return cache


def test_what_was_put_is_there() -> None:
    cache = filled("a")
    assert cache.get("a") == "A"
    assert "a" in cache
    assert len(cache) == 1


def test_the_oldest_leaves() -> None:
    cache = filled("a", "b", "c", "d")
    assert "a" not in cache
    assert [key for key in "bcd" if key in cache] == ["b", "c", "d"]


def test_reading_makes_new() -> None:
    cache = filled("a", "b", "c")
    cache.get("a")
    cache.put("d", "D")
    assert "a" in cache
    assert "b" not in cache


def test_looking_does_not_make_new() -> None:
    cache = filled("a", "b", "c")
    assert "a" in cache
    cache.put("d", "D")
    assert "a" not in cache


def test_putting_again_replaces_and_makes_new_without_evicting() -> None:
    cache = filled("a", "b", "c")
    cache.put("a", "other")
    assert len(cache) == 3
    cache.put("d", "D")
    assert cache.get("a") == "other"
    assert "b" not in cache


def test_one_entry_is_the_least() -> None:
    cache = filled("a", "b", capacity=1)
    assert "a" not in cache
    assert cache.get("b") == "B"
    with pytest.raises(ValueError, match="at least one"):
        LRU(0)
