"""The files of the dashboard: which there are, how browsers keep them, and what they may not do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.admin.page_files import DIRECTORY, TYPES, page_file


def get(name: str | None, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a GET of a file; of the page itself without a name."""
    lines = [(key.encode(), value.encode()) for key, value in (headers or {}).items()]
    params = {} if name is None else {"name": name}
    scope = {"type": "http", "method": "GET", "headers": lines, "path_params": params}
    return asyncio.run(page_file(Request(scope)))


def test_the_page_may_ask_its_own_origin_alone() -> None:
    answer = get(None)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "connect-src 'self';" in policy


def test_a_browser_asks_whether_its_copy_is_the_same() -> None:
    first = get("app.js")
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["content-type"].startswith("text/javascript")
    etag = first.headers["etag"]
    again = get("app.js", {"if-none-match": etag})
    assert (again.status_code, again.body, again.headers["etag"]) == (304, b"", etag)
    assert get("app.js", {"if-none-match": '"other"'}).body == first.body


@pytest.mark.parametrize("name", ["page_files.py", "..", "../app.py", "", "app.js.map"])
def test_no_other_file_is_served(name: str) -> None:
    with pytest.raises(HTTPException):
        get(name)


def test_every_file_that_the_page_names_is_there_and_served() -> None:
    text = (DIRECTORY / "index.html").read_text()
    named = set(re.findall(r'(?:src|href)="page/([^"]+)"', text))
    assert named == set(TYPES) - {"index.html"}
    assert {path.name for path in DIRECTORY.iterdir()} == set(TYPES)


def test_the_page_makes_no_markup_of_text_and_keeps_nothing() -> None:
    text = (DIRECTORY / "app.js").read_text()
    unsafe = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|\beval\b"
    kept = r"localStorage|sessionStorage|document\.cookie|indexedDB"
    assert re.findall(f"{unsafe}|{kept}", text) == []
    html = (DIRECTORY / "index.html").read_text()
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|<script(?! type=\"module\" src=)", html) == []
