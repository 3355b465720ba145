"""What is no S3: health, the UI, and the part of the REST API about repositories and branches.

Rules: the UI answers every path and every method with a page and 200; errors of the API are JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import unquote

from tests.doubles.lakefs import addressing
from tests.doubles.lakefs.authentication import Unauthorised, has_session
from tests.doubles.lakefs.store import Exists, Missing, Repository, Store
from tests.doubles.lakefs.wire import Answer, Request

PAGE = b"<!DOCTYPE html><html><head><title>lakeFS</title></head><body></body></html>"
DEFAULT_AMOUNT = 100
MAX_AMOUNT = 1000

_REPOSITORIES = re.compile(r"/api/v1/repositories(?:/(?P<repository>[^/]+)(?P<rest>/.*)?)?\Z")
_BRANCHES = re.compile(r"/branches(?:/(?P<branch>[^/]+)(?P<commits>/commits)?)?\Z")


class API:
    """The port without its S3 gateway."""

    def __init__(
        self, store: Store, keys: Mapping[str, str], tokens: Collection[str], *, has_ui: bool
    ) -> None:
        self._store = store
        self._keys = keys
        self._tokens = tokens
        self._has_ui = has_ui

    def answer(self, request: Request) -> Answer:
        path = request.raw_path.decode("latin-1")
        if path == "/_health" and request.method in ("GET", "HEAD"):
            return Answer(200, b"alive! double", {"Content-Type": "text/plain; charset=utf-8"})
        if path == "/api/v1/healthcheck":
            return Answer(204)
        if path.startswith("/api/v1/"):
            return self._rest(request, path)
        if not self._has_ui:
            return Answer(404)
        return Answer(200, PAGE, {"Content-Type": "text/html; charset=utf-8"})

    def _rest(self, request: Request, path: str) -> Answer:
        try:
            if path == "/api/v1/auth/login":
                return self._login(request)
            if not has_session(request, self._keys, self._tokens):
                raise Unauthorised
            with self._store.lock:
                return self._call(request, path)
        except Unauthorised:
            return unauthorised()
        except Missing:
            return _message(404, "not found")
        except Exists:
            return _message(409, "already exists")
        except (ValueError, KeyError) as error:
            return _message(400, str(error))

    def _login(self, request: Request) -> Answer:
        asked = json.loads(request.body.read())
        if self._keys.get(asked["access_key_id"]) != asked["secret_access_key"]:
            raise Unauthorised
        return _json(200, {"token": next(iter(self._tokens))})

    def _call(self, request: Request, path: str) -> Answer:
        found = _REPOSITORIES.match(path)
        if not found:
            return _message(404, "invalid API endpoint")
        if found["repository"] is None:
            return self._repositories(request)
        name = unquote(found["repository"])
        if name not in self._store.repositories:
            raise Missing(name)
        repository = self._store.repositories[name]
        inner = _BRANCHES.match(found["rest"]) if found["rest"] else None
        if inner:
            return _branches(request, repository, inner)
        if found["rest"] or request.method != "GET":
            return _message(404, "invalid API endpoint")
        return _json(200, _describe(repository))

    def _repositories(self, request: Request) -> Answer:
        if request.method == "GET":
            rows = {name: _describe(one) for name, one in self._store.repositories.items()}
            return _page(request, rows)
        asked = json.loads(request.body.read())
        if not addressing.is_repository_name(asked["name"]) or "storage_namespace" not in asked:
            raise ValueError("invalid repository name or storage namespace")
        branch = asked.get("default_branch", "main")
        read_only = asked.get("read_only", False)
        made = self._store.add_repository(asked["name"], branch, read_only=read_only)
        return _json(201, _describe(made))


def unauthorised() -> Answer:
    """Also what the S3 gateway answers to a bad token, cookie or password."""
    return _message(401, "error authenticating request")


def _branches(request: Request, repository: Repository, path: re.Match[str]) -> Answer:
    if path["branch"] is None:
        if request.method == "GET":
            rows = {name: _branch(repository, name) for name in repository.branches}
            return _page(request, rows)
        asked = json.loads(request.body.read())
        if not addressing.is_branch_name(asked["name"]):
            raise ValueError("invalid branch name")
        made = repository.add_branch(asked["name"], asked["source"])
        return Answer(201, made.encode(), {"Content-Type": "text/plain; charset=utf-8"})
    name = unquote(path["branch"])
    if not path["commits"]:
        if not addressing.is_branch_name(name):
            raise ValueError("invalid branch name")
        repository.branch(name)
        return _json(200, _branch(repository, name))
    message = json.loads(request.body.read())["message"]
    if repository.is_read_only or repository.branch(name).is_protected:
        return _message(403, "cannot commit to a protected branch or a read-only repository")
    commit_id = repository.commit(name, message)
    parents = list(repository.commits[commit_id].parents)
    return _json(201, {"id": commit_id, "parents": parents, "message": message})


def _branch(repository: Repository, name: str) -> dict[str, Any]:
    return {"id": name, "commit_id": repository.branches[name].commit_id}


def _describe(repository: Repository) -> dict[str, Any]:
    return {
        "id": repository.name,
        "creation_date": int(repository.created.timestamp()),
        "default_branch": next(iter(repository.branches)),
        "storage_namespace": f"mem://{repository.name}",
        "read_only": repository.is_read_only,
    }


def _page(request: Request, rows: Mapping[str, dict[str, Any]]) -> Answer:
    query = request.query
    after, prefix = query.get("after", ""), query.get("prefix", "")
    amount = min(int(query.get("amount") or DEFAULT_AMOUNT), MAX_AMOUNT)
    names = [name for name in sorted(rows) if name.startswith(prefix) and name > after]
    shown = names[:amount]
    has_more = len(names) > len(shown)
    return _json(
        200,
        {
            "pagination": {
                "has_more": has_more,
                "next_offset": shown[-1] if has_more else "",
                "results": len(shown),
                "max_per_page": MAX_AMOUNT,
            },
            "results": [rows[name] for name in shown],
        },
    )


def _json(status: int, value: object) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _message(status: int, message: str) -> Answer:
    return _json(status, {"message": message})
