"""Fixtures: a lakeFS double with two branches and one object, and a client of it.

Rules: `repo` has `main` and `dev`; `main/a.txt` holds OBJECT.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doubles.lakefs import LakeFS
from tests.process.lakefs.client import Client

OBJECT = b"0123456789"


@pytest.fixture
def lakefs() -> Iterator[LakeFS]:
    with LakeFS() as one:
        one.add_repository("repo", "dev")
        yield one


@pytest.fixture
def client(lakefs: LakeFS) -> Client:
    one = Client(lakefs)
    answer = one.send("PUT", "/repo/main/a.txt", OBJECT, {"content-type": "text/plain"})
    assert answer.status == 200
    return one
