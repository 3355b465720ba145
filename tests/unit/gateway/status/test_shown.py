"""The lines of a status."""

from __future__ import annotations

from typing import Any

from gateway.status.shown import lines

NOW = 1700000600.0
TARGET: dict[str, Any] = {
    "name": "s3",
    "configured": True,
    "endpoint": "http://127.0.0.1:9000",
    "disabled": False,
    "can_be_disabled": True,
    "health": None,
    "breakers": [],
}
WORKER = {"worker": 0, "pid": 41, "generation": 3, "connections": 1, "requests": 2}


def shown(*targets: dict[str, Any], **facts: object) -> list[str]:
    found = {
        "version": "0.1.0",
        "supervisor": 40,
        "configuration": "gateway.yaml",
        "digest": "0123456789abcdef" * 4,
        "generation": 3,
        "rolled_out": True,
        "workers": [WORKER],
        "targets": targets,
        **facts,
    }
    return list(lines(found, NOW))


def test_a_gateway_in_order() -> None:
    assert shown(TARGET) == [
        "gateway 40 (version 0.1.0), configuration of gateway.yaml",
        "generation 3, digest 0123456789abcdef, served by all workers",
        "worker 0: pid 41, generation 3, 1 connection, 2 requests in flight",
        "target s3 (http://127.0.0.1:9000): enabled; not checked",
    ]


def test_one_without_a_file_that_has_just_been_started() -> None:
    head = shown(configuration=None, digest=None, rolled_out=False)[:2]
    assert head == [
        "gateway 40 (version 0.1.0), configuration of the environment",
        "generation 3, digest not known yet, on its way to the workers",
    ]


def test_health_and_breakers() -> None:
    health = {"state": "unhealthy", "since": NOW - 42, "checked": NOW, "fault": "refused"}
    breakers = [{"worker": 0, "state": "open", "since": NOW - 600}]
    assert shown({**TARGET, "health": health, "breakers": breakers})[3] == (
        "target s3 (http://127.0.0.1:9000): enabled; unhealthy since 2023-11-14T22:22:38Z "
        "(42 s): refused; breaker of worker 0 open since 2023-11-14T22:13:20Z (10 min)"
    )


def test_what_an_operator_should_act_on() -> None:
    assert shown({**TARGET, "disabled": True})[4].startswith(
        "warning: target s3 is disabled by an operator: its requests are refused with 503"
    )
    gone = {**TARGET, "disabled": True, "configured": False, "endpoint": None}
    assert shown(gone)[4].startswith("warning: target s3 is disabled, and in no use")
    assert shown({**TARGET, "can_be_disabled": False})[4].startswith(
        "warning: target s3 has no counters of its own"
    )


def test_nothing_writes_to_the_terminal_but_text() -> None:
    assert shown(configuration="\x1b[2Jevil\n")[0].endswith("configuration of ?[2Jevil?")
