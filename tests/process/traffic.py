"""Clients that put, get and delete objects of their own, and know what each object must be.

Rules: a client is the only one who writes its objects, so what it may find is certain: what it
wrote last, or, where a write failed, either that or what was there before. An object about which
it is not certain is never written again, because the store may still get the write that failed; it
is looked at once more at the end. Bounded threads, loopback only.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import random
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.doubles.signing import RawClient

KEYS = ("TRAFFIC", "traffic-secret")
OBJECTS = 24  # of each client at a time
SECONDS = 30.0  # in which an answer must come

# Small ones, some that fill windows, few that are spliced.
_SIZES = (0, 100, 1_000, 20_000, 20_000, 200_000, 1_500_000)
_WORK = ("GET",) * 5 + ("PUT",) * 4 + ("HEAD", "DELETE")

NOTHING = ""  # the digest of an object that is not there


def configuration(url: str) -> dict[str, object]:
    """One target for everything, and an identity that must sign."""
    keys = {"access_key_id": KEYS[0], "secret_access_key": KEYS[1]}
    return {
        "auth": {"identities": [{"name": "client", **keys}]},
        "targets": {"main": {"profile": "generic", "endpoint": url, **keys}},
        "routing": {"default_target": "main"},
    }


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    request_id: str
    body: bytes


@dataclass
class Tally:
    """What became of the requests of a client."""

    answered: list[str] = field(default_factory=list)  # ids
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.answered) + len(self.failed)


class Client:
    """One client, which uses a connection for many requests or for one."""

    def __init__(self, number: int, address: tuple[str, int], seed: int) -> None:
        self._dice = random.Random(f"{seed} {number}")
        self._prefix = f"/bucket/client-{number}"
        self._names = 0
        self._signer = RawClient(*address, *KEYS)
        self._keeps = number % 2 == 0
        self._connection: socket.socket | None = None
        self._live = [self._new_name() for _ in range(OBJECTS)]
        self.certain: dict[str, str] = {}  # path -> digest
        self.unsure: dict[str, set[str]] = {}
        self.tally = Tally()

    def _new_name(self) -> str:
        self._names += 1
        return f"{self._prefix}/{self._names}"

    def work(self, ended: threading.Event) -> None:
        """One request after the other."""
        while not ended.is_set():
            place = self._dice.randrange(OBJECTS)
            self._one(self._dice.choice(_WORK), self._live[place])
            if self._live[place] in self.unsure:
                self._live[place] = self._new_name()
        self.close()

    def _one(self, method: str, path: str) -> None:
        body = b""
        if method == "PUT":
            body = self._dice.randbytes(self._dice.choice(_SIZES))
        answer = self._ask(method, path, body)
        if method in ("GET", "HEAD"):
            if answer is not None:
                self._compare(method, path, answer, {self.certain.get(path, NOTHING)})
            return
        before, after = (
            self.certain.get(path, NOTHING),
            _digest(body) if body or method == "PUT" else NOTHING,
        )
        if answer is None:
            self.certain.pop(path, None)
            self.unsure[path] = {before, after}
            return
        expected = 200 if method == "PUT" else 204 if before else 404
        if answer.status != expected:
            self.tally.wrong.append(f"{method} {path}: {answer.status}, not {expected}")
        self.certain[path] = after

    def look(self) -> None:
        """Gets every object that was ever written, once nothing fails any more."""
        for path, may_be in {**{p: {d} for p, d in self.certain.items()}, **self.unsure}.items():
            answer = self._ask("GET", path)
            if answer is None:
                self.tally.wrong.append(f"GET {path}: no answer, although nothing fails any more")
            else:
                self._compare("GET", path, answer, may_be)
        self.close()

    def _compare(self, method: str, path: str, answer: Answer, may_be: set[str]) -> None:
        found = NOTHING if answer.status == 404 else _digest(answer.body)
        if answer.status not in (200, 404):
            self.tally.wrong.append(f"{method} {path}: {answer.status}")
        elif method == "HEAD":
            if (answer.status == 404) != (may_be == {NOTHING}):
                self.tally.wrong.append(f"HEAD {path}: {answer.status}")
        elif found not in may_be:
            what = f"{len(answer.body)} bytes that nobody wrote there" if found else "it is gone"
            self.tally.wrong.append(f"GET {path}: {what}")

    def _ask(self, method: str, path: str, body: bytes = b"") -> Answer | None:
        """Returns the answer; None if there was none, or a 5xx."""
        began = time.monotonic()
        try:
            answer = self._exchange(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self.tally.failed.append(type(error).__name__)
            return None
        self.tally.seconds.append(time.monotonic() - began)
        if answer.status >= 500:
            self.tally.failed.append(str(answer.status))
            return None
        self.tally.answered.append(answer.request_id)
        return answer

    def _exchange(self, method: str, path: str, body: bytes) -> Answer:
        signed = {"x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
        head = self._signer.head(method, path.encode(), len(body), signed)
        if self._keeps:
            head = head.replace(b"\r\nconnection: close\r\n", b"\r\n")
        if self._connection is None:
            where = (self._signer.host, self._signer.port)
            self._connection = socket.create_connection(where, timeout=SECONDS)
        self._connection.sendall(head + body)
        response = http.client.HTTPResponse(self._connection, method=method)
        response.begin()
        answer = Answer(
            response.status, response.headers.get("x-amz-request-id", ""), response.read()
        )
        if not self._keeps or response.will_close:
            self.close()
        return answer

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Traffic:
    """All clients of a run."""

    def __init__(self, address: tuple[str, int], count: int, seed: int) -> None:
        self.clients = [Client(number, address, seed) for number in range(count)]
        self.seed = seed

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Within, they work."""
        ended = threading.Event()
        threads = [
            threading.Thread(target=client.work, args=(ended,), daemon=True)
            for client in self.clients
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join(2 * SECONDS)
                assert not thread.is_alive()

    def compare(self, stored: Mapping[str, bytes]) -> None:
        """Looks at every object, through the gateway and past it."""
        for client in self.clients:
            client.look()
            for path, digest in client.certain.items():
                found = _digest(stored[path]) if path in stored else NOTHING
                if found != digest:
                    client.tally.wrong.append(f"{path}: the store has something else")

    @property
    def sent(self) -> int:
        return sum(client.tally.sent for client in self.clients)

    def answered(self) -> list[str]:
        return [one for client in self.clients for one in client.tally.answered]

    def failed(self) -> list[str]:
        return [one for client in self.clients for one in client.tally.failed]

    def wrong(self) -> list[str]:
        return [one for client in self.clients for one in client.tally.wrong]

    def seconds(self) -> list[float]:
        return sorted(one for client in self.clients for one in client.tally.seconds)
