"""Clients that send one request after the other until told to stop, and remember every outcome.

Rules: bounded threads; an error on a connection that had already carried a request is told apart,
because any HTTP client must expect a kept-alive connection to be closed under it and try again.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.process.harness import Gateway, ask


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request."""

    started: float  # monotonic
    status: int = 0  # 0: no answer
    target: str = ""
    request_id: str = ""
    error: str = ""  # the exception's type
    refused: bool = False  # no connection could be made
    reused: bool = False  # the connection had carried a request before


class Load:
    """`clients` threads against a gateway; use it as a context manager."""

    def __init__(
        self, gateway: Gateway, path: str, *, clients: int = 4, keep_alive: bool = True
    ) -> None:
        self._gateway = gateway
        self._path = path
        self._keep_alive = keep_alive
        self._stopped = threading.Event()
        self._changed = threading.Condition()
        self.outcomes: list[Outcome] = []
        self._threads = [
            threading.Thread(target=self._client, name=f"client {n}", daemon=True)
            for n in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Lets every client finish its request, then ends."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def wait_for(self, count: int, seconds: float = 20.0) -> None:
        """Returns when `count` more requests have ended."""
        with self._changed:
            wanted = len(self.outcomes) + count
            assert self._changed.wait_for(lambda: len(self.outcomes) >= wanted, seconds)

    def join(self, seconds: float = 30.0) -> None:
        """Waits until every client has been refused a connection: the gateway is gone."""
        for thread in self._threads:
            thread.join(seconds)
            assert not thread.is_alive()

    def failed(self) -> list[Outcome]:
        """Every request that got no 200."""
        return [outcome for outcome in self.outcomes if outcome.status != 200]

    def refused(self) -> list[Outcome]:
        """Every attempt to connect that was turned down."""
        return [outcome for outcome in self.outcomes if outcome.refused]

    def _client(self) -> None:
        while not self._stopped.is_set():
            with contextlib.closing(self._gateway.connect(30)) as connection:
                if not self._connected(connection):
                    return
                reused = False
                while not self._stopped.is_set():
                    outcome = self._one(connection, reused)
                    self._note(outcome)
                    if outcome.error or not self._keep_alive or connection.sock is None:
                        break
                    reused = True

    def _connected(self, connection: http.client.HTTPConnection) -> bool:
        started = time.monotonic()
        try:
            connection.connect()
        except OSError as error:
            self._note(Outcome(started, error=type(error).__name__, refused=True))
            return False
        return True

    def _one(self, connection: http.client.HTTPConnection, reused: bool) -> Outcome:
        started = time.monotonic()
        try:
            answer = ask(connection, "GET", self._path)
        except (OSError, http.client.HTTPException) as error:
            return Outcome(started, error=type(error).__name__, reused=reused)
        return Outcome(
            started,
            status=answer.status,
            target=answer.headers.get("x-target", ""),
            request_id=answer.headers.get("x-amz-request-id", ""),
            reused=reused,
        )

    def _note(self, outcome: Outcome) -> None:
        with self._changed:
            self.outcomes.append(outcome)
            self._changed.notify_all()
