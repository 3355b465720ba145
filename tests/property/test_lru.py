"""The cache against the simplest model there is: a list of pairs, oldest first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastpath.routing.lru import LRU

KEYS = st.integers(0, 8)
STEPS = st.lists(
    st.one_of(st.tuples(st.just("put"), KEYS, st.integers()), st.tuples(st.just("get"), KEYS))
)


@given(capacity=st.integers(1, 5), steps=STEPS)
def test_behaves_as_the_model(capacity: int, steps: list[tuple[object, ...]]) -> None:
    cache: LRU[object, object] = LRU(capacity)
    model: list[tuple[object, object]] = []
    for step in steps:
        key = step[1]
        known = [pair for pair in model if pair[0] == key]
        if step[0] == "get":
            assert cache.get(key) == (known[0][1] if known else None)
            model = [pair for pair in model if pair[0] != key] + known
        else:
            model = [pair for pair in model if pair[0] != key]
            if len(model) == capacity:
                del model[0]
            model.append((key, step[2]))
            cache.put(key, step[2])
        assert len(cache) == len(model) <= capacity
        assert all(pair[0] in cache for pair in model)
