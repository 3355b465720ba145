"""Fixtures: a target with one object, and a configuration that routes everything to it.

Rules: no signatures here (`mode: open` on loopback); what is proved is the processes.

Not here: the gateway itself, each test starts its own (`harness`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doubles.target import Target
from tests.process.harness import open_config

OBJECT = b"0123456789" * 100


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as one:
        one.objects["/bucket/key"] = OBJECT
        yield one


@pytest.fixture
def config(target: Target) -> dict[str, object]:
    return open_config(target.url)
