"""Messages to the operator: one line each, whatever is in them."""

from __future__ import annotations

import json

import pytest

from gateway.supervisor.notices import Notices, plural


def test_a_message_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    Notices().warning("two\nlines")
    assert capfd.readouterr().err == "s3gateway: warning: two; lines\n"


def test_messages_below_the_level_are_not_written(capfd: pytest.CaptureFixture[str]) -> None:
    notices = Notices("warning")
    notices.info("no")
    notices.error("yes")
    assert capfd.readouterr().err == "s3gateway: error: yes\n"


def test_an_unknown_level_means_info(capfd: pytest.CaptureFixture[str]) -> None:
    notices = Notices("None", "None")
    notices.debug("no")
    notices.info("yes")
    assert capfd.readouterr().err == "s3gateway: info: yes\n"


def test_json_messages_are_json(capfd: pytest.CaptureFixture[str]) -> None:
    Notices("info", "json").error('with "quotes"')
    entry = json.loads(capfd.readouterr().err)
    assert (entry["level"], entry["message"]) == ("error", 'with "quotes"')


def test_counts_are_grammatical() -> None:
    assert plural(1, "worker") == "1 worker"
    assert plural(2, "worker") == "2 workers"
    assert plural(0, "problem") == "0 problems"
