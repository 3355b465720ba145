"""The paths of the admin plane without its server: probes, faults, queries, bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest

from fastpath.ipc.cells import BOUNDS
from fastpath.ipc.counters import Layout, Page, Slot, WorkerPhase
from gateway.admin import app as paths
from gateway.admin.access import Access
from gateway.admin.app import application
from gateway.admin.plane import Plane
from gateway.control.recent_requests import KEPT, RecentRequests
from gateway.control.reloads import Reload
from gateway.control.status import Known
from gateway.metrics.history import History

TOKEN = "0123456789abcdef"
BEARER = {"authorization": f"Bearer {TOKEN}"}


class Control:
    """What the plane is made of, and what it asked and told."""

    def __init__(self, *phases: WorkerPhase) -> None:
        self.page = Page(Layout(rows=8, targets=8))
        for number, phase in enumerate(phases):
            row = self.page.row(self.page.acquire(100 + number))
            row[Slot.WORKER], row[Slot.GENERATION], row[Slot.STATE] = number, 1, phase
        self.known = Known(1, "", 1, self.page, None, {})
        self.recent = RecentRequests()
        self.asked: list[tuple[Mapping[str, object], str]] = []
        self.lines: list[str] = []
        self.answer: Mapping[str, object] | Exception = {"ok": True}
        plane = Plane(
            known=lambda: self.known,
            access=lambda: Access(TOKEN),
            certificate=lambda: None,
            operate=self._operate,
            recent=self.recent,
            launch={},
            report=lambda line: self.lines.append(f"error: {line}"),
            warn=lambda line: self.lines.append(f"warning: {line}"),
        )
        self._app = application(plane, History(lambda: None, BOUNDS))

    async def _operate(self, asked: Mapping[str, object], who: str) -> Mapping[str, object]:
        self.asked.append((asked, who))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def ask(self, path: str, method: str = "GET", **named: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=("127.0.0.1", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as one:
                return await one.request(method, path, **named)

        return asyncio.run(asked())

    def post(self, path: str, body: object = None, **fields: str) -> httpx.Response:
        content = None if body is None else orjson.dumps(body)
        kind = {} if body is None else {"content-type": "application/json"}
        return self.ask(path, "POST", content=content, headers={**BEARER, **kind, **fields})


STARTING, SERVING, DRAINING = WorkerPhase.STARTING, WorkerPhase.SERVING, WorkerPhase.DRAINING


@pytest.mark.parametrize(
    ("phases", "started", "reason"),
    [
        ((), False, "0 of 0 workers serve"),
        ((STARTING, STARTING), False, "0 of 2 workers serve"),
        ((SERVING, STARTING), True, None),
        ((SERVING, STARTING, DRAINING), True, "1 of 3 workers serve"),
        ((DRAINING,), False, "0 of 1 workers serve"),
        ((SERVING,) * 3, True, None),
    ],
)
def test_it_is_ready_while_half_of_the_workers_serve(
    phases: tuple[WorkerPhase, ...], started: bool, reason: str | None
) -> None:
    control = Control(*phases)
    ready = control.ask("/ready")
    expected = {"ready": True} if reason is None else {"ready": False, "reason": reason}
    assert (ready.status_code, ready.json()) == (200 if reason is None else 503, expected)
    assert control.ask("/started").status_code == (200 if started else 503)
    assert control.ask("/live").status_code == 200


def test_it_is_not_ready_while_it_drains_nor_before_there_are_counters() -> None:
    control = Control(SERVING)
    control.known = replace(control.known, draining=True)
    draining = control.ask("/ready")
    assert (draining.status_code, draining.json()["reason"]) == (503, "the gateway drains")
    assert control.ask("/live").status_code == 200
    control.known = replace(control.known, draining=False, page=None)
    for path in ("/ready", "/started"):
        assert control.ask(path).status_code == 503
    for path in ("/metrics", "/api/status", "/api/stats", "/api/targets", "/api/workers"):
        assert control.ask(path).status_code == 200


def test_a_fault_is_a_line_and_an_error_without_a_traceback() -> None:
    control = Control(SERVING)
    control.answer = ValueError("a defect")
    failed = control.post("/api/drain")
    assert failed.status_code == 500
    assert failed.json() == {
        "code": "InternalError",
        "message": "This failed: see the gateway's log.",
        "path": "/api/drain",
    }
    (line,) = control.lines
    assert line.startswith("error: the admin plane: /api/drain: ValueError: a defect (test_app.py:")
    control.answer = {"ok": True}
    assert control.post("/api/drain").status_code == 200


def test_what_is_not_read_yet_is_503() -> None:
    control = Control(STARTING)
    for path in ("/api/config", "/api/routes", "/api/decision?bucket=b-b"):
        answer = control.ask(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "Starting")


@pytest.mark.parametrize("text", ["-1", "x", "1e3", "\u0661", "9" * 10, "1.5", ""])
def test_a_number_is_a_whole_number(text: str) -> None:
    control = Control(SERVING)
    for path, name in (("/api/decisions", "limit"), ("/api/history", "since")):
        answer = control.ask(path, params={name: text})
        assert answer.json()["message"] == f"{name} is no whole number."
        assert answer.status_code == 400


def test_the_last_requests_come_as_many_as_were_asked_for() -> None:
    control = Control(SERVING)
    for number in range(KEPT + 5):
        status = 200 if number % 2 else 503
        control.recent.add({"status": status, "key": f"<b>{number}", "left_out": 1})
    answer = control.ask("/api/decisions", params={"limit": "2"}).json()
    assert [one["key"] for one in answer["decisions"]] == ["<b>204", "<b>203"]
    assert answer["left_out"] == KEPT + 5
    assert [one["status"] for one in control.ask("/api/errors?limit=1").json()["errors"]] == [503]
    assert len(control.ask("/api/decisions?limit=999").json()["decisions"]) == KEPT


def test_the_last_reload_comes_first() -> None:
    control = Control(SERVING)
    refused = Reload(1.0, 0.1, False, problems=("file:3:1: no",))
    control.known = replace(control.known, reloads=(refused, Reload(2.0, 0.2, True, 7)))
    first, second = control.ask("/api/reloads").json()["reloads"]
    assert (first["generation"], second["problems"]) == (7, ["file:3:1: no"])


def test_a_change_goes_the_way_of_the_operators_socket() -> None:
    control = Control(SERVING)
    assert control.post("/api/reload", {"dry_run": True}).status_code == 200
    assert control.post("/api/reload").status_code == 200
    assert control.post("/api/targets/a%20b/disable", {}).status_code == 200
    assert [asked for asked, _ in control.asked] == [
        {"command": "reload", "dry_run": True},
        {"command": "reload", "dry_run": False},
        {"command": "disable", "target": "a b"},
    ]
    assert {who for _, who in control.asked} == {"the admin plane (from 127.0.0.1)"}
    control.answer = {"ok": False, "error": "no", "remedy": "try"}
    refused = control.post("/api/drain")
    assert (refused.status_code, refused.json()) == (409, control.answer)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/targets/a/remove", None, 404),
        ("/api/targets/a/b/disable", None, 404),
        ("/api/reload", {"dry_run": "yes"}, 400),
        ("/api/reload", {"dry_run": True, "force": True}, 400),
        ("/api/reload", [], 400),
        ("/api/drain", "now", 400),
        ("/api/drain", {"x": "y" * 5000}, 413),
    ],
)
def test_what_is_not_understood_changes_nothing(path: str, body: object, status: int) -> None:
    control = Control(SERVING)
    answer = control.post(path, body)
    assert (answer.status_code, answer.json()["path"]) == (status, path)
    assert control.asked == []


def test_only_json_is_a_body_and_it_must_come_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control(SERVING)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert control.post("/api/reload", {}, **{"content-type": kind}).status_code == 415
    monkeypatch.setattr(paths, "BODY_SECONDS", 0.0)

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.get_running_loop().create_future()

    assert control.ask("/api/drain", "POST", content=endless(), headers=BEARER).status_code == 408
    assert control.asked == []


def test_wrong_tokens_are_told_and_missing_ones_not() -> None:
    control = Control(SERVING)
    assert control.ask("/api/drain", "POST").status_code == 401
    assert control.lines == []
    wrong = {"authorization": "Bearer a-guess"}
    answer = control.ask("/api/drain", "POST", headers=wrong)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (
        401,
        'Bearer realm="s3gateway"',
    )
    assert control.lines == ["warning: the admin plane got a wrong token from 127.0.0.1"]
