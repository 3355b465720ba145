"""Each page's commands and programs are executed in their order, before real stores."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from tests.compat.shared import Store
from tests.documents.blocks import pages
from tests.documents.kinds import Kind, kind_of
from tests.documents.prepared import PREPARED
from tests.documents.session import Session
from tests.documents.stores import Stores
from tests.doubles.lakefs import LakeFS

RUN = {
    page: found
    for page, blocks in pages().items()
    if any(kind_of(one) is Kind.SESSION for one in blocks)
    for found in [[one for one in blocks if kind_of(one) is Kind.SESSION or one.file]]
}

# A dozen commands each, most of them run on other pages too.
SLOW = ("docs/migration.md", "docs/operations.md", "docs/troubleshooting.md")


def _cases() -> list[object]:
    return [pytest.param(page, marks=pytest.mark.slow) if page in SLOW else page for page in RUN]


@pytest.mark.timeout(180)  # a page may wait for another one that uses the same buckets
@pytest.mark.parametrize("page", _cases())
def test_a_page_is_executed(
    page: str, stores: dict[str, Store], locks: Path, tmp_path: Path
) -> None:
    if any("curl " in one.text for one in RUN[page]) and shutil.which("curl") is None:
        pytest.skip("no curl here, which .ci/run installs")
    with contextlib.ExitStack() as ends:
        lakefs = ends.enter_context(LakeFS())
        session = Session(tmp_path, Stores(stores, lakefs, ends, locks), ends)
        PREPARED.get(page, lambda _: None)(session)
        for block in RUN[page]:
            session.run(block)


def test_every_preparation_is_of_a_page_with_commands() -> None:
    assert {*PREPARED, *SLOW} <= set(RUN)
