"""What a watch shows on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from gateway.status.live import Look, Rates, rates, view
from tests.unit.gateway.status.test_shown import TARGET


def worker(pid: int, finished: int, errors: int = 0) -> dict[str, Any]:
    return {
        "worker": 0,
        "pid": pid,
        "generation": 3,
        "connections": 1,
        "requests": 2,
        "finished": finished,
        "errors_5xx": errors,
        "state": "serving",
    }


def look(time: float, *workers: dict[str, Any], **target: object) -> Look:
    found = {
        "version": "0.1.0",
        "supervisor": 40,
        "configuration": "gateway.yaml",
        "digest": "0123456789abcdef" * 4,
        "generation": 3,
        "rolled_out": True,
        "workers": list(workers),
        "targets": [{**TARGET, **target}],
    }
    return Look(time, found)


def test_rates_are_of_one_process() -> None:
    before, now = look(10.0, worker(1, 5)), look(12.0, worker(1, 25, 4), worker(2, 900))
    assert rates(before, now) == {1: Rates(10.0, 2.0)}
    assert rates(None, now) == {}
    assert rates(now, now) == {}  # a clock that was set back gives no rate


def drawn(before: Look | None, now: Look, fault: str = "") -> str:
    console = Console(width=120, force_terminal=False)
    with console.capture() as capture:
        console.print(view(before, now, fault))
    return capture.get()


def test_a_screen_has_rates_and_states() -> None:
    shown = drawn(look(10.0, worker(1, 5)), look(12.0, worker(1, 26)))
    assert "served by all workers" in shown
    assert " 10.5 " in shown
    assert "http://127.0.0.1:9000" in shown
    assert "not checked" in shown


def test_a_text_of_the_gateway_is_neither_obeyed_nor_markup() -> None:
    shown = drawn(None, look(1.0, worker(1, 1), name="a[red]b\x1b[2J"), "gone \x1b[2J")
    assert "a[red]b?[2J" in shown
    assert "no answer: gone ?[2J" in shown
    assert "\x1b" not in shown
