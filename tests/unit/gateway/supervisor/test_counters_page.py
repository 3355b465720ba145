"""The page of counters is made for the first configuration, and has room for the next ones."""

from __future__ import annotations

import errno
import json
import os

import pytest

from fastpath.ipc.counters import SPARE_TARGETS, Layout, Page, Slot
from fastpath.ipc.frames import FrameReader, FrameType
from gateway.supervisor import counters_page
from gateway.supervisor.counters_page import CountersError, CountersPage


def _names(*names: str) -> bytes:
    return json.dumps({"targets": names, "identities": ["i"]}).encode()


def test_it_is_made_for_the_workers_and_targets_of_the_first_configuration() -> None:
    counters = CountersPage()
    assert (counters.page, counters.layout) == (None, None)
    page = counters.take_targets(_names("a", "b"), workers=3)
    assert counters.layout == Layout.for_start(3, 2, 1)
    assert os.fstat(counters.descriptor).st_size == page.layout.size
    assert (page.block("a"), page.block("b")) == (1, 2)
    assert (page.identity_block("i"), page.identity_block("a")) == (1, 0)


def test_control_maps_the_same_page_from_what_it_is_told() -> None:
    counters = CountersPage()
    page = counters.take_targets(_names("a"), workers=2)
    (frame,) = FrameReader().feed(counters_page.frame(page.layout))
    assert frame.type is FrameType.COUNTERS
    mapped = Page(Layout(**json.loads(frame.payload)), counters.descriptor)
    mapped.control_row[Slot.LOG_WRITTEN] = 7
    assert page.totals()[Slot.LOG_WRITTEN] == 7
    assert mapped.block("a") == 1


def test_a_reload_with_more_targets_keeps_the_page() -> None:
    counters = CountersPage()
    page = counters.take_targets(_names("a"), workers=2)
    many = [f"t{number}" for number in range(SPARE_TARGETS + 5)]
    assert counters.take_targets(_names("b", *many), workers=9) is page
    assert page.layout == Layout.for_start(2, 1, 1)
    assert (page.block("a"), page.block("b"), page.block("t0")) == (1, 2, 3)
    assert page.block(many[-1]) == 0  # shares the block of those that have none


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"[]", b"null", b"[", b'{"targets": []}', b'{"targets": [1], "identities": []}'],
)
def test_garbage_is_no_list_of_targets(payload: bytes) -> None:
    counters = CountersPage()
    with pytest.raises(CountersError, match="no lists of names"):
        counters.take_targets(payload, workers=1)
    assert counters.page is None


def test_a_lack_of_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    counters = CountersPage()
    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(CountersError, match=r"no memory for the counters: .*No space left"):
        counters.take_targets(_names("a"), workers=1)


def test_a_sandbox_without_files_of_memory_has_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(name: str) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "memfd_create", refuse)
    counters = CountersPage()
    counters.take_targets(_names("a"), workers=1)
    assert not os.get_inheritable(counters.descriptor)
    assert os.fstat(counters.descriptor).st_nlink == 0
