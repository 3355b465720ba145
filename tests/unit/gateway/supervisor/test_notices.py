"""Messages to the operator: one line each, whatever is in them."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable

import pytest

from fastpath.ipc.counters import SLOTS, Slot
from gateway.supervisor.notices import Notices, plural


def test_a_message_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    Notices().warning("two\nlines")
    assert capfd.readouterr().err.endswith("Z s3gateway: warning: two; lines\n")


def test_messages_below_the_level_are_not_written(capfd: pytest.CaptureFixture[str]) -> None:
    notices = Notices("warning")
    notices.info("no")
    notices.error("yes")
    assert capfd.readouterr().err.endswith("Z s3gateway: error: yes\n")


def test_an_unknown_level_means_info(capfd: pytest.CaptureFixture[str]) -> None:
    notices = Notices("None", "None")
    notices.debug("no")
    notices.info("yes")
    assert capfd.readouterr().err.endswith("Z s3gateway: info: yes\n")


def test_json_messages_are_json(capfd: pytest.CaptureFixture[str]) -> None:
    Notices("info", "json").error('with "quotes"')
    entry = json.loads(capfd.readouterr().err)
    assert (entry["level"], entry["message"]) == ("error", 'with "quotes"')


def test_counts_are_grammatical() -> None:
    assert plural(1, "worker") == "1 worker"
    assert plural(2, "worker") == "2 workers"
    assert plural(0, "problem") == "0 problems"


def test_a_line_begins_with_its_time(capfd: pytest.CaptureFixture[str]) -> None:
    """D4: in text form too; the time of what happened, where that was earlier."""
    Notices().say("info", "yes", at=1795910400.25)
    assert capfd.readouterr().err == "2026-11-29T00:00:00.250Z s3gateway: info: yes\n"


def _pipe() -> tuple[int, int]:
    return os.pipe()


def _sockets() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


@pytest.mark.parametrize("pair", [_pipe, _sockets])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_full_standard_error_loses_lines_and_counts_them(
    pair: Callable[[], tuple[int, int]], form: str
) -> None:
    """A8: whatever the descriptor is, and although it blocks: others may hold it as well."""
    reader, writer = pair()
    saved = os.dup(2)
    row = memoryview(bytearray(SLOTS * 8)).cast("Q")
    os.dup2(writer, 2)
    try:
        os.set_blocking(reader, False)
        notices = Notices("info", form)
        notices.count_in(row)
        told = 0
        while not row[Slot.NOTICES_LOST]:
            notices.info(f"{told} {'x' * 5000}")  # longer than a pipe takes in one piece
            told += 1
        notices.info("lost as well")
        heard = _read_all(reader)
        notices.info("again")
        heard += _read_all(reader)
    finally:
        os.dup2(saved, 2)
        for descriptor in (saved, reader, writer):
            os.close(descriptor)
    assert row[Slot.NOTICES_LOST] == 2
    *_, missing, last = heard.decode().splitlines()
    assert "2 messages lost: standard error was full or closed" in missing
    assert "again" in last
    if form == "json":
        assert json.loads(last)["message"] == "again"
        json.loads(missing)


def _read_all(descriptor: int) -> bytes:
    heard = b""
    try:
        while data := os.read(descriptor, 65536):
            heard += data
    except BlockingIOError:
        pass
    return heard


def test_a_closed_standard_error_loses_lines() -> None:
    """A8: the reader has left."""
    reader, writer = os.pipe()
    saved = os.dup(2)
    row = memoryview(bytearray(SLOTS * 8)).cast("Q")
    os.dup2(writer, 2)
    os.close(reader)
    try:
        notices = Notices()
        notices.count_in(row)
        notices.info("nobody hears")
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(writer)
    assert row[Slot.NOTICES_LOST] == 1


def test_lines_that_were_lost_before_there_were_counters_are_counted_then() -> None:
    reader, writer = os.pipe()
    saved = os.dup(2)
    row = memoryview(bytearray(SLOTS * 8)).cast("Q")
    row[Slot.NOTICES_LOST] = 1  # by an earlier process
    os.dup2(writer, 2)
    os.close(reader)
    try:
        notices = Notices()
        notices.info("nobody hears")
        notices.info("nor this")
        notices.count_in(row)
        assert row[Slot.NOTICES_LOST] == 3
        notices.info("nor that")
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(writer)
    assert row[Slot.NOTICES_LOST] == 4
