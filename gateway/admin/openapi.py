"""The admin plane's paths as an OpenAPI 3.1 document; docs/operations.md says what they mean."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway import __version__
from gateway.admin.decision import NAMES


class Path(NamedTuple):
    """A path: what it answers, and the names of its query."""

    summary: str
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()  # members of a POST's object; all are booleans


READ: Final = {
    "/": Path("The dashboard, a page for browsers"),
    "/page/{name}": Path("A file of the dashboard"),
    "/live": Path("Whether control answers"),
    "/ready": Path("Whether workers take new clients; 503 if not"),
    "/started": Path("Whether a configuration is served; 503 if not"),
    "/metrics": Path("The counters, as Prometheus and OpenMetrics read them"),
    "/api/status": Path("Configuration, workers and targets of the running gateway"),
    "/api/config": Path("The configuration in force without secrets, and the origin of each value"),
    "/api/routes": Path("The rules, in pages", ("offset", "limit", "search")),
    "/api/decision": Path("What would become of a request, and why", tuple(sorted(NAMES))),
    "/api/decisions": Path("The last requests, newest first", ("limit",)),
    "/api/errors": Path("The last requests that failed, newest first", ("limit",)),
    "/api/reloads": Path("The last reloads, newest first"),
    "/api/targets": Path("Targets with their health and breakers"),
    "/api/workers": Path("Workers, and what they have open"),
    "/api/stats": Path("Sums of requests, failures, times and targets"),
    "/api/history": Path("Ten minutes of traffic by target, for plots", ("since",)),
    "/openapi.json": Path("This document"),
}
CHANGE: Final = {
    "/api/reload": Path("Read the configuration again, answered when served", body=("dry_run",)),
    "/api/drain": Path("Take no new client, answer what was asked, leave"),
    "/api/targets/{name}/{command}": Path("Enable or disable a target (command)"),
}

_ERROR: Final = {"description": "An error: code, message, path"}


def document() -> dict[str, object]:
    """Returns the document."""
    paths: dict[str, object] = {path: {"get": _read(path, one)} for path, one in READ.items()}
    paths |= {path: {"post": _change(path, one)} for path, one in CHANGE.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "s3gateway admin plane", "version": __version__},
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _read(at: str, path: Path) -> dict[str, object]:
    queried = [_parameter(name, "query") for name in path.query]
    return {
        "summary": path.summary,
        "parameters": _in_path(at) + queried,
        "responses": {"200": {"description": path.summary}, "default": _ERROR},
    }


def _change(at: str, path: Path) -> dict[str, object]:
    found: dict[str, object] = {
        "summary": path.summary,
        "security": [{"token": []}],
        "responses": {
            "200": {"description": "It is done"},
            "409": {"description": "It is refused: error, and remedy or problems"},
            "default": _ERROR,
        },
    }
    if named := _in_path(at):
        found["parameters"] = named
    if path.body:
        members = {name: {"type": "boolean"} for name in path.body}
        schema = {"type": "object", "properties": members}
        found["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return found


def _in_path(at: str) -> list[dict[str, object]]:
    return [_parameter(name, "path") for name in ("name", "command") if f"{{{name}}}" in at]


def _parameter(name: str, where: str) -> dict[str, object]:
    return {"name": name, "in": where, "required": where == "path", "schema": {"type": "string"}}
