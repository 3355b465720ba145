"""The real servers, shared with the tests of clients, and who uses which bucket there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.compat.live import stores

__all__ = ["stores"]


@pytest.fixture(scope="session")
def locks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    found = base / "locks"
    found.mkdir(exist_ok=True)
    return found
