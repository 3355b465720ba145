"""Becomes an ordinary user, uses up its pipes, and looks at what becomes of an answer meanwhile.

A program of its own, because a process that has given up root never gets it back.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading

from fastpath.sockets.splice import PIPE_BYTES, Pipe
from tests.doubles.http1 import get
from tests.doubles.splicing import LiveWorker, head_and_rest, read

ANONYMOUS_CALLER = 65534
BODY = os.urandom(1_000_000)


def become_ordinary() -> None:
    """Give up root; without it there is nothing to do."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(ANONYMOUS_CALLER)
        os.setuid(ANONYMOUS_CALLER)


def exchange(worker: LiveWorker, client: socket.socket, target: socket.socket | None) -> str:
    """One answer; how it went."""
    before = worker.spliced()
    client.sendall(get("/b-b/k"))
    target = target or worker.target()
    targets[:] = [target]
    head_and_rest(target)
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    writing = threading.Thread(target=target.sendall, args=(reply + BODY,))
    writing.start()
    _, rest = head_and_rest(client)
    same = read(client, len(BODY), rest) == BODY
    writing.join()
    moved = "spliced" if worker.spliced() > before else "copied"
    return f"{moved}, {'identical' if same else 'DIFFERENT'}"


targets: list[socket.socket] = []


def main() -> None:
    become_ordinary()
    with LiveWorker(asyncio.new_event_loop, 1) as worker, worker.client() as client:
        print("before the limit:", exchange(worker, client, None))
        worker.forget_pipes()
        pipes = [Pipe(PIPE_BYTES)]
        while pipes[-1].size >= 65536:
            pipes.append(Pipe(PIPE_BYTES))
        print("beyond the limit:", exchange(worker, client, targets[0]))
        for pipe in pipes:
            pipe.close()
        print("below it again:", exchange(worker, client, targets[0]))
        targets[0].close()


if __name__ == "__main__":
    main()
