"""Makes the answers of the admin plane: JSON, and errors with a code, a message and the path.

Rules: no answer is kept by a cache or read by a page of another origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS


class Problem(Exception):
    """A request is refused; the text is for whoever asked."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def json_answer(document: object, status: int = 200) -> Response:
    """Returns a document as JSON."""
    text = orjson.dumps(document, option=_OPTIONS, default=str)
    return Response(text, status, dict(HEADERS), "application/json")


def problem_answer(problem: Problem, request: Request) -> Response:
    """Returns an error as JSON."""
    document = {"code": problem.code, "message": problem.message, "path": request.url.path}
    answer = json_answer(document, problem.status)
    answer.headers.update(problem.headers)
    return answer
