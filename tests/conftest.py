"""What concerns a whole run of the tests.

Rules: nothing that a test could see; fixtures stand with the tests that use them.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collects the tests with the collector of garbage off, and keeps it away from them then.

    Sixteen thousand tests and their parameters stay until the end. A full collection that looks at
    them takes over a second, and many tests cause one.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
