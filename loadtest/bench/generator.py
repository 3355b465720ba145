"""wrk: sends one request over and over on many connections, and reports.

Rules: the script it runs is written here, with the request as data; an answer that is not a success
makes the whole round worthless, so it is an error.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench import machine
from loadtest.bench.workloads import Shot

_SCRIPT = """
wrk.method = {method}
{headers}
{body}
{delay}
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "RESULT {{\\"requests\\":%d,\\"microseconds\\":%d,\\"bytes\\":%d,\\"p50\\":%d,\\"p99\\":%d,"
    .. "\\"status\\":%d,\\"socket\\":%d}}\\n",
    summary.requests, summary.duration, summary.bytes, latency:percentile(50.0),
    latency:percentile(99.0), errors.status,
    errors.connect + errors.read + errors.write))
end
"""


class Worthless(Exception):
    """A round in which something other than success was answered."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round of one contender; latencies in microseconds."""

    requests: int
    seconds: float
    bytes: int
    p50: int
    p99: int


def fire(
    shot: Shot, port: int, connections: int, seconds: int, directory: Path, pause: int = 0
) -> Outcome:
    """Put load on loopback for some seconds. Raises Worthless.

    `pause` is for how many milliseconds a connection rests before each request.
    """
    script = directory / "request.lua"
    body = ""
    if shot.body is not None:
        body = (
            f'local file = io.open("{shot.body}", "rb"); wrk.body = file:read("*a"); file:close()'
        )
    headers = "\n".join(f"wrk.headers[{_lua(n)}] = {_lua(v)}" for n, v in shot.headers.items())
    delay = f"function delay() return {pause} end" if pause else ""
    script.write_text(
        _SCRIPT.format(method=_lua(shot.method), headers=headers, body=body, delay=delay)
    )
    pinned = ["taskset", "-c", str(machine.LOAD_CORE), machine.find("wrk"), "-t1"]
    length = [f"-c{connections}", f"-d{seconds}s", "--timeout", "60s"]
    done = subprocess.run(
        [*pinned, *length, "-s", str(script), f"http://127.0.0.1:{port}{shot.path}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 120,
    )
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            found = json.loads(line.removeprefix("RESULT "))
            if found["status"] or found["socket"] or not found["requests"]:
                raise Worthless(line)
            return Outcome(
                found["requests"],
                found["microseconds"] / 1e6,
                found["bytes"],
                found["p50"],
                found["p99"],
            )
    raise Worthless(done.stdout + done.stderr)


def _lua(text: str) -> str:
    return json.dumps(text)
