"""A pipelining flood, and what other clients wait beside it: of the gateway, and of an nginx.

    python -m tests.process.flood                     100 connections, 30 seconds
    python -m tests.process.flood --seconds 5 --connections 20

Each connection of the flood sends 64 KiB of tiny requests without a signature, reads its answers
and sends on; one that is closed is opened again. Meanwhile a few clients ask for a small object,
one request after the other. nginx answers the flood with 403 itself and passes the others on,
unsigned, so it does less for them. One worker each; the store is a double in this process.

Rules: loopback only; bounded by its seconds, also if this process dies; needs an nginx on PATH for
the second half, and says so if there is none.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import re
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.doubles.signing import RawClient
from tests.doubles.target import Target
from tests.process.harness import ROOT, Gateway, open_config, wait_until

TINY = b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n"
BLOCK = TINY * (65536 // len(TINY))
OTHERS = 4
KEY = ("AKIDOTHER", "other-secret")

_NGINX = """
daemon off; worker_processes 1; pid {directory}/pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  upstream store {{ server 127.0.0.1:{store}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port};
    location = /flood {{ return 403; }}
    location / {{
      proxy_pass http://store; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""


def flood(port: int, connections: int, seconds: float) -> int:
    """Flood until the time is over; how many answers there were."""
    end = time.monotonic() + seconds
    ready = selectors.DefaultSelector()
    answers = 0

    def open_one() -> None:
        one = socket.create_connection(("127.0.0.1", port), timeout=10)
        one.setblocking(False)
        ready.register(one, selectors.EVENT_READ | selectors.EVENT_WRITE, [BLOCK])

    for _ in range(connections):
        open_one()
    while time.monotonic() < end:
        for key, events in ready.select(0.5):
            one = key.fileobj
            assert isinstance(one, socket.socket)
            try:
                if events & selectors.EVENT_WRITE:
                    sent = one.send(key.data[0])
                    key.data[0] = key.data[0][sent:] or BLOCK
                heard = one.recv(262144) if events & selectors.EVENT_READ else b"-"
            except BlockingIOError:
                continue
            except OSError:
                heard = b""
            answers += heard.count(b"HTTP/1.1 ")
            if not heard:
                ready.unregister(one)
                one.close()
                with contextlib.suppress(OSError):
                    open_one()
    return answers


def waits(port: int, seconds: float) -> list[float]:
    """How long others wait for each answer, in seconds."""
    end = time.monotonic() + seconds
    found: list[float] = []

    def ask_on() -> None:
        signer = RawClient("127.0.0.1", port, *KEY)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as one:
            one.settimeout(30)
            while time.monotonic() < end:
                head = signer.head("GET", b"/bucket/key", 0, {})
                began = time.monotonic()
                one.sendall(re.sub(rb"(?i)\r\nconnection: close", b"", head))
                answer = http.client.HTTPResponse(one, method="GET")
                answer.begin()
                answer.read()
                found.append(time.monotonic() - began)
                assert answer.status == 200, answer.status

    threads = [threading.Thread(target=ask_on) for _ in range(OTHERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def beside_a_flood(port: int, connections: int, seconds: float) -> tuple[list[float], int]:
    """What others wait meanwhile, and how many answers the flood got."""
    words = [sys.executable, "-m", __spec__.name, "--flood", str(port)]
    words += ["--connections", str(connections), "--seconds", str(seconds)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            time.sleep(min(1.0, seconds / 5))  # until it flows
            found = waits(port, seconds * 0.8)
            out, _ = process.communicate(timeout=seconds + 30)
        finally:
            process.kill()
    return found, int(out)


@contextlib.contextmanager
def gateway(store: str) -> Iterator[tuple[int, Gateway]]:
    """A gateway of one worker that knows one identity."""
    config = open_config(store)
    config["auth"] = {
        "identities": [
            {"name": "other", "access_key_id": KEY[0], "secret_access_key": KEY[1]},
        ]
    }
    with Gateway.start(config, workers=1) as running:
        yield running.address[1], running


@contextlib.contextmanager
def nginx(store: int) -> Iterator[int]:
    """An nginx of one worker."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "nginx.conf"
        path.write_text(_NGINX.format(directory=directory, port=port, store=store))
        process = subprocess.Popen(["nginx", "-c", str(path), "-p", directory])
        try:
            wait_until(lambda: _listens(port), "nginx listens")
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _print(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _say(name: str, found: list[float], answers: int) -> None:
    middle = statistics.median(found) * 1000
    last = statistics.quantiles(found, n=100)[98] * 1000
    _print(f"{name:<10} {middle:8.2f} ms median {last:8.2f} ms p99 {len(found):7} {answers:9}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.process.flood")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--flood", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.flood:
        _print(flood(chosen.flood, chosen.connections, chosen.seconds))
        return 0
    _print("            others: what they wait, how many; answers of the flood")
    with Target() as store:
        store.objects["/bucket/key"] = bytes(1024)
        with gateway(store.url) as (port, running):
            workers = running.worker_pids()
            _say("gateway", *beside_a_flood(port, chosen.connections, chosen.seconds))
            _print(f"           killed: {workers != running.worker_pids()}")
        if shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
            _print("nginx      is not on PATH")
            return 0
        with nginx(int(store.url.rpartition(":")[2])) as port:
            _say("nginx", *beside_a_flood(port, chosen.connections, chosen.seconds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
