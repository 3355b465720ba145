"""Owns a sorted store on loopback that fails when it is told to, and shows what it was asked.

store.answers[b"DELETE"] = unavailable()    -> each DELETE gets this, and does nothing
store.before[b"PUT"] = action               -> is called once, before the next PUT is done
store.asked()                               -> ["HEAD /data/key", ...], and forgets them
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.doubles.recording import Recorded, RecordingStore
from tests.doubles.sorted_store import Held, SortedStore


def refusal(status: int, code: str) -> bytes:
    """An answer with an error document."""
    body = f"<Error><Code>{code}</Code><Message>It says no.</Message></Error>".encode()
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/xml\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class ChainStore(RecordingStore):
    """The store; `buckets` are those of the sorted one that answers."""

    def __init__(self, *buckets: str, markers: bool = False) -> None:
        super().__init__()
        self.sorted = SortedStore(*buckets, markers=markers)
        self.answers: dict[bytes, bytes] = {}
        self.before: dict[bytes, Callable[[], None]] = {}
        self.silence: threading.Event | None = None  # until it is set, nothing is answered

    def answer(self, request: Recorded) -> bytes:
        with self.lock:
            self.requests.append(request)
        if self.silence is not None:
            self.silence.wait(30)
            return refusal(503, "SlowDown")
        with self.lock:
            action = self.before.pop(request.method, None)
            if action is not None:
                action()
            said = self.answers.get(request.method)
            if said is None:
                return self.sorted.answer(request)
            return (
                said.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == b"HEAD" else said
            )

    def holds(self, bucket: str, key: str, data: bytes, content_type: str = "text/plain") -> None:
        """Keep an object as if it had always been there."""
        self.sorted.buckets[bucket][key.encode()] = Held(data, content_type)

    def deletes(self, bucket: str, key: str) -> None:
        """Delete an object as if somebody had done so at the store itself."""
        self.sorted._remove(bucket, key.encode())

    def held(self, bucket: str, key: str) -> bytes | None:
        """The bytes of an object; None: there is none."""
        found = self.sorted.buckets[bucket].get(key.encode())
        return None if found is None else found.data

    def asked(self) -> list[str]:
        """What was asked since the last time, without the names of values."""
        with self.lock:
            found = [f"{one.method.decode()} {one.target.decode()}" for one in self.requests]
            self.requests.clear()
        return found

    def reset(self) -> None:
        """Hold nothing, and answer everything."""
        with self.lock:
            self.requests.clear()
            self.answers.clear()
            self.before.clear()
            self.silence = None
            for objects in self.sorted.buckets.values():
                objects.clear()


@contextmanager
def chain_store(*buckets: str, markers: bool = False) -> Iterator[ChainStore]:
    """Run a store in a thread for the time of the block."""
    with ChainStore(*buckets, markers=markers) as store:
        thread = threading.Thread(target=store.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield store
        finally:
            store.shutdown()
            thread.join()
