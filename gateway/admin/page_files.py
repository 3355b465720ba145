"""Serves the files of the dashboard (`gateway/admin/page`).

Rules: only the files that are named here; a browser asks each time whether its copy is the same, as
a gateway of another version may answer at this address tomorrow.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import aiofiles
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.admin.answers import HEADERS

DIRECTORY: Final = Path(__file__).parent / "page"
INDEX: Final = "index.html"
TYPES: Final = {
    INDEX: "text/html; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "app.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


async def page_file(request: Request) -> Response:
    """Returns a file of the page, the page itself without a name; 304 if the browser has it."""
    name = request.path_params.get("name", INDEX)
    if name not in TYPES:
        raise HTTPException(404)
    async with aiofiles.open(DIRECTORY / name, "rb") as file:
        content = await file.read()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "cache-control": "no-cache", "etag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(content, 200, headers, TYPES[name])
