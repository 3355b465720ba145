"""The paths of the admin plane.

Rules: every path that reads answers HEAD too; one that is unknown is 404, a wrong method 405, both
as JSON; whatever an answer raises is a line of the log and 500, never a traceback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.admin import openapi
from gateway.admin.answers import HEADERS, Problem, json_answer, problem_answer
from gateway.admin.configuration import Configuration
from gateway.admin.decision import decision
from gateway.admin.page_files import page_file
from gateway.admin.plane import Plane
from gateway.admin.threads import in_thread
from gateway.admin.wrong_tokens import WrongTokens
from gateway.control.recent_requests import KEPT
from gateway.control.status import Known, status
from gateway.metrics.exposition import Exposition
from gateway.metrics.history import History
from gateway.metrics.stats import stats
from gateway.supervisor.crash import describe

# A body of a POST is a small JSON object, or nothing.
BODY_BYTES: Final = 4096
BODY_SECONDS: Final = 10.0

Endpoint = Callable[[Request], Awaitable[Response]]


class Paths:
    """The answers, by path."""

    def __init__(self, plane: Plane, history: History) -> None:
        self._plane = plane
        self._history = history
        self._configuration = Configuration(plane)
        self._exposition = Exposition(plane.known)

    # Probes and metrics

    async def live(self, request: Request) -> Response:
        """Control answers."""
        return json_answer({"live": True})

    async def started(self, request: Request) -> Response:
        """A worker serves a configuration."""
        return _probe("started", _not_started(self._plane.known()))

    async def ready(self, request: Request) -> Response:
        """Workers take new clients."""
        return _probe("ready", _not_ready(self._plane.known()))

    async def metrics(self, request: Request) -> Response:
        """The counters, for Prometheus."""
        accept = request.headers.get("accept", "")
        text, media_type = await in_thread(self._exposition.render, accept)
        return Response(text, 200, dict(HEADERS), media_type)

    # What there is

    async def status(self, request: Request) -> Response:
        """The gateway: its workers, targets and configuration."""
        changes = self._plane.access().token is not None
        return json_answer({**status(self._plane.known()), "changes": changes})

    async def workers(self, request: Request) -> Response:
        return json_answer({"workers": status(self._plane.known())["workers"]})

    async def targets(self, request: Request) -> Response:
        return json_answer({"targets": status(self._plane.known())["targets"]})

    async def stats(self, request: Request) -> Response:
        """The sums that a monitor asks for."""
        return json_answer(stats(self._plane.known()))

    async def history(self, request: Request) -> Response:
        """Ten minutes of traffic, for plots."""
        return json_answer(self._history.answer(_number(request, "since", 0)))

    async def config(self, request: Request) -> Response:
        """The configuration in force, without secrets."""
        return json_answer(await self._configuration.shown())

    async def routes(self, request: Request) -> Response:
        """The rules, in pages."""
        return json_answer(await self._configuration.routes(request.query_params))

    async def decision(self, request: Request) -> Response:
        """What would become of a request, and why."""
        loaded = await self._configuration.loaded()
        return json_answer(await decision(request.query_params, loaded))

    async def decisions(self, request: Request) -> Response:
        """The last requests."""
        recent = self._plane.recent
        found = {"decisions": recent.requests(_limit(request)), "left_out": recent.left_out}
        return json_answer(found)

    async def errors(self, request: Request) -> Response:
        """The last requests that failed."""
        recent = self._plane.recent
        found = {"errors": recent.errors(_limit(request)), "left_out": recent.left_out}
        return json_answer(found)

    async def reloads(self, request: Request) -> Response:
        """The last reloads."""
        recent = reversed(self._plane.known().reloads)
        return json_answer({"reloads": [reload.as_dict() for reload in recent]})

    async def openapi(self, request: Request) -> Response:
        """This list, as an OpenAPI document."""
        return json_answer(openapi.document())

    # Changes

    async def reload(self, request: Request) -> Response:
        """Read the configuration again; answered when every worker serves it."""
        asked = await _body(request)
        dry_run = asked.get("dry_run", False)
        if not isinstance(dry_run, bool) or set(asked) - {"dry_run"}:
            raise Problem(400, "InvalidArgument", "The body may say dry_run: true or false.")
        return await self._operate(request, {"command": "reload", "dry_run": dry_run})

    async def drain(self, request: Request) -> Response:
        """Take no new client, answer what was asked, and leave."""
        await _body(request)
        return await self._operate(request, {"command": "drain"})

    async def switch(self, request: Request) -> Response:
        """Enable or disable a target."""
        await _body(request)
        command = request.path_params["command"]
        if command not in ("enable", "disable"):
            raise HTTPException(404)
        target = request.path_params["name"]
        return await self._operate(request, {"command": command, "target": target})

    async def _operate(self, request: Request, asked: dict[str, object]) -> Response:
        client = request.client.host if request.client is not None else "?"
        answer = await self._plane.operate(asked, f"the admin plane (from {client})")
        return json_answer(answer, 200 if answer.get("ok") else 409)

    def all(self) -> list[Route]:
        """Returns the routes; `openapi` describes the same ones."""
        reading: dict[str, Endpoint] = {
            "/": page_file,
            "/page/{name}": page_file,
            "/live": self.live,
            "/ready": self.ready,
            "/started": self.started,
            "/metrics": self.metrics,
            "/api/status": self.status,
            "/api/config": self.config,
            "/api/routes": self.routes,
            "/api/decision": self.decision,
            "/api/decisions": self.decisions,
            "/api/errors": self.errors,
            "/api/reloads": self.reloads,
            "/api/targets": self.targets,
            "/api/workers": self.workers,
            "/api/stats": self.stats,
            "/api/history": self.history,
            "/openapi.json": self.openapi,
        }
        changing: dict[str, Endpoint] = {
            "/api/reload": self.reload,
            "/api/drain": self.drain,
            "/api/targets/{name}/{command}": self.switch,
        }
        return [
            *(Route(path, endpoint) for path, endpoint in reading.items()),
            *(Route(path, endpoint, methods=["POST"]) for path, endpoint in changing.items()),
        ]


def application(plane: Plane, history: History) -> ASGIApp:
    """Returns the admin plane of a control process; somebody else takes the history's samples."""
    app = Starlette(
        routes=Paths(plane, history).all(),
        exception_handlers={HTTPException: _http_problem, Problem: _problem, Exception: _failure},
    )
    app.router.redirect_slashes = False  # a path has one spelling
    return _Guarded(app, plane)


class _Guarded:
    """Checks who asks before the application sees the request, and tells of what fails in it."""

    def __init__(self, app: ASGIApp, plane: Plane) -> None:
        self._app = app
        self._plane = plane
        self._wrong_tokens = WrongTokens(plane.warn)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            self._plane.access().check(request)
        except Problem as problem:
            if problem.status == 401 and "authorization" in request.headers:
                self._wrong_tokens.count(request.client.host if request.client else "?")
            await problem_answer(problem, request)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except Exception as fault:  # Starlette has answered it
            self._plane.report(f"the admin plane: {scope['path']}: {describe(fault)}")


async def _problem(request: Request, found: Exception) -> Response:
    assert isinstance(found, Problem)
    return problem_answer(found, request)


async def _failure(request: Request, fault: Exception) -> Response:
    problem = Problem(500, "InternalError", "This failed: see the gateway's log.")
    return problem_answer(problem, request)


async def _http_problem(request: Request, found: Exception) -> Response:
    assert isinstance(found, HTTPException)
    code = {404: "NotFound", 405: "MethodNotAllowed"}.get(found.status_code, "Refused")
    problem = Problem(found.status_code, code, f"{found.detail}.", found.headers)
    return problem_answer(problem, request)


def _probe(name: str, reason: str | None) -> Response:
    if reason is None:
        return json_answer({name: True})
    return json_answer({name: False, "reason": reason}, 503)


def _not_ready(known: Known) -> str | None:
    """Returns why the gateway would not serve a new client; None: it would."""
    if known.draining:
        return "the gateway drains"
    found, serving = _workers(known)
    # As many as half: a worker that was just replaced keeps its clients waiting in its queue.
    if not serving or 2 * serving < found:
        return f"{serving} of {found} workers serve"
    return None


def _not_started(known: Known) -> str | None:
    """Returns why no client was served yet; None: it was, or could have been."""
    # Not the generation that control knows: one that replaces another knows none for a moment.
    return None if _workers(known)[1] else "no configuration is served yet"


def _workers(known: Known) -> tuple[int, int]:
    """Returns how many workers there are, and how many of them take new clients."""
    found = status(known)["workers"]
    assert isinstance(found, list)
    return len(found), sum(1 for worker in found if worker["state"] == "serving")


def _limit(request: Request) -> int:
    return min(_number(request, "limit", KEPT), KEPT)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Problem(400, "InvalidArgument", f"{name} is no whole number.")
    return int(text)


async def _body(request: Request) -> dict[str, object]:
    """Returns the JSON object that a POST carries; an empty one without a body."""
    text = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                text += piece
                if len(text) > BODY_BYTES:
                    raise Problem(413, "TooLarge", f"The body has more than {BODY_BYTES} bytes.")
    except TimeoutError:
        raise Problem(408, "Timeout", "The body did not come in time.") from None
    if not text:
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Problem(415, "UnsupportedMediaType", "The body must be application/json.")
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Problem(400, "InvalidArgument", "The body is no JSON object.")
    return found
