"""A headless Chromium, driven over a pipe as its DevTools protocol says.

Rules: messages are JSON that ends with a NUL, on descriptors 3 and 4 of the browser, so that no
port and no websocket is needed; the browser has a profile of its own, which goes with it; waiting
is for a condition in the page, with a deadline.
"""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

CHROMIUM = shutil.which("chromium") or ""

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-pipe",
)
_ANSWER_SECONDS = 20.0
_POLL_SECONDS = 0.05


class Browser:
    """One browser process; use it as a context manager."""

    def __init__(self) -> None:
        self._directory = tempfile.mkdtemp(prefix="browser-")
        commands, self._commands = os.pipe()
        self._messages, messages = os.pipe()
        # The shell gives them the numbers that the browser expects: none of those may be in use.
        commands, messages = _moved(commands), _moved(messages)
        flags = (*_FLAGS, f"--user-data-dir={self._directory}", "about:blank")
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{messages}', "bash", CHROMIUM, *flags],
            pass_fds=(commands, messages),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(messages)
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._tabs: dict[str, Tab] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(_ANSWER_SECONDS)
        os.close(self._commands)
        os.close(self._messages)
        shutil.rmtree(self._directory, ignore_errors=True)

    def open(
        self,
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        scale: float = 1,
    ) -> Tab:
        """Opens a page in a tab of its own, as wide as this and in this colour scheme."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        found = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        tab = self._tabs[found["sessionId"]] = Tab(self, found["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        tab.resize(width, height, scale)
        # What moves smoothly would be somewhere else when it is clicked.
        media = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce",
        }
        features = [{"name": name, "value": value} for name, value in media.items()]
        tab.call("Emulation.setEmulatedMedia", {"features": features})
        tab.call("Page.navigate", {"url": url})
        tab.wait_for("document.readyState === 'complete'")
        return tab

    def call(
        self, method: str, params: Mapping[str, Any] | None = None, session: str | None = None
    ) -> dict[str, Any]:
        """Sends one command and returns its result. AssertionError if the browser refuses it."""
        number = next(self._numbers)
        self._answers[number] = queue.Queue()
        command = {"id": number, "method": method, "params": dict(params or {})}
        if session is not None:
            command["sessionId"] = session
        data = json.dumps(command).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data) :]
        answer = self._answers[number].get(timeout=_ANSWER_SECONDS)
        del self._answers[number]
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> None:
        rest = b""
        while data := os.read(self._messages, 1 << 20):
            *messages, rest = (rest + data).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._answers[message["id"]].put(message)
                elif tab := self._tabs.get(message.get("sessionId", "")):
                    tab.take(message["method"], message["params"])


def _moved(descriptor: int) -> int:
    """Returns a copy of a descriptor with a number that nobody expects, and closes it."""
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return copy


class Tab:
    """One page: what it asked for, what went wrong in it, and what can be done to it."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.requests: list[str] = []
        self.errors: list[str] = []  # of the console, of exceptions and of what was refused to load

    def take(self, method: str, params: Mapping[str, Any]) -> None:
        """Notes an event of the browser."""
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            detail = params["exceptionDetails"]
            self.errors.append(detail.get("exception", {}).get("description") or detail["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(
                str([one.get("description", one.get("value")) for one in params["args"]])
            )
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Sends one command about this page."""
        return self._browser.call(method, params, self._session)

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """Gives the page another size, in pixels of style."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", size)

    def evaluate(self, expression: str) -> Any:
        """Returns the value of an expression in the page; of a promise, what it becomes."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        found = self.call("Runtime.evaluate", asked)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 15.0) -> Any:
        """Returns the first true value of an expression in the page; of an element, True."""
        deadline = time.monotonic() + seconds
        # An element has no value outside of the page.
        while not (value := self.evaluate(f"(one => one instanceof Node || one)({expression})")):
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {expression}"
            time.sleep(_POLL_SECONDS)
        return value

    def text(self, selector: str) -> str:
        """Returns the text that one element shows."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def fill(self, selector: str, text: str) -> None:
        """Types a text into a field, in place of what is there."""
        field = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{field}.focus(), {field}.select()")
        self.call("Input.insertText", {"text": text})

    def click(self, selector: str) -> None:
        """Clicks in the middle of an element, with the mouse."""
        found = json.dumps(selector)
        x, y = self.evaluate(
            f"(() => {{ const one = document.querySelector({found});"
            " one.scrollIntoView({block: 'center', behavior: 'instant'});"
            " const box = one.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", event)

    def key(self, name: str) -> None:
        """Presses and releases a key that writes nothing."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", {"type": kind, "key": name, "code": name})

    def screenshot(self, *, whole: bool = False) -> bytes:
        """Returns a PNG of what is in view, or of the whole page."""
        asked: dict[str, Any] = {"format": "png", "optimizeForSpeed": False}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            asked |= {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        return base64.b64decode(self.call("Page.captureScreenshot", asked)["data"])

    def close(self) -> None:
        """Closes the page."""
        self.call("Page.close")
